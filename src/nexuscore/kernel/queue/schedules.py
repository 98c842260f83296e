"""Schedules: each is queued once for every moment it is due."""

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Text, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Mapped, mapped_column

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Db
from nexuscore.kernel.jobs import Job
from nexuscore.kernel.outbox import PendingJob, write
from nexuscore.kernel.tables import Table

if TYPE_CHECKING:
    from nexuscore.kernel.app import App


class Tick(Job, name="kernel.tick"):
    """Run one schedule for the moment it was due."""

    schedule: str
    due: datetime


class Ticked(Table):
    """The last moment each schedule was queued for."""

    __tablename__ = "ticked"

    schedule: Mapped[str] = mapped_column(Text, primary_key=True)
    due: Mapped[datetime]


_KNOWN = upsert(Ticked).on_conflict_do_nothing()
_ADVANCE = (
    update(Ticked)
    .where(Ticked.schedule == bindparam("name"), Ticked.due < bindparam("moment"))
    .values(due=bindparam("moment"))
    .returning(Ticked.schedule)
)
_TICKED = select(Ticked.schedule, Ticked.due)


async def tick(app: "App", now: datetime) -> None:
    """Queue every schedule that has come due; whoever moves its row first queues it."""
    for schedule in app.schedules.values():
        due = schedule.due(now)
        async with app.database.transaction() as db:
            if await db.first(_ADVANCE, name=schedule.name, moment=due):
                job = Tick(schedule=schedule.name, due=due)
                await write(db, [], [PendingJob(Tick.name, job.model_dump_json().encode(), {})])


async def remember_schedules(app: "App", now: datetime) -> None:
    """Note schedules seen for the first time: their first run is the next one due, not the last."""
    async with app.database.transaction() as db:
        for schedule in app.schedules.values():
            await db.execute(_KNOWN, schedule=schedule.name, due=schedule.due(now))


async def run_tick(ctx: Ctx, job: Tick) -> None:
    """Run one schedule; one that is no longer in the manifest is let go."""
    schedule = ctx.app.schedules.get(job.schedule)
    if schedule is not None:
        await schedule.run(ctx)


async def last_due(db: Db) -> dict[str, datetime]:
    """The last moment each schedule was queued for, by its name."""
    return {row.schedule: row.due for row in await db.all(_TICKED)}
