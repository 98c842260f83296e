"""Notes in the console: the same verbs and permissions, drawn by the templates beside this file."""

from typing import Annotated

from fastapi import Query

from examples.notes import service
from examples.notes.routes import CanRead, CanReadNote, CanWrite, CanWriteNote
from examples.notes.schemas import NewNote, NoteChange
from nexuscore.kernel.http import Nav, PageQuery, Pages, View, Went

pages = Pages("/notes")


@pages.get(title="Notes", nav=Nav("Build", icon="note"), listing=service.NOTES)
async def notes_page(ctx: CanRead, query: Annotated[PageQuery, Query()]) -> View:
    """The organisation's notes."""
    return View("notes.html", notes=await service.page(ctx, query))


@pages.get("/new", title="New note")
async def new_note_page(ctx: CanWrite) -> View:
    """A form for a note."""
    return View("note.html", note=None)


@pages.post("/new")
async def create_note_page(ctx: CanWrite, new: NewNote) -> Went:
    """Write it; what is wrong with it is shown on the form."""
    note = await service.create(ctx, new)
    return Went(f"/console/notes/{note.id}", say="The note is written.")


@pages.get("/{note_id}", title="Note")
async def note_page(ctx: CanReadNote) -> View:
    """One note, to read and to change."""
    return View("note.html", title=ctx.row.title, note=ctx.row)


@pages.post("/{note_id}")
async def change_note_page(ctx: CanWriteNote, change: NoteChange) -> Went:
    """Change it."""
    note = await service.change(ctx, ctx.row, change)
    return Went(f"/console/notes/{note.id}", say="The note is changed.")


@pages.post("/{note_id}/delete", shows=note_page)
async def delete_note_page(ctx: CanWriteNote) -> Went:
    """Move it to the bin."""
    await service.delete(ctx, ctx.row)
    return Went("/console/notes", say="“{title}” is in the bin.", title=ctx.row.title)
