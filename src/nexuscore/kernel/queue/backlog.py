"""What there is to do, and what was parked for a person."""

from typing import Any

from nexuscore.kernel.db import Db
from nexuscore.kernel.errors import NotFoundError

_COUNTS = (
    "SELECT entrypoint AS kind, count(*) FILTER (WHERE status = 'queued' AND execute_after <= now()) AS due,"
    " count(*) FILTER (WHERE status = 'queued' AND execute_after > now()) AS later,"
    " count(*) FILTER (WHERE status = 'picked') AS running,"
    " count(*) FILTER (WHERE status = 'failed') AS parked FROM pgqueuer GROUP BY 1"
)


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
