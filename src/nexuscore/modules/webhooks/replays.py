"""Going through the log again for an endpoint: what it missed while it was disabled."""

from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import bindparam, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.kernel.events import LoggedEvent, fact
from nexuscore.kernel.ids import uuid7
from nexuscore.kernel.jobs import Job
from nexuscore.modules.webhooks import payloads
from nexuscore.modules.webhooks.errors import EndpointDisabled
from nexuscore.modules.webhooks.filters import chosen
from nexuscore.modules.webhooks.schemas import Replaying, Window
from nexuscore.modules.webhooks.tables import Endpoint
from nexuscore.modules.webhooks.waking import wake

_PAGE = 500
_ONE = select(Endpoint).where(Endpoint.id == bindparam("endpoint_id"))
_EVENTS = (
    "SELECT * FROM events WHERE time >= $1 AND time < $2 AND (time, id) > ($1, $3) AND type = ANY($4)"
    " ORDER BY time, id LIMIT $5"
)
_ADD = (
    "INSERT INTO webhook_deliveries (id, endpoint_id, event_id, event_type, body, next_try_at, created_at)"
    " SELECT id, $1, event_id, event_type, body, $6, $6"
    " FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[]) AS new(id, event_id, event_type, body)"
    " ON CONFLICT (endpoint_id, event_id) DO UPDATE"
    " SET state = 'pending', step = 0, next_try_at = excluded.next_try_at"
    " WHERE webhook_deliveries.state = 'cancelled'"
)


class Replay(Job, name="webhooks.replay"):
    """Go through the log of a time, from `after` on, and deliver what the endpoint wanted and was not sent."""

    endpoint_id: UUID
    since: datetime
    until: datetime
    after: UUID = UUID(int=0)


async def begin(ctx: Ctx, endpoint: Endpoint, window: Window) -> Replaying:
    """Replay a time in the background. Doing so twice sends nothing twice."""
    if endpoint.state == "disabled":
        raise EndpointDisabled
    since, until = window.since or endpoint.disabled_at, window.until or ctx.now
    if since is None:
        raise ValidationError.of([Fault("since", "missing", "This field is required.")])
    ctx.enqueue(Replay(endpoint_id=endpoint.id, since=since, until=until))
    return Replaying(since=since, until=until)


async def go_on(ctx: Ctx, job: Replay) -> None:
    """One page of the log; the next is another job, so that no transaction grows long."""
    endpoint = await ctx.db.first(_ONE, endpoint_id=job.endpoint_id)
    if endpoint is None or endpoint.state == "disabled" or ctx.org is None:
        return
    types = chosen(ctx.app, endpoint.filters)
    rows = await ctx.db.raw(_EVENTS, job.since, job.until, job.after, types, _PAGE)
    if not rows:
        return
    facts = [fact(cast(LoggedEvent, row), ctx.app.event_types) for row in rows]
    await ctx.db.raw(
        _ADD,
        endpoint.id,
        [uuid7() for _ in facts],
        [each.id for each in facts],
        [each.type for each in facts],
        [payloads.body(each.id, type(each.data), each.time, ctx.org, each.data) for each in facts],
        ctx.now,
    )
    await wake(ctx, endpoint.id)
    if len(rows) == _PAGE:
        last = facts[-1]
        ctx.enqueue(job.model_copy(update={"since": last.time, "after": last.id}))
