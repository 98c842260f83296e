"""Subscriptions as rows: found, held, changed, shown. What may become of them is decided elsewhere."""

from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.orm import aliased

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.tables import columns
from nexuscore.modules import invoices
from nexuscore.modules.plans.errors import PeriodOver, WrongState
from nexuscore.modules.plans.schemas import SubscriptionOut
from nexuscore.modules.plans.tables import SERVED, Plan, Subscription

SOURCE = "subscription"
OWED = ("open", "partly_paid")

_next = aliased(Plan)
_SHOWN = (
    select(
        *columns(Subscription, [name for name in SubscriptionOut.model_fields if hasattr(Subscription, name)]),
        Plan.sku.label("plan"),
        Plan.name.label("plan_name"),
        _next.sku.label("next_plan"),
        or_(*(Subscription.state == state for state in SERVED)).label("is_active"),
    )
    .join(Plan, Plan.id == Subscription.plan_id)
    .outerjoin(_next, _next.id == Subscription.next_plan_id)
)
_ALL = Listing(_SHOWN, by=Subscription.id)
_SHOWN_ONE = _SHOWN.where(Subscription.id == bindparam("subscription"))
_ONE = select(Subscription).where(Subscription.id == bindparam("subscription_id"))
_LOCK = _ONE.with_for_update()
_LIVE = select(Subscription).where(Subscription.state != "canceled")
_EARLIER = select(Subscription.id).where(Subscription.trial_end.is_not(None)).limit(1)
_CHANGE = (
    update(Subscription)
    .where(Subscription.id == bindparam("subscription"))
    .values(version=Subscription.version + 1)
    .returning(Subscription)
)


async def get(ctx: Ctx, subscription_id: UUID) -> Subscription:
    """One subscription."""
    return await ctx.db.one(_ONE, subscription_id=subscription_id)


async def lock(ctx: Ctx, subscription_id: UUID) -> Subscription:
    """One subscription, held until the transaction ends."""
    return await ctx.db.one(_LOCK, subscription_id=subscription_id)


async def live(ctx: Ctx) -> Subscription | None:
    """The organisation's subscription; None when it has none that is not over."""
    return await ctx.db.first(_LIVE)


async def had_trial(ctx: Ctx) -> bool:
    """Whether the organisation has used its trial up."""
    return await ctx.db.first(_EARLIER) is not None


async def alter(ctx: Ctx, subscription: Subscription, **columns: Any) -> Subscription:
    """Write columns down. Every change is a new version, so that a preview made before it no longer holds."""
    return await ctx.db.one(_CHANGE, subscription=subscription.id, **columns)


async def page(ctx: Ctx, query: PageQuery) -> Json:
    """The organisation's subscriptions, the latest first."""
    return await ctx.db.page(_ALL, query)


async def shown(ctx: Ctx, subscription: Subscription) -> Any:
    """A subscription as it is answered."""
    return await ctx.db.one(_SHOWN_ONE, subscription=subscription.id)


async def owed(ctx: Ctx, subscription: Subscription) -> list[invoices.Invoice]:
    """Its invoices that are still to be paid, oldest first."""
    return [each for each in await invoices.of_source(ctx, SOURCE, subscription.id) if each.state in OWED]


def require_state(subscription: Subscription, *states: str) -> None:
    """Stop here unless it is in one of these states."""
    if subscription.state not in states:
        raise WrongState(details={"state": subscription.state, "needed": list(states)}, state=subscription.state)


def require_current(ctx: Ctx, subscription: Subscription) -> None:
    """Stop here when its period is over and the renewal has not run yet."""
    if subscription.current_period_end <= ctx.now:
        raise PeriodOver
