"""The job that serves an endpoint, and the rule that there always is one when something is due.

One job per endpoint waits or runs, however much there is to send: it takes what is due, sends it, and before it ends
it looks once more and leaves a successor for the next thing due. Between that look and its end nobody may add a
delivery, or it would be left lying: whoever adds one holds the endpoint's lock shared, the last look holds it alone.
"""

from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.ids import uuid7
from nexuscore.kernel.jobs import Job
from nexuscore.modules.webhooks.tables import Endpoint

# the key of an endpoint's lock, for a statement whose row or argument is the id
LOCK_KEY = "hashtextextended('webhooks ' || {id}::text, 0)"
_HOLD_SHARED = f"SELECT pg_advisory_xact_lock_shared({LOCK_KEY.format(id='$1::uuid')})"
_HOLD_ALONE = f"SELECT pg_advisory_xact_lock({LOCK_KEY.format(id='$1::uuid')})"
_NEXT = (
    "SELECT min(next_try_at) AS at FROM webhook_deliveries"
    " WHERE endpoint_id = $1 AND state = 'pending' AND claimed_by IS NULL AND (is_test OR $2)"
)
_BUSY = timedelta(seconds=1)


class Deliver(Job, name="webhooks.deliver", timeout=timedelta(minutes=2)):
    """Send an endpoint what is due. `run` marks what this job has claimed, also when it is run again."""

    endpoint_id: UUID
    run: UUID


async def wake(ctx: Ctx, endpoint_id: UUID) -> None:
    """Have an endpoint served at once; call it in the transaction that made something due."""
    await ctx.db.raw(_HOLD_SHARED, endpoint_id)
    queue(ctx, endpoint_id)


def queue(ctx: Ctx, endpoint_id: UUID, at: datetime | None = None) -> None:
    """Queue the job, for a moment to come or for now. The caller holds the endpoint's lock."""
    delay, slot = timedelta(), str(endpoint_id)
    if at is not None and at > ctx.now:
        second = ceil(at.timestamp())
        delay, slot = timedelta(seconds=second - ctx.now.timestamp()), f"{endpoint_id}@{second}"
    ctx.enqueue(Deliver(endpoint_id=endpoint_id, run=uuid7()), delay=delay, unique=slot)


async def settle(ctx: Ctx, endpoint: Endpoint, held_until: datetime | None, *, busy: bool = False) -> None:
    """The last look of a job: leave a successor for the next delivery due, not before `held_until`.

    With `busy`, as many calls are under way as there may be, so the successor comes a little later.
    """
    await ctx.db.raw(_HOLD_ALONE, endpoint.id)
    [row] = await ctx.db.raw(_NEXT, endpoint.id, endpoint.state == "enabled")
    if row.at is None:
        return
    earliest = ctx.now + _BUSY if busy else ctx.now
    queue(ctx, endpoint.id, max(row.at, held_until or row.at, earliest))
