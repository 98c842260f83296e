"""What comes in over HTTP, and what platform administrators see of it."""

from typing import Annotated

from fastapi import Query

from nexuscore.kernel import clock
from nexuscore.kernel.ctx import Ctx, RowCtx
from nexuscore.kernel.db import Json
from nexuscore.kernel.http import Can, Exchange, Page, PageQuery, Public, Routes
from nexuscore.kernel.log import get_logger
from nexuscore.modules.inbox import refusals, service
from nexuscore.modules.inbox.errors import BadSignature, NoSecret, Unreadable
from nexuscore.modules.inbox.permissions import MANAGE, READ
from nexuscore.modules.inbox.providers import described, provider as find_provider, secrets
from nexuscore.modules.inbox.schemas import Failure, MessageOut, MessageWithPayload, ProviderOut, Receipt
from nexuscore.modules.inbox.settings import InboxSettings
from nexuscore.modules.inbox.tables import Message

hooks = Routes(
    "/hooks", tag="Webhooks in", outside_api=True, unlimited="a provider tells what happened, however much; it signs it"
)
routes = Routes("/inbox", tag="Webhooks in")
_log = get_logger(__name__)

CanRead = Annotated[Ctx, Can(READ)]
CanReadMessage = Annotated[RowCtx[Message], Can(READ, row=service.get)]
CanManageMessage = Annotated[RowCtx[Message], Can(MANAGE, row=service.get)]
Signed = Annotated[Exchange, Public("The provider signs what it sends.")]


@hooks.post("/{provider}", answer=Receipt, errors=[BadSignature, Unreadable, NoSecret])
async def receive(exchange: Signed, provider: str) -> Receipt:
    """Take in what a provider says: check the signature, store it once, answer. The work is done later."""
    app = exchange.app
    found = find_provider(app, provider)
    known = secrets(app, found)
    if not known:
        await _note(exchange, provider, "no_secret")
        raise NoSecret(retry_after=300)
    exchange.limit = app.settings[InboxSettings].max_body_bytes
    body = await exchange.body()
    try:
        events = found.verify(exchange.headers, body, known, clock.now())
    except BadSignature:
        _log.warning("inbox_bad_signature", provider=provider, client=exchange.ip, request_id=exchange.request_id)
        await refusals.note(exchange, provider, "bad_signature")
        raise
    except Unreadable:
        await _note(exchange, provider, "unreadable")
        raise
    async with app.context(request_id=exchange.request_id) as ctx:
        new = await service.store(ctx, provider, events)
    return Receipt(duplicate=new == 0)


async def _note(exchange: Exchange, provider: str, reason: str) -> None:
    """Log that something was refused which its sender may have meant well; and as a fact."""
    _log.error("inbox_refused", provider=provider, reason=reason, request_id=exchange.request_id)
    await refusals.note(exchange, provider, reason)


@routes.get("/providers", answer=list[ProviderOut])
async def list_providers(ctx: CanRead) -> list[ProviderOut]:
    """Everybody we can hear, and whether their secret is set."""
    return [ProviderOut(name=each.name, url=each.url, configured=each.configured) for each in described(ctx.app)]


@routes.get("/messages", answer=Page[MessageOut], listing=service.MESSAGES)
async def list_messages(ctx: CanRead, query: Annotated[PageQuery, Query()]) -> Json:
    """The events that came in, newest first."""
    return await service.page(ctx, query)


@routes.get("/pending", answer=list[MessageOut])
async def list_pending(ctx: CanRead, provider: str | None = None) -> list[MessageOut]:
    """A hundred events that wait to be processed, oldest first."""
    return [MessageOut.model_validate(each) for each in await service.pending(ctx, provider)]


@routes.get("/messages/{message_id}", answer=MessageWithPayload)
async def read_message(ctx: CanReadMessage) -> MessageWithPayload:
    """One event with what it says, less secrets and personal data."""
    shown = {name: getattr(ctx.row, name) for name in MessageOut.model_fields}
    return MessageWithPayload(**shown, payload=service.payload(ctx.row))


@routes.post("/messages/{message_id}/replay", answer=MessageOut)
async def replay_message(ctx: CanManageMessage) -> Message:
    """Process an event again, whatever became of it."""
    return await service.replay(ctx, ctx.row)


@routes.post("/messages/{message_id}/mark-processed", answer=MessageOut)
async def mark_message_processed(ctx: CanManageMessage) -> Message:
    """Declare an event done with."""
    return await service.declare(ctx, ctx.row, None)


@routes.post("/messages/{message_id}/mark-failed", answer=MessageOut)
async def mark_message_failed(ctx: CanManageMessage, failure: Failure) -> Message:
    """Declare an event failed; it is not tried again."""
    return await service.declare(ctx, ctx.row, failure.error)
