"""What can be done with notes."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, select, update

from examples.notes.events import NoteChanged, NoteCreated, NoteDeleted, NoteRestored
from examples.notes.schemas import NewNote, NoteChange, NoteInBin, NoteOut
from examples.notes.tables import Note
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.filters import has
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.tables import columns, restore as restored, soft_delete

KEPT = timedelta(days=30)
NOTES = Listing(
    select(*columns(Note, NoteOut.model_fields)),
    by=Note.id,
    sorts=(Note.title, Note.updated_at),
    filters={"tag": has(Note.tags)},
    search=(Note.title, Note.body),
)
_ONE = select(Note).where(Note.id == bindparam("note_id"))
_CREATE = insert(Note).returning(Note)
_CHANGE = update(Note).where(Note.id == bindparam("note_id")).returning(Note)
_DELETE = soft_delete(Note).where(Note.id == bindparam("note_id")).returning(Note.id)
_RESTORE = restored(Note).where(Note.id == bindparam("note_id")).returning(Note)


async def page(ctx: Ctx, query: PageQuery) -> Json:
    """The organisation's notes, newest first."""
    return await ctx.db.page(NOTES, query)


async def get(ctx: Ctx, note_id: UUID) -> Note:
    """One note that is not in the bin."""
    return await ctx.db.one(_ONE, note_id=note_id)


async def create(ctx: Ctx, new: NewNote) -> Note:
    """Write a note."""
    note = await ctx.db.one(_CREATE, title=new.title, body=new.body, tags=new.tags, created_by=ctx.actor.id)
    ctx.emit(NoteCreated(note_id=note.id, title=note.title))
    return note


async def change(ctx: Ctx, note: Note, change: NoteChange) -> Note:
    """Change the given fields of a note."""
    fields: dict[str, Any] = change.model_dump(exclude_none=True)
    if not fields:
        return note
    changed = await ctx.db.one(_CHANGE, note_id=note.id, **fields)
    ctx.emit(NoteChanged(note_id=note.id, fields=sorted(fields)))
    return changed


async def delete(ctx: Ctx, note: Note) -> NoteInBin:
    """Move a note to the bin."""
    await ctx.db.one(_DELETE, note_id=note.id)
    ctx.emit(NoteDeleted(note_id=note.id))
    return NoteInBin(id=note.id, title=note.title, removed_at=ctx.now + KEPT)


async def restore(ctx: Ctx, note_id: UUID) -> Note:
    """Take a note out of the bin."""
    note = await ctx.db.one(_RESTORE, note_id=note_id)
    ctx.emit(NoteRestored(note_id=note.id))
    return note
