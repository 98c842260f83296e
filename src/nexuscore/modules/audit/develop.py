"""Everybody's facts as they happen, for whoever develops. That one looks is no fact here, or it would see itself."""

from typing import Annotated

from nexuscore.kernel.http import Nav, Pages, Query, Schema, View
from nexuscore.modules.audit import search
from nexuscore.modules.audit.routes import CanReadAll
from nexuscore.modules.audit.schemas import EventQuery, EventType

pages = Pages("/develop/events", tag="Audit", development=True)


class TailQuery(Schema):
    """Which facts to follow, and whether the page asks for more by itself."""

    type: EventType | None = None
    still: bool = False


@pages.get(title="Events", nav=Nav("Develop", icon="clock", order=30))
async def events_tail_page(ctx: CanReadAll, query: Annotated[TailQuery, Query()]) -> View:
    """The newest fifty, looked at again every other second."""
    facts = await search.tail(ctx, EventQuery(type=query.type, limit=50))
    return View("events.html", facts=facts, still=query.still)
