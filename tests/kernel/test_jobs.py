"""Jobs: queued with the transaction, run with the caller's context, never twice to the end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from nexuscore.kernel import queue
from nexuscore.kernel.errors import ConfigurationError, NotFoundError
from nexuscore.kernel.jobs import Job, Leased, backoff, every
from nexuscore.kernel.testing import ALICE, House
from tests.kernel import chores
from tests.kernel.chores import Done, Hang, Post, Rang, Single, Sweep

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _forget() -> None:
    chores.calls.clear()
    chores.open_transactions.clear()
    chores.running.update(now=0, most=0)


async def do(house: House, job: Job, **rest: Any) -> None:
    async with house.context(ALICE) as ctx:
        ctx.locale, ctx.request_id = "pl", "req-7"
        ctx.enqueue(job, **rest)


async def hurry(house: House) -> None:
    """Let what waits for its next try be due now."""
    async with house.app.database.transaction() as db:
        await db.raw("UPDATE pgqueuer SET execute_after = now() WHERE status = 'queued'")


async def test_a_worker_gets_the_callers_context(house: House) -> None:
    await do(house, Sweep(what="stairs"))
    assert await house.drain() == 1
    (done,) = await house.facts(Done)
    assert done.body == {"what": "stairs", "actor": str(ALICE.id), "locale": "pl", "request_id": "req-7"}
    assert (done.org, done.actor_id) == (ALICE.org, ALICE.id)


async def test_a_failed_try_leaves_no_effect_and_is_repeated_until_parked(house: House) -> None:
    await do(house, Sweep(what="fail"))
    for tries in (1, 2, 3):
        await hurry(house)
        await house.drain()
        assert chores.calls.count("fail") == tries
    assert await house.facts(Done) == []
    async with house.context(ALICE) as ctx:
        (parked,) = await queue.parked(ctx.db)
    assert (parked.kind, parked.attempts, parked.error["exception_type"]) == ("chores.sweep", 2, "RuntimeError")
    assert "it always does" in parked.error["exception_message"]


async def test_a_parked_job_is_retried_or_dropped_by_a_person(house: House) -> None:
    for _ in range(2):
        await do(house, Sweep(what="fail"))
    for _ in range(3):
        await hurry(house)
        await house.drain()
    async with house.context(ALICE) as ctx:
        first, second = await queue.parked(ctx.db)
        await queue.retry(ctx.db, first.id)
        await queue.drop(ctx.db, second.id)
        assert await queue.parked(ctx.db) == []
        for gone in (queue.retry, queue.drop):
            with pytest.raises(NotFoundError):
                await gone(ctx.db, second.id)
    chores.calls.clear()
    await house.drain()
    assert chores.calls == ["fail"]


async def test_a_worker_may_ask_to_run_again(house: House) -> None:
    await do(house, Sweep(what="later"))
    assert await house.drain() == 2
    assert [done.body["what"] for done in await house.facts(Done)] == ["later"]


async def test_a_unique_job_is_queued_once_while_it_waits(house: House) -> None:
    for _ in range(3):
        await do(house, Sweep(what="stairs"), unique="stairs")
    await do(house, Sweep(what="hall"), unique="hall")
    assert await house.drain() == 2
    await do(house, Sweep(what="stairs"), unique="stairs")
    assert await house.drain() == 1


async def test_the_urgent_goes_first_and_the_delayed_waits(house: House) -> None:
    await do(house, Sweep(what="usual"))
    await do(house, Sweep(what="urgent"), priority=10)
    await do(house, Sweep(what="tomorrow"), delay=timedelta(days=1))
    assert await house.drain() == 2
    assert chores.calls == ["urgent", "usual"]


async def test_a_job_that_hangs_is_stopped(committed_house: House) -> None:
    await do(committed_house, Hang())
    await committed_house.drain()
    async with committed_house.context(ALICE) as ctx:
        (parked,) = await queue.parked(ctx.db)
    assert parked.error["exception_type"] == "TimeoutError"


async def test_an_outcall_holds_no_transaction_while_it_calls(committed_house: House) -> None:
    house = committed_house
    await do(house, Post(letter="count"))
    await do(house, Post(letter="empty"))
    assert await house.drain() == 2
    assert chores.open_transactions == [0]
    assert [done.body["what"] for done in await house.facts(Done)] == ["count signed"]


async def test_an_outcall_that_fails_records_nothing_and_tries_again(house: House) -> None:
    await do(house, Post(letter="lost"))
    await house.drain()
    await hurry(house)
    await house.drain()
    assert chores.calls == ["carried lost", "carried lost"]
    assert await house.facts(Done) == []
    async with house.context(ALICE) as ctx:
        assert len(await queue.parked(ctx.db)) == 1


async def test_a_worker_that_lost_its_job_undoes_what_it_did(house: House) -> None:
    await do(house, Sweep(what="stairs"))
    async with house.app.database.transaction() as db:
        (row,) = await db.raw("UPDATE pgqueuer SET status = 'picked', queue_manager_id = $1 RETURNING *", uuid4())
    payload, attempts = row.payload, row.attempts
    late = Leased(row.id, row.entrypoint, payload, row.headers, attempts, holder=uuid4())
    await queue.work(house.app, late)
    assert chores.calls == ["stairs"]
    assert await house.facts(Done) == []
    rightful = Leased(row.id, row.entrypoint, payload, row.headers, attempts, holder=row.queue_manager_id)
    await queue.work(house.app, rightful)
    await queue.work(house.app, rightful)
    assert len(await house.facts(Done)) == 1


async def test_a_late_failure_does_not_disturb_the_new_holder(house: House) -> None:
    await do(house, Sweep(what="fail"))
    async with house.app.database.transaction() as db:
        (row,) = await db.raw("UPDATE pgqueuer SET status = 'picked', queue_manager_id = $1 RETURNING *", uuid4())
    await queue.work(house.app, Leased(row.id, row.entrypoint, row.payload, row.headers, 0, holder=uuid4()))
    async with house.app.database.transaction() as db:
        (after,) = await db.raw("SELECT * FROM pgqueuer")
    assert (after.status, after.queue_manager_id, after.attempts) == ("picked", row.queue_manager_id, 0)


def test_backoff_grows_with_full_jitter_and_a_ceiling() -> None:
    for attempt, most in ((0, 2), (1, 4), (5, 64), (30, 600)):
        waits = [backoff(attempt).total_seconds() for _ in range(200)]
        assert all(0 < wait <= most for wait in waits)
        assert max(waits) - min(waits) > most / 3


def test_mistakes_are_named_at_import() -> None:
    with pytest.raises(ConfigurationError, match="not a cron expression"):
        every("at noon")
    with pytest.raises(ConfigurationError, match="needs a name"):
        type("Nameless", (Job,), {"__module__": __name__})
    with pytest.raises(ConfigurationError, match="cannot have a field 'name'"):
        type("Named", (Job,), {"__module__": __name__, "__annotations__": {"name": str}}, name="a.b")


# --- with real workers ----------------------------------------------------------------------------


@asynccontextmanager
async def workers(house: House, count: int = 1) -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    tasks = [asyncio.create_task(queue.run_workers(house.app, stop, concurrency=4)) for _ in range(count)]
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await true():
            await asyncio.sleep(0.02)


async def test_workers_wake_for_new_jobs_and_share_them(committed_house: House) -> None:
    house = committed_house

    async def all_done() -> bool:
        return len(await house.facts(Done)) == 20

    async with workers(house, 3):
        for number in range(20):
            await do(house, Sweep(what=str(number)))
        await until(all_done)
    assert sorted(int(done.body["what"]) for done in await house.facts(Done)) == list(range(20))


async def test_a_bound_holds_over_all_workers(committed_house: House) -> None:
    house = committed_house

    async def all_done() -> bool:
        return len(await house.facts(Done)) == 8

    for number in range(8):
        await do(house, Single(number=number))
    async with workers(house, 3):
        await until(all_done)
    assert chores.running["most"] == 1


async def test_stopping_finishes_what_runs(committed_house: House) -> None:
    house = committed_house
    await do(house, Sweep(what="slow"))

    async def begun() -> bool:
        return "slow" in chores.calls

    async with workers(house) as stop:
        await until(begun)
        stop.set()
    assert [done.body["what"] for done in await house.facts(Done)] == ["slow"]


async def test_a_lost_connection_does_not_end_the_workers(committed_house: House) -> None:
    house = committed_house

    async def done() -> bool:
        return len(await house.facts(Done)) == 1

    async with workers(house):
        await asyncio.sleep(0.3)
        async with house.app.database.transaction() as db:
            await db.raw(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user"
            )
        await do(house, Sweep(what="after"))
        await until(done)


async def test_a_schedule_runs_once_however_many_workers(committed_house: House) -> None:
    house = committed_house
    noon = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    await queue.remember_schedules(house.app, noon)
    await asyncio.gather(*(queue.tick(house.app, noon) for _ in range(5)))
    assert await house.drain() == 0, "the moment it is first seen is not a moment it is due"
    for minutes in (5, 6, 9, 10):
        now = noon + timedelta(minutes=minutes)
        await asyncio.gather(*(queue.tick(house.app, now) for _ in range(5)))
    await house.drain()
    assert len([fact for fact in await house.facts(Rang) if fact.subject == "clock"]) == 2


async def test_a_schedule_missed_while_nobody_worked_runs_once_afterwards(committed_house: House) -> None:
    house = committed_house
    noon = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    await queue.remember_schedules(house.app, noon)
    await queue.tick(house.app, noon + timedelta(hours=3))
    await queue.tick(house.app, noon + timedelta(hours=3, seconds=30))
    await house.drain()
    assert len([fact for fact in await house.facts(Rang) if fact.subject == "clock"]) == 1
