"""What can be done with events of outside providers."""

from collections.abc import Sequence
from datetime import timedelta
from random import uniform
from typing import Any
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import bindparam, func, select, update

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.filters import equals, since, until
from nexuscore.kernel.ids import uuid7
from nexuscore.kernel.jobs import Job
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.redaction import mask, redact
from nexuscore.kernel.tables import columns
from nexuscore.modules.inbox.events import InboundFailed, InboundMarked, InboundReplayed
from nexuscore.modules.inbox.schemas import MessageOut, State
from nexuscore.modules.inbox.slots import Received
from nexuscore.modules.inbox.tables import Message

MOST_TRIES = 5
_OVERDUE_AFTER = timedelta(minutes=15)
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=60), timedelta(seconds=600)

MESSAGES = Listing(
    select(*columns(Message, MessageOut.model_fields)),
    by=Message.id,
    filters={
        "state": equals(Message.state, State),
        "provider": equals(Message.provider),
        "type": equals(Message.type),
        "since": since(Message.received_at),
        "until": until(Message.received_at),
    },
)
_waiting = select(Message).where(Message.state == "pending").order_by(Message.received_at, Message.id)
_PENDING = _waiting.limit(bindparam("most"))
_PENDING_OF = _waiting.where(Message.provider == bindparam("of_provider")).limit(bindparam("most"))
_ONE = select(Message).where(Message.id == bindparam("message_id"))
_LOCKED = _ONE.with_for_update()
_CHANGE = update(Message).where(Message.id == bindparam("message_id")).returning(Message)
_OVERDUE = (
    select(Message.id)
    .where(
        Message.state == "pending",
        func.coalesce(Message.next_try_at, Message.received_at) < bindparam("before"),
    )
    .limit(1000)
)
_STORE = """
WITH given AS (
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[]) AS g(id, event_id, type, raw)
), fresh AS (
  INSERT INTO inbox_ids (provider, event_id, seen_at) SELECT $5, event_id, $6 FROM given
  ON CONFLICT DO NOTHING RETURNING event_id
)
INSERT INTO inbox_messages (id, provider, event_id, type, raw, received_at)
SELECT id, $5, event_id, type, raw, $6 FROM given JOIN fresh USING (event_id) RETURNING id
"""


class Process(Job, name="inbox.process"):
    """Give an event to its handlers."""

    message_id: UUID


async def store(ctx: Ctx, provider: str, events: Sequence[Received]) -> int:
    """Keep the events that are new, each with a job; how many there were."""
    new = {event.event_id: event for event in events}.values()
    rows = await ctx.db.raw(
        _STORE,
        [uuid7() for _ in new],
        [event.event_id for event in new],
        [event.type for event in new],
        [event.raw for event in new],
        provider,
        ctx.now,
    )
    for row in rows:
        _queue(ctx, row.id)
    return len(rows)


async def page(ctx: Ctx, query: PageQuery) -> Json:
    """The events, newest first."""
    return await ctx.db.page(MESSAGES, query)


async def get(ctx: Ctx, message_id: UUID) -> Message:
    """One event."""
    return await ctx.db.one(_ONE, message_id=message_id)


async def pending(ctx: Ctx, provider: str | None = None, limit: int = 100) -> list[Message]:
    """The events that wait to be processed, oldest first."""
    if provider is None:
        return await ctx.db.all(_PENDING, most=limit)
    return await ctx.db.all(_PENDING_OF, of_provider=provider, most=limit)


def payload(message: Message) -> Any:
    """What an event says, less secrets and personal data; None when it is not JSON."""
    try:
        return redact(from_json(message.raw))
    except ValueError:
        return None


async def begin(ctx: Ctx, message_id: UUID) -> Message | None:
    """Count a try; None when there is nothing to do any more."""
    message = await ctx.db.first(_LOCKED, message_id=message_id)
    if message is None or message.state != "pending":
        return None
    if message.tries >= MOST_TRIES:  # the worker died in the last one
        await mark_failed(ctx, message_id, message.error or "the worker was killed")
        return None
    return await ctx.db.one(_CHANGE, message_id=message_id, tries=message.tries + 1, next_try_at=None)


async def is_open(ctx: Ctx, message_id: UUID) -> bool:
    """Whether the event still waits; it cannot be processed elsewhere until this transaction ends."""
    message = await ctx.db.first(_LOCKED, message_id=message_id)
    return message is not None and message.state == "pending"


async def mark_processed(ctx: Ctx, message_id: UUID, handlers: Sequence[str] = ()) -> Message:
    """The event is done with."""
    return await ctx.db.one(
        _CHANGE,
        message_id=message_id,
        state="processed",
        handlers=list(handlers),
        error=None,
        processed_at=ctx.now,
        next_try_at=None,
    )


async def mark_failed(ctx: Ctx, message_id: UUID, error: str) -> Message:
    """A try of the event failed: it is tried again later, or after the last try waits for a person."""
    message = await ctx.db.one(_LOCKED, message_id=message_id)
    if message.state != "pending":
        return message
    if message.tries >= MOST_TRIES:
        ctx.emit(InboundFailed(message_id=message.id, provider=message.provider, event_type=message.type))
        return await ctx.db.one(_CHANGE, message_id=message_id, state="failed", error=_clean(error), next_try_at=None)
    wait = wait_after(message.tries)
    _queue(ctx, message_id, wait)
    return await ctx.db.one(
        _CHANGE, message_id=message_id, state="pending", error=_clean(error), next_try_at=ctx.now + wait
    )


async def replay(ctx: Ctx, message: Message) -> Message:
    """Process an event again, whatever became of it, with all its tries."""
    again = await ctx.db.one(
        _CHANGE, message_id=message.id, state="pending", tries=0, error=None, processed_at=None, next_try_at=ctx.now
    )
    _queue(ctx, message.id)
    ctx.emit(InboundReplayed(message_id=message.id))
    return again


async def declare(ctx: Ctx, message: Message, error: str | None) -> Message:
    """A person says what became of an event: it is processed, or with `error` it failed."""
    if error is None:
        found = await mark_processed(ctx, message.id)
    else:
        found = await ctx.db.one(_CHANGE, message_id=message.id, state="failed", error=_clean(error), next_try_at=None)
    ctx.emit(InboundMarked(message_id=message.id, state=found.state))
    return found


async def requeue_overdue(ctx: Ctx) -> None:
    """A net below the jobs: what should have been tried long ago is queued again."""
    for row in await ctx.db.all(_OVERDUE, before=ctx.now - _OVERDUE_AFTER):
        ctx.enqueue(Process(message_id=row.id), unique=str(row.id))


def wait_after(tries: int) -> timedelta:
    """How long to wait after so many tries: a minute, doubling, at most ten, each a fifth more or less."""
    wait: timedelta = _FIRST_WAIT * 2 ** max(0, tries - 1) * uniform(0.8, 1.2)  # noqa: S311 - jitter, not a secret
    return min(wait, _LONGEST_WAIT)


def _queue(ctx: Ctx, message_id: UUID, wait: timedelta = timedelta()) -> None:
    ctx.enqueue(Process(message_id=message_id), delay=wait)


def _clean(error: str) -> str:
    """The text of an error as it may be stored: short, without personal data, storable."""
    return mask(error)[:500].replace("\0", "")
