"""What happens to an event after it was acknowledged."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import bindparam, delete

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.jobs import every, outcall
from nexuscore.kernel.log import get_logger
from nexuscore.modules.inbox import service
from nexuscore.modules.inbox.service import Process
from nexuscore.modules.inbox.settings import InboxSettings
from nexuscore.modules.inbox.slots import Handler, Received
from nexuscore.modules.inbox.tables import Message, RememberedId

_log = get_logger(__name__)
_OLD = delete(Message).where(
    Message.state == "processed",
    Message.received_at < bindparam("before"),  # there is an index of that
    Message.processed_at < bindparam("before"),
)
_FORGET = delete(RememberedId).where(RememberedId.seen_at < bindparam("before"))


@dataclass(frozen=True, slots=True)
class Begun:
    """An event whose try was counted."""

    id: UUID
    provider: str
    received: Received


@outcall(Process)
async def process(ctx: Ctx, job: Process) -> Begun | None:
    """Count the try before it begins, so that an event that kills its worker is not tried for ever."""
    message = await service.begin(ctx, job.message_id)
    if message is None:
        return None
    return Begun(message.id, message.provider, Received(message.event_id, message.type, message.raw))


@process.call
async def handle(app: App, begun: Begun) -> str | None:
    """Run the handlers and mark the event processed, all in one transaction; what went wrong, if something did."""
    received = begun.received
    handlers = [each for each in app.fillers(Handler) if each.wants(begun.provider, received.type)]
    names = [f"{each.run.__module__}.{each.run.__qualname__}" for each in handlers]
    try:
        async with app.context() as ctx:
            if await service.is_open(ctx, begun.id):
                for handler in handlers:
                    await handler.run(ctx, received)
                await service.mark_processed(ctx, begun.id, names)
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is written down
        _log.warning("inbox_failed", message_id=begun.id, provider=begun.provider, type=received.type, exc_info=error)
        return f"{type(error).__name__}: {error}"
    if not handlers:
        _log.info("inbox_unhandled", message_id=begun.id, provider=begun.provider, type=received.type)
    return None


@process.record
async def write_down(ctx: Ctx, begun: Begun, error: str | None) -> None:
    """A failed try, and when the next one comes."""
    if error is not None:
        await service.mark_failed(ctx, begun.id, error)


@every("*/5 * * * *")
async def requeue_overdue(ctx: Ctx) -> None:
    """An event whose job was dropped by hand, or parked, is not forgotten."""
    await service.requeue_overdue(ctx)


@every("40 3 * * *")
async def prune(ctx: Ctx) -> None:
    """Forget processed events, and much later their ids."""
    settings = ctx.app.settings[InboxSettings]
    await ctx.db.execute(_OLD, before=ctx.now - timedelta(days=settings.keep_days))
    await ctx.db.execute(_FORGET, before=ctx.now - timedelta(days=settings.remember_days))
