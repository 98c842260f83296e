"""What can be done with deliveries, and how they come about."""

from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import bindparam, case, func, null, select, update

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.events import Event, Fact
from nexuscore.kernel.filters import equals, since, until
from nexuscore.kernel.ids import uuid7
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.tables import columns
from nexuscore.modules.webhooks import payloads
from nexuscore.modules.webhooks.errors import AlreadyDelivered, EndpointDisabled, NotWaiting
from nexuscore.modules.webhooks.filters import patterns_of, public_types
from nexuscore.modules.webhooks.schemas import AttemptOut, DeliveryOut, State, Stats
from nexuscore.modules.webhooks.tables import Attempt, Delivery, Endpoint
from nexuscore.modules.webhooks.waking import LOCK_KEY, queue, wake

_next_try = case((Delivery.claimed_by.is_(None), Delivery.next_try_at), else_=null()).label("next_try_at")
_shown = [_next_try if name == "next_try_at" else getattr(Delivery, name) for name in DeliveryOut.model_fields]
DELIVERIES = Listing(
    select(*_shown),
    by=Delivery.id,
    filters={
        "endpoint_id": equals(Delivery.endpoint_id),
        "state": equals(Delivery.state, State),
        "type": equals(Delivery.event_type),
        "since": since(Delivery.created_at),
        "until": until(Delivery.created_at),
    },
)
_ONE = select(*_shown, Delivery.body, Delivery.claimed_by).where(Delivery.id == bindparam("delivery_id"))
_ATTEMPTS = (
    select(*columns(Attempt, AttemptOut.model_fields))
    .where(Attempt.delivery_id == bindparam("delivery"))
    .order_by(Attempt.number)
)
_begin = update(Delivery).values(
    state="pending", step=0, next_try_at=bindparam("moment"), claimed_by=None, delivered_at=None
)
_RETRY = _begin.where(Delivery.id == bindparam("delivery_id"), Delivery.claimed_by.is_(None))
_RECOVER = _begin.where(
    Delivery.endpoint_id == bindparam("endpoint"),
    Delivery.state == "failed",
    Delivery.created_at >= bindparam("since"),
)
_cancel = update(Delivery).values(state="cancelled", next_try_at=None, claimed_by=None)
_CANCEL = _cancel.where(Delivery.id == bindparam("delivery_id"), Delivery.state == "pending").returning(Delivery.id)
_CANCEL_ALL = _cancel.where(Delivery.endpoint_id == bindparam("endpoint"), Delivery.state == "pending")
_STATS = select(
    *(
        func.count().filter(Delivery.state == state).label(state)
        for state in ("pending", "delivered", "failed", "cancelled")
    ),
    func.max(Delivery.delivered_at).label("last_delivered_at"),
).where(Delivery.endpoint_id == bindparam("endpoint"))

_LISTENING = (
    f"SELECT id, pg_advisory_xact_lock_shared({LOCK_KEY.format(id='id')}) FROM webhook_endpoints"
    " WHERE state = 'enabled' AND NOT is_deleted AND filters && $1::text[]"
)
_ADD = (
    "INSERT INTO webhook_deliveries"
    " (id, endpoint_id, event_id, event_type, body, is_test, next_try_at, created_at)"
    " SELECT id, endpoint_id, event_id, $4, body, $6, $7, $7"
    " FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $5::text[]) AS new(id, endpoint_id, event_id, body)"
    " ON CONFLICT (endpoint_id, event_id) DO NOTHING"
)


async def fan_out(ctx: Ctx, fact: Fact[Event]) -> None:
    """Make a delivery for every endpoint that wants the event, and have each served."""
    kind = public_types(ctx.app).get(fact.type)
    if kind is None or fact.org is None:
        return
    listening = [row.id for row in await ctx.db.raw(_LISTENING, list(patterns_of(fact.type)))]
    if not listening:
        return
    body = payloads.body(fact.id, kind, fact.time, fact.org, fact.data)
    count = len(listening)
    ids = [uuid7() for _ in listening]
    await ctx.db.raw(_ADD, ids, listening, [fact.id] * count, fact.type, [body] * count, False, ctx.now)
    for endpoint_id in listening:
        queue(ctx, endpoint_id)


async def send_test(ctx: Ctx, endpoint: Endpoint, type: str) -> Delivery:
    """Send an endpoint a made-up event of that type, also when it is disabled."""
    kind = payloads.kind_of(ctx.app, type)
    if ctx.org is None:
        raise NotFoundError
    id, event_id = uuid7(), uuid7()
    body = payloads.body(event_id, kind, ctx.now, ctx.org, payloads.made_up(kind), test=True)
    await ctx.db.raw(_ADD, [id], [endpoint.id], [event_id], type, [body], True, ctx.now)
    await wake(ctx, endpoint.id)
    return await get(ctx, id)


async def page(ctx: Ctx, query: PageQuery) -> Json:
    """The organisation's deliveries, newest first."""
    return await ctx.db.page(DELIVERIES, query)


async def get(ctx: Ctx, delivery_id: UUID) -> Delivery:
    """One delivery."""
    return cast(Delivery, await ctx.db.one(_ONE, delivery_id=delivery_id))


async def attempts(ctx: Ctx, delivery: Delivery) -> Json:
    """Every try of a delivery, the first first."""
    return await ctx.db.json(_ATTEMPTS, delivery=delivery.id)


async def retry(ctx: Ctx, delivery: Delivery, endpoint: Endpoint) -> Delivery:
    """Try again now, with all tries of the schedule to come. One that is under way is left alone."""
    if delivery.state == "delivered":
        raise AlreadyDelivered
    if endpoint.state == "disabled" and not delivery.is_test:
        raise EndpointDisabled
    await ctx.db.execute(_RETRY, delivery_id=delivery.id, moment=ctx.now)
    await wake(ctx, endpoint.id)
    return await get(ctx, delivery.id)


async def recover(ctx: Ctx, endpoint: Endpoint, since: datetime) -> int:
    """Begin all failed deliveries since then anew; how many they were."""
    if endpoint.state == "disabled":
        raise EndpointDisabled
    count = await ctx.db.execute(_RECOVER, endpoint=endpoint.id, since=since, moment=ctx.now)
    await wake(ctx, endpoint.id)
    return count


async def cancel(ctx: Ctx, delivery: Delivery) -> Delivery:
    """Do not try again. What is under way may still arrive."""
    if await ctx.db.first(_CANCEL, delivery_id=delivery.id) is None:
        raise NotWaiting
    return await get(ctx, delivery.id)


async def cancel_all(ctx: Ctx, endpoint_id: UUID) -> None:
    """Cancel all that waits for an endpoint."""
    await ctx.db.execute(_CANCEL_ALL, endpoint=endpoint_id)


async def stats(ctx: Ctx, endpoint: Endpoint) -> Stats:
    """How an endpoint fares."""
    row = await ctx.db.one(_STATS, endpoint=endpoint.id)
    ended = row.delivered + row.failed
    return Stats(**dict(row), success_rate=round(row.delivered / ended, 4) if ended else None)
