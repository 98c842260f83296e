"""The inbox in the console: whom we can hear, what came in, what became of it, and what was turned away."""

from typing import Annotated

from nexuscore.kernel.http import Nav, PageQuery, Pages, Query, View, Went
from nexuscore.modules.inbox import refusals, service
from nexuscore.modules.inbox.providers import described
from nexuscore.modules.inbox.routes import CanManageMessage, CanRead, CanReadMessage
from nexuscore.modules.inbox.schemas import Failure

pages = Pages("/inbox", tag="Webhooks in")


@pages.get(title="Inbox", nav=Nav("Platform", icon="inbox", order=40), listing=service.MESSAGES)
async def inbox_page(ctx: CanRead, query: Annotated[PageQuery, Query()]) -> View:
    """What came in, newest first."""
    sources = described(ctx.app)
    return View("inbox.html", messages=await service.page(ctx, query), sources=sources)


@pages.get("/sources", title="Sources")
async def inbox_sources_page(ctx: CanRead) -> View:
    """Everybody we can hear, and whom we turned away lately."""
    return View("sources.html", sources=described(ctx.app), refused=await refusals.lately(ctx))


@pages.get("/{message_id}", title="Event")
async def inbox_message_page(ctx: CanReadMessage) -> View:
    """One event: what it says, who signed it, and what became of it."""
    return View(
        "message.html",
        title=ctx.row.type,
        message=ctx.row,
        payload=service.payload(ctx.row),
        size=len(ctx.row.raw),
        most=service.MOST_TRIES,
    )


@pages.post("/{message_id}/replay", shows=inbox_message_page)
async def replay_inbox_message_page(ctx: CanManageMessage) -> Went:
    """Process it again."""
    await service.replay(ctx, ctx.row)
    return Went(f"/console/inbox/{ctx.row.id}", say="It is processed again now.")


@pages.post("/{message_id}/processed", shows=inbox_message_page)
async def mark_inbox_message_processed_page(ctx: CanManageMessage) -> Went:
    """Declare it done with."""
    await service.declare(ctx, ctx.row, None)
    return Went(f"/console/inbox/{ctx.row.id}", say="It counts as processed.")


@pages.post("/{message_id}/failed", shows=inbox_message_page)
async def mark_inbox_message_failed_page(ctx: CanManageMessage, failure: Failure) -> Went:
    """Declare it failed."""
    await service.declare(ctx, ctx.row, failure.error)
    return Went(f"/console/inbox/{ctx.row.id}", say="It counts as failed, and is not tried again.", kind="warning")
