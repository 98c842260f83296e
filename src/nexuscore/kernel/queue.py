"""The queue behind jobs: PgQueuer's tables and dispatcher, with our rules on top.

A worker holds a job by its manager id. Completion, retry and parking only count while it still
does, so a worker that was believed dead cannot undo what its successor did.
"""

import asyncio
import traceback
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from pgqueuer import PgQueuer
from pgqueuer.core.executors import AbstractEntrypointExecutor, EntrypointExecutorParameters
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Context, Job as QueuedJob, TracebackRecord
from pgqueuer.queries import Queries
from pydantic_core import from_json
from sqlalchemy import Text, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Mapped, mapped_column

from nexuscore.kernel import clock, metrics, sight
from nexuscore.kernel.access import Actor
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Db, Scope
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.events import hear, read
from nexuscore.kernel.jobs import Job, Leased, Outcall, Retry, Worker, backoff, is_last
from nexuscore.kernel.log import get_logger, job_line, new_traceparent, parse_traceparent
from nexuscore.kernel.outbox import PendingJob, write
from nexuscore.kernel.tables import Table

if TYPE_CHECKING:
    from nexuscore.kernel.app import App

_log = get_logger(__name__)


class Listen(Job, name="kernel.listen", retries=12):
    """Tell the listeners of one event."""

    event_id: UUID
    time: datetime


class Tick(Job, name="kernel.tick"):
    """Run one schedule for the moment it was due."""

    schedule: str
    due: datetime


class Ticked(Table):
    """The last moment each schedule was queued for."""

    __tablename__ = "ticked"

    schedule: Mapped[str] = mapped_column(Text, primary_key=True)
    due: Mapped[datetime]


class LeaseLost(Exception):
    """Somebody else holds the job now; what this worker did is rolled back."""


# --- one job, from lease to completion -----------------------------------------------------------

_COMPLETE = (
    "WITH done AS (DELETE FROM pgqueuer WHERE id = $1 AND queue_manager_id = $2"
    " AND status = 'picked' RETURNING id, entrypoint, priority)"
    " INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority)"
    " SELECT id, 'successful', entrypoint, priority FROM done RETURNING job_id"
)
_AGAIN = (
    "WITH again AS (UPDATE pgqueuer SET status = 'queued', queue_manager_id = NULL, slot = NULL,"
    " attempts = attempts + 1, execute_after = now() + $3, updated = now()"
    " WHERE id = $1 AND queue_manager_id = $2 AND status = 'picked'"
    " RETURNING id, entrypoint, priority)"
    " INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority, traceback)"
    " SELECT id, 'queued', entrypoint, priority, $4::jsonb FROM again"
)
_PARK = (
    "WITH parked AS (UPDATE pgqueuer SET status = 'failed', queue_manager_id = NULL, slot = NULL,"
    " updated = now() WHERE id = $1 AND queue_manager_id = $2 AND status = 'picked'"
    " RETURNING id, entrypoint, priority)"
    " INSERT INTO pgqueuer_log (job_id, status, entrypoint, priority, traceback)"
    " SELECT id, 'failed', entrypoint, priority, $3::jsonb FROM parked"
)


async def work(app: "App", leased: Leased) -> None:
    """Run one leased job to its end: done, queued again, or parked for a person."""
    started = perf_counter()
    worker = app.workers[leased.kind]
    tally, token = sight.begin(*_trace(leased))
    if app.tracing is not None:
        tally.span = span = app.tracing.begin("consumer", leased.headers.get("traceparent"), tally.tracestate)
        tally.traceparent = span.traceparent
    metrics.flow.jobs += 1
    outcome = "cancelled"
    try:
        async with asyncio.timeout(worker.job.timeout.total_seconds()):
            await _perform(app, worker, leased)
        outcome = "done"
    except LeaseLost:
        outcome = "lease_lost"
        _log.warning("job_lease_lost", job=leased.kind, job_id=leased.id)
    except Exception as error:  # noqa: BLE001 - a failed job is recorded, not raised
        outcome = "parked" if is_last(leased, worker.job) else "again"
        _log.warning(
            "job_failed",
            job=leased.kind,
            job_id=leased.id,
            attempt=leased.attempts + 1,
            outcome=outcome,
            request_id=leased.headers.get("request_id"),
            exc_info=error,
        )
        await _record_failure(app, leased, error, outcome)
    finally:
        metrics.flow.jobs -= 1
        sight.end(token)
        if app.tracing is not None and tally.span is not None:
            facts = {"nexus.job": leased.kind, "nexus.job_id": leased.id, "nexus.outcome": outcome}
            span.end(f"job {leased.kind}", facts, None if outcome == "done" else outcome)
    _note(app, leased, outcome, tally, perf_counter() - started)


def _note(app: "App", leased: Leased, outcome: str, tally: sight.Tally, seconds: float) -> None:
    metrics.observe_job(leased.kind, outcome, seconds)
    app.watch.job(leased.kind, outcome, leased.id)
    tally.counted()
    kernel = app.kernel
    thresholds = sight.Thresholds(
        slow_ms=kernel.slow_request_ms, queries=kernel.many_queries, too_many=kernel.too_many_queries
    )
    actor = leased.headers.get("actor")
    job_line(
        job=leased.kind,
        job_id=leased.id,
        attempt=leased.attempts + 1,
        outcome=outcome,
        duration_ms=seconds * 1000,
        request_id=leased.headers.get("request_id"),
        trace_id=tally.traceparent[3:35],
        org=leased.headers.get("org"),
        actor=actor[1] if actor else None,
        spent=tally.spent(),
        notices=thresholds.notices(tally, seconds),
    )


def _trace(leased: Leased) -> tuple[str, str]:
    """The trace the job belongs to, as the caller's context left it, with a span of the job's own."""
    found = parse_traceparent(leased.headers.get("traceparent"))
    return new_traceparent(found[0] if found else None), leased.headers.get("tracestate") or ""


async def _record_failure(app: "App", leased: Leased, error: Exception, outcome: str) -> None:
    trace = TracebackRecord(
        job_id=leased.id,
        timestamp=clock.now(),
        exception_type=type(error).__name__,
        exception_message=str(error),
        traceback="".join(traceback.format_exception(error)),
        additional_context={"attempt": leased.attempts + 1},
    ).model_dump_json()
    async with app.database.transaction() as db:
        if outcome == "parked":
            await db.raw(_PARK, leased.id, leased.holder, trace)
        else:
            delay = error.delay if isinstance(error, Retry) else backoff(leased.attempts)
            await db.raw(_AGAIN, leased.id, leased.holder, delay, trace)


async def _perform(app: "App", worker: "Worker | Outcall[Any, Any, Any]", leased: Leased) -> None:
    job = worker.job.model_validate_json(leased.payload)
    if isinstance(job, Listen):
        await _tell(app, leased, job)
    elif isinstance(worker, Outcall):
        await _call_out(app, worker, leased, job)
    else:
        async with app.context(**carried(leased)) as ctx:
            await worker.run(ctx, job)
            await _complete(ctx.db, leased)


async def _call_out(app: "App", worker: Outcall[Any, Any, Any], leased: Leased, job: Job) -> None:
    async with app.context(**carried(leased)) as ctx:
        claimed = await worker.claim(ctx, job)
        if claimed is None:
            await _complete(ctx.db, leased)
            return
    if worker.called is None or worker.recorded is None:
        raise RuntimeError(f"{worker.job.name} lacks its call or its record step")
    answer = await worker.called(app, claimed)
    async with app.context(**carried(leased)) as ctx:
        await worker.recorded(ctx, claimed, answer)
        await _complete(ctx.db, leased)


async def _tell(app: "App", leased: Leased, job: Listen) -> None:
    """Every listener in a transaction of its own, the last one's completes the job.

    One that fails does not hold up the others, but the job is not done then.
    """
    async with app.database.transaction(Scope(across=True)) as db:
        fact = await read(db, app.event_types, job.event_id, job.time)
    told = [each for each in app.listeners_of(app.event_types.get(fact.type)) if each.wants(fact.data, fact.org)]
    failures: list[Exception] = []
    for listener in told:
        try:
            async with app.context(**carried(leased)) as ctx:
                if await hear(ctx.db, listener.name, fact.id):
                    await listener.run(ctx, fact)
                if listener is told[-1] and not failures:
                    await _complete(ctx.db, leased)
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 - one listener does not stop the others
            failures.append(error)
    if failures:
        raise failures[0] if len(failures) == 1 else ExceptionGroup("listeners failed", failures)
    if not told:
        async with app.database.transaction() as db:
            await _complete(db, leased)


async def _complete(db: Db, leased: Leased) -> None:
    if not await db.raw(_COMPLETE, leased.id, leased.holder):
        raise LeaseLost(leased.id)


def carried(leased: Leased) -> dict[str, Any]:
    """What the caller's context left in the job, as arguments for `App.context`."""
    headers = leased.headers
    kind: Any
    kind, id = headers.get("actor") or ("system", None)
    org = headers.get("org")
    return {
        "org": UUID(org) if org else None,
        "actor": Actor(kind=kind, id=UUID(id) if id else None, ip=headers.get("ip")),
        "locale": headers.get("locale") or "en",
        "request_id": headers.get("request_id") or "",
    }


# --- schedules -----------------------------------------------------------------------------------

_KNOWN = upsert(Ticked).on_conflict_do_nothing()
_ADVANCE = (
    update(Ticked)
    .where(Ticked.schedule == bindparam("name"), Ticked.due < bindparam("moment"))
    .values(due=bindparam("moment"))
    .returning(Ticked.schedule)
)


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


# --- workers -------------------------------------------------------------------------------------


class _Queries(Queries):
    """PgQueuer's statements, less the outcome: `work` has already written that, under the lease."""

    async def log_jobs(self, job_status: list[Any]) -> None:
        """Nothing left to write."""


@dataclass
class _Executor(AbstractEntrypointExecutor):
    app: "App"

    async def execute(self, job: QueuedJob, context: Context) -> None:
        holder = job.queue_manager_id
        if holder is None:
            return
        await work(
            self.app,
            Leased(job.id, job.entrypoint, job.payload or b"{}", job.headers or {}, job.attempts, holder),
        )


async def run_workers(app: "App", stop: asyncio.Event, *, concurrency: int) -> None:
    """Run jobs and schedules until `stop`, then finish what is running. Survives a lost database."""
    await remember_schedules(app, clock.now())
    clockwork = asyncio.create_task(_run_clock(app, stop))
    try:
        while not stop.is_set():
            try:
                await _run_queue(app, stop, concurrency)
            except Exception as error:  # noqa: BLE001 - workers outlive a lost database
                _log.error("workers_restart", exc_info=error)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 1)
    finally:
        clockwork.cancel()


async def _run_queue(app: "App", stop: asyncio.Event, concurrency: int) -> None:
    connection = await app.database.connect()
    try:
        driver = AsyncpgDriver(connection)  # type: ignore[arg-type]  # Row is a Record
        queuer = PgQueuer(driver, queries=_Queries(driver))
        queuer.qm.min_dequeue_poll_interval = timedelta(milliseconds=20)  # a full worker pauses so long: 0.1 s at first
        for kind, worker in app.workers.items():
            queuer.qm.register_executor(
                kind,
                _Executor(
                    EntrypointExecutorParameters(concurrency_limit=worker.concurrency, func=_unused, on_failure="hold"),
                    app,
                ),
            )
        stopper = asyncio.create_task(stop.wait())
        stopper.add_done_callback(lambda _: queuer.shutdown.set())
        try:
            await queuer.qm.run(
                batch_size=max(1, concurrency // 2),
                max_concurrent_tasks=max(2, concurrency),
                dequeue_timeout=timedelta(seconds=5),
                heartbeat_timeout=timedelta(seconds=app.kernel.worker_lease_s),
                shutdown_on_listener_failure=True,
                log_aggregation_interval=timedelta(),
            )
        finally:
            stopper.cancel()
            await _hand_back(app, queuer.qm.queue_manager_id)
    finally:
        with suppress(Exception):
            await connection.close(timeout=2)


async def _unused(job: QueuedJob) -> None:
    """PgQueuer wants a function; `_Executor` does the work."""


async def _hand_back(app: "App", holder: UUID) -> None:
    """Let others have at once what this worker no longer runs."""
    with suppress(Exception):
        async with app.database.transaction() as db:
            await db.raw(
                "UPDATE pgqueuer SET status = 'queued', queue_manager_id = NULL, slot = NULL"
                " WHERE queue_manager_id = $1 AND status = 'picked'",
                holder,
            )


async def _run_clock(app: "App", stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await tick(app, clock.now())
        except Exception as error:  # noqa: BLE001 - schedules outlive a lost database
            _log.error("schedules_failed", exc_info=error)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1)


_LEASE = (
    "UPDATE pgqueuer SET status = 'picked', queue_manager_id = $1, updated = now(),"
    " heartbeat = now() WHERE id = (SELECT id FROM pgqueuer WHERE status = 'queued'"
    " AND execute_after <= now() AND entrypoint = ANY($2) ORDER BY priority DESC, id LIMIT 1"
    " FOR UPDATE SKIP LOCKED) RETURNING id, entrypoint, payload, headers, attempts"
)


async def drain(app: "App", *, limit: int = 1000) -> int:
    """Run the jobs that are due, one by one, until none is left: for tests and for the shell."""
    holder = uuid4()
    for count in range(limit):
        async with app.database.transaction() as db:
            rows = await db.raw(_LEASE, holder, list(app.workers))
        if not rows:
            return count
        row = rows[0]
        headers = row.headers if isinstance(row.headers, dict) else from_json(row.headers or "{}")
        await work(app, Leased(row.id, row.entrypoint, row.payload, headers, row.attempts, holder))
    return limit


# --- what there is to do --------------------------------------------------------------------------

_COUNTS = (
    "SELECT entrypoint AS kind, count(*) FILTER (WHERE status = 'queued' AND execute_after <= now()) AS due,"
    " count(*) FILTER (WHERE status = 'queued' AND execute_after > now()) AS later,"
    " count(*) FILTER (WHERE status = 'picked') AS running,"
    " count(*) FILTER (WHERE status = 'failed') AS parked FROM pgqueuer GROUP BY 1"
)
_TICKED = select(Ticked.schedule, Ticked.due)


async def counts(db: Db) -> list[Any]:
    """How many jobs of each kind are due, wait for later, run, and are parked."""
    return await db.raw(_COUNTS)


async def lag(db: Db) -> float:
    """For how many seconds the job that has waited longest has been due; 0 when none waits."""
    found = await db.raw(
        "SELECT extract(epoch FROM now() - min(execute_after))::float8 AS lag FROM pgqueuer"
        " WHERE status = 'queued' AND execute_after <= now()"
    )
    return found[0].lag or 0.0


async def last_due(db: Db) -> dict[str, datetime]:
    """The last moment each schedule was queued for, by its name."""
    return {row.schedule: row.due for row in await db.all(_TICKED)}


# --- dead letters --------------------------------------------------------------------------------


async def parked(db: Db, limit: int = 100) -> list[Any]:
    """The jobs that failed their last try, newest first, each with its last error."""
    return await db.raw(
        "SELECT q.id, q.entrypoint AS kind, q.attempts, q.created, q.updated, q.payload,"
        " q.headers, l.traceback AS error FROM pgqueuer q LEFT JOIN LATERAL (SELECT traceback"
        " FROM pgqueuer_log WHERE job_id = q.id AND status = 'failed' ORDER BY created DESC"
        " LIMIT 1) l ON true WHERE q.status = 'failed' ORDER BY q.updated DESC LIMIT $1",
        limit,
    )


async def retry(db: Db, id: int) -> None:
    """Queue a parked job again, with all its tries."""
    if not await db.raw(
        "UPDATE pgqueuer SET status = 'queued', attempts = 0, execute_after = now(),"
        " updated = now() WHERE id = $1 AND status = 'failed' RETURNING id",
        id,
    ):
        raise NotFoundError


async def drop(db: Db, id: int) -> None:
    """Give a parked job up."""
    if not await db.raw(
        "WITH gone AS (DELETE FROM pgqueuer WHERE id = $1 AND status = 'failed'"
        " RETURNING id, entrypoint, priority) INSERT INTO pgqueuer_log"
        " (job_id, status, entrypoint, priority)"
        " SELECT id, 'deleted', entrypoint, priority FROM gone RETURNING job_id",
        id,
    ):
        raise NotFoundError
