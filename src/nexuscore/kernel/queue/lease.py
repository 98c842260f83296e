"""One job, from lease to completion."""

import asyncio
import traceback
from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pgqueuer.models import TracebackRecord

from nexuscore.kernel import clock, metrics, sight
from nexuscore.kernel.access import Actor
from nexuscore.kernel.db import Db, Scope
from nexuscore.kernel.events import hear, read
from nexuscore.kernel.jobs import Job, Leased, Outcall, Retry, Worker, backoff, is_last
from nexuscore.kernel.log import get_logger, job_line, new_traceparent, parse_traceparent

if TYPE_CHECKING:
    from nexuscore.kernel.app import App

_log = get_logger(__name__)


class Listen(Job, name="kernel.listen", retries=12):
    """Tell the listeners of one event."""

    event_id: UUID
    time: datetime


class LeaseLost(Exception):
    """Somebody else holds the job now; what this worker did is rolled back."""


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
