"""Months of long ago, as a log has them after a few years."""

from datetime import UTC, date, datetime, timedelta

from nexuscore.kernel.clock import now
from nexuscore.kernel.events import Event
from nexuscore.kernel.testing import ALICE, House, Persona
from nexuscore.modules.audit import jobs
from nexuscore.modules.audit.retention import following
from nexuscore.modules.audit.tests.owner import as_owner


def month_of(days_ago: int) -> date:
    """The month that was so many days ago."""
    return (now() - timedelta(days=days_ago)).date().replace(day=1)


async def write_long_ago(house: House, month: date, *facts: Event, who: Persona = ALICE) -> None:
    """Facts of a month long past, in its own part of the log."""
    name = f"events_{month:%Y_%m}"
    await as_owner(
        house,
        f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF events"
        f" FOR VALUES FROM ('{month} 00:00Z') TO ('{following(month)} 00:00Z')",
    )
    for number, fact in enumerate(facts):
        async with house.context(who) as ctx:
            ctx.now = datetime(month.year, month.month, 10, 12, number, tzinfo=UTC)
            ctx.emit(fact)


async def run_daily(house: House) -> None:
    """What the schedule of every day does, and the jobs it queues."""
    async with house.app.context() as ctx:
        await jobs.move_and_remove(ctx)
    await house.drain()


async def in_database(house: House) -> list[str]:
    """The types in the log's table, in commit order."""
    return [row["type"] for row in await as_owner(house, "SELECT type FROM events ORDER BY xid, id")]
