"""Whom the inbox turned away: a fact once a minute for each provider and reason, so that nobody can fill the log."""

from datetime import datetime, timedelta
from time import monotonic

from sqlalchemy import bindparam, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.events import LoggedEvent
from nexuscore.kernel.http import Exchange, Schema
from nexuscore.modules.inbox.events import InboundRefused

_LATELY = (
    select(LoggedEvent.time, LoggedEvent.data, LoggedEvent.request_id)
    .where(LoggedEvent.type == InboundRefused.type, LoggedEvent.time >= bindparam("since"))
    .order_by(LoggedEvent.time.desc(), LoggedEvent.id.desc())
    .limit(10)
)
_noted: dict[tuple[int, str, str], float] = {}


class Refusal(Schema):
    """An event that was turned away: whose it said it was, and why."""

    time: datetime
    provider: str
    reason: str
    request_id: str


async def note(exchange: Exchange, provider: str, reason: str) -> None:
    """Remember that something was refused."""
    key = (id(exchange.app), provider, reason)
    if monotonic() - _noted.get(key, -60.0) < 60:
        return
    _noted[key] = monotonic()
    async with exchange.app.context(request_id=exchange.request_id) as ctx:
        ctx.emit(InboundRefused(provider=provider, reason=reason))


async def lately(ctx: Ctx) -> list[Refusal]:
    """The last ten of thirty days."""
    async with ctx.across_orgs("facts of the platform about its inbox") as everywhere:
        rows = await everywhere.db.all(_LATELY, since=ctx.now - timedelta(days=30))
    return [
        Refusal(time=row.time, provider=row.data["provider"], reason=row.data["reason"], request_id=row.request_id)
        for row in rows
    ]
