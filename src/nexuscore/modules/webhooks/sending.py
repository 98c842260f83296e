"""Sending: claim what is due, call, and write down what came of it. The heart of the module."""

import asyncio
import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import floor
from time import perf_counter
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from pydantic_core import to_json
from sqlalchemy import bindparam, func, select, update

from nexuscore.kernel import clock, metrics
from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.outbound import Answer, Outbound, OutboundError
from nexuscore.kernel.tables import with_deleted
from nexuscore.modules.webhooks import endpoints
from nexuscore.modules.webhooks.schedules import next_wait, retry_after
from nexuscore.modules.webhooks.settings import WebhookSettings
from nexuscore.modules.webhooks.tables import Delivery, Endpoint
from nexuscore.modules.webhooks.waking import Deliver, settle

KEPT_OF_ANSWER = 4096
_READ_OF_ANSWER = 64 * 1024  # more, so that the connection can be used again
_CLAIM_FOR = timedelta(minutes=3)  # longer than the job may run
_REST = timedelta(seconds=30)
_LONGEST_REST = timedelta(minutes=10)
_SLOW_MS = 3000  # less than a connection nobody answers
_LONGEST_HOLD = timedelta(hours=1)
_ENOUGH_FAILURES = 8  # an endpoint is not given up for fewer, however long ago the first was
_HIDDEN = frozenset({"set-cookie", "authorization", "proxy-authenticate", "www-authenticate"})


@dataclass(frozen=True, slots=True)
class Item:
    """A claimed delivery."""

    id: UUID
    number: int
    step: int
    body: str
    is_test: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """What one job sends: everything that was due for one endpoint, within its bounds."""

    endpoint_id: UUID
    run: UUID
    url: str
    headers: dict[str, str]
    keys: list[bytes] = field(repr=False)
    items: list[Item] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one try. Without `error`, it was delivered."""

    error: str | None
    status: int | None
    duration_ms: int
    answer: str | None = None
    headers: dict[str, str] | None = None
    wish: timedelta | None = None


# --- claim ----------------------------------------------------------------------------------------

_LOCKED = select(Endpoint).where(Endpoint.id == bindparam("endpoint_id")).with_for_update(key_share=True)
_LOCKED_ANYWAY = with_deleted(_LOCKED)
_CHANGE = with_deleted(update(Endpoint).where(Endpoint.id == bindparam("endpoint_id")))

_UNDER_WAY = select(func.count()).where(
    Delivery.endpoint_id == bindparam("endpoint_id"),
    Delivery.claimed_by.is_not(None),
    Delivery.state == "pending",
    Delivery.next_try_at > bindparam("now"),
)

_CLAIM = """
WITH mine AS (
  SELECT id FROM webhook_deliveries WHERE endpoint_id = $1 AND claimed_by = $3 AND state = 'pending'
), others AS (
  SELECT count(*) AS number FROM webhook_deliveries
  WHERE endpoint_id = $1 AND claimed_by <> $3 AND state = 'pending' AND next_try_at > $2
), due AS (
  SELECT id FROM webhook_deliveries
  WHERE endpoint_id = $1 AND state = 'pending' AND next_try_at <= $2 AND (is_test OR $4)
  ORDER BY next_try_at, id LIMIT greatest(0, $5 - (SELECT number FROM others)) FOR UPDATE SKIP LOCKED
), claimed AS (
  UPDATE webhook_deliveries d
  SET attempts = attempts + 1, step = step + 1, claimed_by = $3, next_try_at = $6
  WHERE id IN (SELECT id FROM mine UNION SELECT id FROM due)
  RETURNING id, attempts, step, body, is_test
), lost AS (
  UPDATE webhook_attempts a SET state = 'interrupted', error = 'interrupted'
  FROM claimed c WHERE c.attempts > 1 AND a.delivery_id = c.id AND a.number = c.attempts - 1 AND a.state = 'running'
), logged AS (
  INSERT INTO webhook_attempts (delivery_id, number, started_at) SELECT id, attempts, $2 FROM claimed
)
SELECT * FROM claimed
"""


async def claim(ctx: Ctx, job: Deliver) -> Batch | None:
    """Take what is due for the endpoint, as much as it may get at once; None when there is nothing to send."""
    endpoint = await ctx.db.first(_LOCKED, endpoint_id=job.endpoint_id)
    if endpoint is None:
        return None
    app, settings = ctx.app, ctx.app.settings[WebhookSettings]
    bound, held_until = _allowance(endpoint, ctx.now, settings.in_flight)
    rows = await ctx.db.raw(
        _CLAIM, endpoint.id, ctx.now, job.run, endpoint.state == "enabled", bound, ctx.now + _CLAIM_FOR
    )
    if not rows:
        busy = bound > 0 and await ctx.db.value(_UNDER_WAY, endpoint_id=endpoint.id, now=ctx.now) >= bound
        await settle(ctx, endpoint, held_until, busy=busy)
        return None
    if endpoint.rate_per_minute is not None:
        start = max(endpoint.free_at or ctx.now, ctx.now)
        spent = timedelta(minutes=len(rows) / endpoint.rate_per_minute)
        await ctx.db.execute(_CHANGE, endpoint_id=endpoint.id, free_at=start + spent)
    return Batch(
        endpoint_id=endpoint.id,
        run=job.run,
        url=endpoint.url,
        headers=endpoints.headers(app, endpoint),
        keys=[base64.b64decode(each.removeprefix("whsec_")) for each in endpoints.secrets(app, endpoint, ctx.now)],
        items=[Item(row.id, row.attempts, row.step, row.body, row.is_test) for row in rows],
    )


def _allowance(endpoint: Endpoint, now: datetime, in_flight: int) -> tuple[int, datetime | None]:
    """How many calls may be under way, and when there may be more.

    An endpoint at rest gets none, after its rest one to see. A rate is kept by moving `free_at` ahead by each
    delivery's share of a minute; it may run ahead of the clock by one second's worth.
    """
    if endpoint.rest_until is not None and endpoint.rest_until > now:
        return 0, endpoint.rest_until
    bound = 1 if endpoint.rests else in_flight
    rate = endpoint.rate_per_minute
    if rate is None:
        return bound, None
    share = timedelta(minutes=1 / rate)
    burst = max(timedelta(seconds=1), share)
    ahead = max(endpoint.free_at or now, now) - now
    return min(bound, floor((burst - ahead) / share + 1e-6)), now + ahead + share - burst


# --- call -----------------------------------------------------------------------------------------

_clients: "WeakKeyDictionary[App, tuple[asyncio.AbstractEventLoop, Outbound]]" = WeakKeyDictionary()


def client_of(app: App) -> Outbound:
    """The client of this process; connections stay open between jobs."""
    loop = asyncio.get_running_loop()
    found = _clients.get(app)
    if found is None or found[0] is not loop:
        found = _clients[app] = (loop, Outbound(endpoints.policy(app)))
        app.on_stop(found[1].aclose)
    return found[1]


def use_client(app: App, client: Outbound) -> None:
    """Send through another client, as tests do."""
    _clients[app] = (asyncio.get_running_loop(), client)


async def call(app: App, batch: Batch) -> list[Outcome]:
    """Send every delivery of the batch at the same time."""
    client, seconds = client_of(app), app.settings[WebhookSettings].timeout_s
    return await asyncio.gather(*(_send(client, batch, item, seconds) for item in batch.items))


async def _send(client: Outbound, batch: Batch, item: Item, seconds: float) -> Outcome:
    body = item.body.encode()
    headers = [
        ("content-type", "application/json"),
        ("user-agent", "NexusCore-Webhooks/1"),
        *signature(str(item.id), clock.now(), body, batch.keys).items(),
        *batch.headers.items(),
    ]
    started = perf_counter()
    try:
        answer = await client.request(
            "POST",
            batch.url,
            headers=headers,
            body=body,
            seconds=seconds,
            limit=_READ_OF_ANSWER,
            purpose="webhook",
        )
    except OutboundError as error:
        return Outcome(error.code, None, _since(started))
    return _judged(answer, _since(started))


def signature(id: str, now: datetime, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The headers of Standard Webhooks, signed with every live secret."""
    timestamp = str(int(now.timestamp()))
    signed = b"%s.%s.%s" % (id.encode(), timestamp.encode(), body)
    signatures = [f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}" for key in keys]
    return {"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": " ".join(signatures)}


def _judged(answer: Answer, duration_ms: int) -> Outcome:
    error = None
    if not 200 <= answer.status < 300:
        error = "redirected" if 300 <= answer.status < 400 else "error_status"
    return Outcome(
        error,
        answer.status,
        duration_ms,
        answer.body[:KEPT_OF_ANSWER].decode(errors="replace").replace("\0", "\ufffd"),
        {name: "[redacted]" if name in _HIDDEN else value[:500] for name, value in answer.headers[:50]},
        retry_after(answer.header("retry-after"), clock.now()) if error else None,
    )


def _since(started: float) -> int:
    return round((perf_counter() - started) * 1000)


# --- record ---------------------------------------------------------------------------------------

_RECORD = """
WITH given AS (
  SELECT * FROM unnest($1::uuid[], $2::int8[], $3::text[], $4::int8[], $5::int8[], $6::text[], $7::text[], $8::text[],
    $9::timestamptz[]) AS g(id, number, state, status, duration_ms, error, answer, headers, next_try_at)
), logged AS (
  UPDATE webhook_attempts a
  SET state = CASE WHEN g.error IS NULL THEN 'delivered' ELSE 'failed' END, status = g.status,
    duration_ms = g.duration_ms, error = g.error, answer = g.answer, answer_headers = g.headers::jsonb,
    next_try_at = g.next_try_at
  FROM given g WHERE a.delivery_id = g.id AND a.number = g.number
)
UPDATE webhook_deliveries d
SET state = g.state, next_try_at = g.next_try_at, claimed_by = NULL, last_status = g.status, last_error = g.error,
  delivered_at = CASE WHEN g.error IS NULL THEN $11::timestamptz END
FROM given g
WHERE d.id = g.id AND d.attempts = g.number
  AND (d.claimed_by = $10 OR (d.state = 'cancelled' AND g.error IS NULL))
"""


_tries = metrics.counter(
    "nexus_webhook_tries", "Tries of webhook deliveries, by outcome: delivered, or why not.", ["outcome"]
)


async def record(ctx: Ctx, batch: Batch, outcomes: list[Outcome]) -> None:
    """Write down every try, draw the endpoint's conclusions, and leave a successor for what is due next."""
    endpoint = await ctx.db.one(_LOCKED_ANYWAY, endpoint_id=batch.endpoint_id)
    rows = [_row(endpoint, item, outcome, ctx.now) for item, outcome in zip(batch.items, outcomes, strict=True)]
    await ctx.db.raw(_RECORD, *(list(column) for column in zip(*rows, strict=True)), batch.run, ctx.now)
    for outcome in outcomes:
        _tries.labels(outcome.error or "delivered").inc()
    real = [each for item, each in zip(batch.items, outcomes, strict=True) if not item.is_test]
    held_until = None
    if real and endpoint.state == "enabled" and not endpoint.is_deleted:
        endpoint, held_until = await _conclude(ctx, endpoint, real)
    if not endpoint.is_deleted:
        await settle(ctx, endpoint, held_until)


def _row(endpoint: Endpoint, item: Item, outcome: Outcome, now: datetime) -> tuple[Any, ...]:
    state, next_try_at = "delivered", None
    if outcome.error is not None:
        wait = None if outcome.status == 410 else next_wait(endpoint.schedule, item.step, outcome.wish)
        state = "failed" if wait is None else "pending"
        next_try_at = None if wait is None else now + wait
    headers = None if outcome.headers is None else to_json(outcome.headers).decode()
    return (
        item.id,
        item.number,
        state,
        outcome.status,
        outcome.duration_ms,
        outcome.error,
        outcome.answer,
        headers,
        next_try_at,
    )


async def _conclude(ctx: Ctx, endpoint: Endpoint, outcomes: list[Outcome]) -> tuple[Endpoint, datetime | None]:
    """What the tries say of the endpoint: it is well, it needs a rest, or it is given up. And until when to wait."""
    if any(each.status == 410 for each in outcomes):
        return await endpoints.disable(ctx, endpoint, "gone"), None
    if any(each.error is None for each in outcomes):
        if endpoint.failing_since is not None or endpoint.rest_until is not None:
            await ctx.db.execute(_CHANGE, endpoint_id=endpoint.id, **endpoints.HEALTHY)
        return endpoint, None
    since = endpoint.failing_since or ctx.now
    in_row = endpoint.failed_in_row + len(outcomes)
    patience = timedelta(days=ctx.app.settings[WebhookSettings].disable_after_days)
    if ctx.now - since >= patience and in_row >= _ENOUGH_FAILURES:
        return await endpoints.disable(ctx, endpoint, "failing"), None
    rests, rest_until = endpoint.rests, None
    if max(each.duration_ms for each in outcomes) >= _SLOW_MS:
        rest_until = ctx.now + min(_REST * 2**rests, _LONGEST_REST)
        rests = min(rests + 1, 10)
    wishes = [each.wish for each in outcomes if each.wish is not None]
    if wishes:
        rest_until = max(rest_until or ctx.now, ctx.now + min(max(wishes), _LONGEST_HOLD))
    await ctx.db.execute(
        _CHANGE, endpoint_id=endpoint.id, failing_since=since, failed_in_row=in_row, rests=rests, rest_until=rest_until
    )
    return endpoint, rest_until
