"""The audit trail in the console: what happened, by whom, and one fact in full."""

from typing import Annotated

from nexuscore.kernel.http import Nav, Pages, Query, View
from nexuscore.modules.audit import search
from nexuscore.modules.audit.routes import CanRead, CanReadAll, CanReadEvent
from nexuscore.modules.audit.schemas import EventQuery, EverywhereQuery

pages = Pages("/audit", tag="Audit")


@pages.get(title="Audit trail", nav=Nav("People", icon="clock", order=90))
async def audit_page(ctx: CanRead, query: Annotated[EventQuery, Query()], live: bool = False) -> View:
    """The organisation's facts, newest first; live, looked at again every other second."""
    return View("audit.html", facts=await search.page(ctx, query), live=live, whole=False)


@pages.get("/everywhere", title="Whole log", nav=Nav("Platform", icon="clock", order=90))
async def audit_everywhere_page(ctx: CanReadAll, query: Annotated[EverywhereQuery, Query()]) -> View:
    """Facts of all organisations and of the platform. That somebody looked is a fact itself."""
    return View("audit.html", facts=await search.page_everywhere(ctx, query), live=False, whole=True)


@pages.get("/{event_id}", title="Fact")
async def fact_page(ctx: CanReadEvent) -> View:
    """One fact in full, and what else happened to the same thing."""
    fact = ctx.row
    asked = EventQuery(subject=fact.subject, limit=20) if fact.subject else None
    history = await search.page(ctx, asked) if asked is not None else None
    return View("fact.html", title=fact.type, fact=fact, history=history)
