"""Notes over HTTP: parse, call one verb, return."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from examples.notes import service
from examples.notes.permissions import READ, WRITE
from examples.notes.schemas import DELETED_1, NewNote, NoteChange, NoteInBin, NoteOut
from examples.notes.tables import Note
from nexuscore.kernel.ctx import Ctx, RowCtx
from nexuscore.kernel.db import Json
from nexuscore.kernel.http import Can, Page, PageQuery, Routes

routes = Routes("/notes", tag="Notes")

CanRead = Annotated[Ctx, Can(READ)]
CanWrite = Annotated[Ctx, Can(WRITE)]
CanReadNote = Annotated[RowCtx[Note], Can(READ, row=service.get)]
CanWriteNote = Annotated[RowCtx[Note], Can(WRITE, row=service.get)]


@routes.get("", answer=Page[NoteOut], listing=service.NOTES)
async def list_notes(ctx: CanRead, query: Annotated[PageQuery, Query()]) -> Json:
    """The organisation's notes, newest first."""
    return await service.page(ctx, query)


@routes.post("", answer=NoteOut, status=201)
async def create_note(ctx: CanWrite, new: NewNote) -> Note:
    """Write a note."""
    return await service.create(ctx, new)


@routes.get("/{note_id}", answer=NoteOut)
async def read_note(ctx: CanReadNote) -> Note:
    """One note."""
    return ctx.row


@routes.patch("/{note_id}", answer=NoteOut)
async def change_note(ctx: CanWriteNote, change: NoteChange) -> Note:
    """Change the given fields of a note."""
    return await service.change(ctx, ctx.row, change)


@routes.delete("/{note_id}", answer=NoteInBin, status=200, older=(DELETED_1,))
async def delete_note(ctx: CanWriteNote) -> NoteInBin:
    """Move a note to the bin, from where it can be restored for 30 days."""
    return await service.delete(ctx, ctx.row)


@routes.post("/{note_id}/restore", answer=NoteOut)
async def restore_note(ctx: CanWrite, note_id: UUID) -> Note:
    """Take a note out of the bin."""
    return await service.restore(ctx, note_id)
