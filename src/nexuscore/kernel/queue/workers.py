"""Workers: they lease jobs, run them, and keep the clock of schedules."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from pgqueuer import PgQueuer
from pgqueuer.core.executors import AbstractEntrypointExecutor, EntrypointExecutorParameters
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Context, Job as QueuedJob
from pgqueuer.queries import Queries
from pydantic_core import from_json

from nexuscore.kernel import clock
from nexuscore.kernel.jobs import Leased
from nexuscore.kernel.log import get_logger
from nexuscore.kernel.queue.lease import work
from nexuscore.kernel.queue.schedules import remember_schedules, tick

if TYPE_CHECKING:
    from nexuscore.kernel.app import App

_log = get_logger(__name__)


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
