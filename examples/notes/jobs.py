"""What notes do on the side."""

from uuid import UUID

from sqlalchemy import bindparam, update

from examples.notes import service
from examples.notes.events import NoteCreated
from examples.notes.tables import Note
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.events import Fact, on
from nexuscore.kernel.jobs import Job, every, worker
from nexuscore.kernel.tables import hard_delete

_COUNT = update(Note).where(Note.id == bindparam("note_id"))
_EMPTY = hard_delete(Note).where(Note.is_deleted, Note.deleted_at < bindparam("before"))


class CountWords(Job, name="notes.count_words"):
    """Count the words of a note."""

    note_id: UUID


@on(NoteCreated)
async def count_words_of_new(ctx: Ctx, fact: Fact[NoteCreated]) -> None:
    """A new note's words are counted by a job, so that writing stays fast."""
    ctx.enqueue(CountWords(note_id=fact.data.note_id), unique=str(fact.data.note_id))


@worker(CountWords, concurrency=4)
async def count_words(ctx: Ctx, job: CountWords) -> None:
    """Count, and write it down."""
    note = await service.get(ctx, job.note_id)
    await ctx.db.execute(_COUNT, note_id=note.id, words=len(note.body.split()))


@every("0 4 * * *")
async def empty_the_bin(ctx: Ctx) -> None:
    """Remove for good what has been in the bin for 30 days."""
    async with ctx.across_orgs("the bin is emptied for everybody") as everywhere:
        await everywhere.db.execute(_EMPTY, before=ctx.now - service.KEPT)
