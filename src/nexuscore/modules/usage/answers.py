"""What is shown: where the organisation stands, and where somebody in it does."""

from datetime import date, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import bindparam, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.filters import equals, since, until
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.tables import columns
from nexuscore.modules.usage import accounts, bills, caps
from nexuscore.modules.usage.schemas import EntryOut
from nexuscore.modules.usage.settings import UsageSettings
from nexuscore.modules.usage.tables import WHOLE, UsageEntry, UsageReservation, UsageTotal

Kind = Literal["spend", "grant", "purchase", "taken_back"]
_SHOWN = select(*columns(UsageEntry, EntryOut.model_fields))
ENTRIES = Listing(
    _SHOWN,
    by=UsageEntry.number,
    filters={
        "user_id": equals(UsageEntry.user_id),
        "kind": equals(UsageEntry.kind, Kind),
        "since": since(UsageEntry.at),
        "until": until(UsageEntry.at),
    },
)
_DAYS = (
    select(UsageTotal.starts, UsageTotal.spent_micro)
    .where(UsageTotal.user_id == WHOLE, UsageTotal.period == "day", UsageTotal.starts >= bindparam("first"))
    .order_by(UsageTotal.starts)
)
_OPEN = (
    select(UsageReservation)
    .where(UsageReservation.state == "open", UsageReservation.expires_at > bindparam("now"))
    .order_by(UsageReservation.created_at)
    .limit(100)
)


async def standing(ctx: Ctx) -> dict[str, Any]:
    """The organisation's credits, terms, and what is spent and left this day and month."""
    account, settings = await accounts.terms(ctx), ctx.app.settings[UsageSettings]
    balance = await accounts.balance(ctx)
    return {
        "currency": balance.currency,
        "credits_micro": balance.credits_micro,
        "held_micro": balance.held_micro,
        "free_micro": balance.free_micro,
        "is_postpaid": account is not None and account.is_postpaid,
        "warn_below_micro": settings.warn_below_micro if account is None else account.warn_below_micro,
        "billable_micro": sum(line.cost_micro for line in await bills.billable(ctx, ctx.now)),
        "rooms": await _rooms(ctx, None),
    }


async def own(ctx: Ctx) -> dict[str, Any]:
    """What is left for whoever acts."""
    person = ctx.actor.id if ctx.actor.kind == "user" else None
    return {"currency": ctx.app.settings[UsageSettings].currency, "rooms": await _rooms(ctx, person)}


async def entries(ctx: Ctx, query: PageQuery) -> Json:
    """The ledger, the latest first."""
    return await ctx.db.page(ENTRIES, query)


async def by_day(ctx: Ctx, days: int = 30) -> list[tuple[date, int]]:
    """What was spent on each of the last days (UTC), oldest first."""
    first = ctx.now.date() - timedelta(days=days - 1)
    spent = {row.starts: int(row.spent_micro) for row in await ctx.db.all(_DAYS, first=first)}
    return [(day, spent.get(day, 0)) for day in (first + timedelta(days=number) for number in range(days))]


async def under_way(ctx: Ctx) -> list[UsageReservation]:
    """What is held for something that is not settled yet, the oldest first."""
    return await ctx.db.all(_OPEN, now=ctx.now)


async def _rooms(ctx: Ctx, person: UUID | None) -> list[dict[str, Any]]:
    return [
        {
            name: getattr(room, name)
            for name in (
                *("user_id", "period", "starts", "ends_at", "cap_micro"),
                *("spent_micro", "reserved_micro", "left_micro"),
            )
        }
        for room in await caps.rooms(ctx, person, ctx.now.date())
    ]
