"""The app that is killed: notes, and a tally of every note's job that ran to its end."""

from uuid import UUID

from examples.notes.events import NoteCreated
from examples.notes.module import module as notes
from nexuscore.kernel.app import compose
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.events import Event, Fact, on
from nexuscore.kernel.jobs import Job, worker
from nexuscore.kernel.module import Module


class Tallied(Event, type="tally.tallied", subject="note_id"):
    """A note's job ran to its end."""

    note_id: UUID


class Tally(Job, name="tally.tally"):
    """Tell that a note was seen."""

    note_id: UUID


@on(NoteCreated)
async def see(ctx: Ctx, fact: Fact[NoteCreated]) -> None:
    ctx.enqueue(Tally(note_id=fact.data.note_id))


@worker(Tally)
async def tally(ctx: Ctx, job: Tally) -> None:
    ctx.emit(Tallied(note_id=job.note_id))
    await ctx.flush()
    await ctx.db.raw("SELECT pg_sleep(0.002)")


module = Module(name="tally", package=None, needs=("notes",), events=(Tallied,), listeners=(see,), workers=(tally,))
app = compose([notes, module])
