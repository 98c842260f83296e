"""Text messages: sent by a job through the slot's filler, or kept where a developer can read them."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import ServiceUnavailable
from nexuscore.kernel.jobs import Job, outcall
from nexuscore.modules.identity.slots import SmsSender
from nexuscore.modules.identity.way_tables import TextMessage

_PURPOSE = "identity.text"
_KEEP = insert(TextMessage)
_FORGET = delete(TextMessage).where(TextMessage.created_at < bindparam("before"))
_ALL = select(TextMessage).order_by(TextMessage.id)


class SendText(Job, name="identity.send_text", retries=3):
    """A text on its way. It is sealed, for it may hold a code."""

    sealed: str


class NoSender(ServiceUnavailable):
    """Nobody sends text messages here."""

    code = "text_messages_unavailable"
    message = "We cannot send text messages at the moment."


def require_sender(app: App) -> None:
    """Stop here in production when no module fills the slot: a code that is kept here helps nobody there."""
    if app.kernel.env == "production" and _sender(app) is None:
        raise NoSender


async def send(ctx: Ctx, phone: str, text: str) -> None:
    """Send `text` to a number in E.164 form, once this transaction commits."""
    ctx.enqueue(SendText(sealed=ctx.app.keyring.seal(_PURPOSE, f"{phone}\n{text}")))


def _sender(app: App) -> SmsSender | None:
    fillers = app.fillers(SmsSender)  # type: ignore[type-abstract]  # asked for, not made
    return fillers[0] if fillers else None


@outcall(SendText)
async def send_text(ctx: Ctx, job: SendText) -> tuple[str, str] | None:
    """Read the message; without a sender it stays here."""
    if _sender(ctx.app) is None:
        await ctx.db.execute(_KEEP, sealed=job.sealed, created_at=ctx.now)
        return None
    phone, _, text = ctx.app.keyring.open_sealed(_PURPOSE, job.sealed).decode().partition("\n")
    return phone, text


@send_text.call
async def _hand_over(app: App, message: tuple[str, str]) -> bool:
    sender = _sender(app)
    if sender is None:
        raise NoSender
    await sender.send(app, *message)
    return True


@send_text.record
async def _sent(ctx: Ctx, message: tuple[str, str], done: bool) -> None:
    """Nothing to write down: the job's completion says it."""


async def sweep(ctx: Ctx) -> None:
    """Remove what was kept a day ago."""
    await ctx.db.execute(_FORGET, before=ctx.now - timedelta(days=1))


async def kept(ctx: Ctx) -> list[tuple[UUID, str, str]]:
    """The messages of the local sender, oldest first: id, number, text."""
    found = []
    for row in await ctx.db.all(_ALL):
        phone, _, text = ctx.app.keyring.open_sealed(_PURPOSE, row.sealed).decode().partition("\n")
        found.append((row.id, phone, text))
    return found
