"""What is shown: where the organisation stands, and where somebody in it does."""

from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.tables import columns
from nexuscore.modules.usage import accounts, bills, caps
from nexuscore.modules.usage.schemas import EntryOut
from nexuscore.modules.usage.settings import UsageSettings
from nexuscore.modules.usage.tables import UsageEntry

_SHOWN = select(*columns(UsageEntry, EntryOut.model_fields))
_ALL = Listing(_SHOWN, by=UsageEntry.number)
_OF_PERSON = Listing(_SHOWN.where(UsageEntry.user_id == bindparam("person")), by=UsageEntry.number)


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


async def entries(ctx: Ctx, query: PageQuery, user_id: UUID | None) -> Json:
    """The ledger, the latest first; of one person, if one is named."""
    if user_id is None:
        return await ctx.db.page(_ALL, query)
    return await ctx.db.page(_OF_PERSON, query, person=user_id)


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
