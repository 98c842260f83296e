"""Plans and subscriptions over HTTP: parse, call one verb, return."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from nexuscore.kernel.ctx import Ctx, RowCtx
from nexuscore.kernel.db import Json
from nexuscore.kernel.http import Can, Page, PageQuery, Public, Routes
from nexuscore.modules.plans import catalogue, changes, entitlements, store, subscriptions
from nexuscore.modules.plans.errors import (
    AlreadySubscribed,
    BadPlan,
    NotCancelling,
    NothingToChange,
    OtherCurrency,
    PayFirst,
    PeriodOver,
    PreviewOutdated,
    SkuTaken,
    TrialExpired,
    WrongState,
)
from nexuscore.modules.plans.permissions import CATALOGUE, MANAGE, READ
from nexuscore.modules.plans.schemas import (
    Cancelling,
    Entitlements,
    NewPlan,
    NewSubscription,
    PlanChange,
    PlanOut,
    PreviewOut,
    Purchase,
    SubscriptionOut,
    Wanted,
)
from nexuscore.modules.plans.tables import Plan, Subscription

plans = Routes("/plans", tag="Plans")
routes = Routes("/subscriptions", tag="Subscriptions")

Anybody = Annotated[Ctx, Public("prices are shown to people who have not signed up yet")]
CanManagePlans = Annotated[Ctx, Can(CATALOGUE)]
CanManagePlan = Annotated[RowCtx[Plan], Can(CATALOGUE, row=catalogue.get)]
CanRead = Annotated[Ctx, Can(READ)]
CanManage = Annotated[Ctx, Can(MANAGE)]
CanReadOne = Annotated[RowCtx[Subscription], Can(READ, row=store.get)]
CanManageOne = Annotated[RowCtx[Subscription], Can(MANAGE, row=store.get)]


@plans.get("", answer=list[PlanOut])
async def list_plans(ctx: Anybody) -> Any:
    """What can be subscribed to, with its prices before GST."""
    return await catalogue.every(ctx)


@plans.get("/all", answer=list[PlanOut])
async def list_every_plan(ctx: CanManagePlans) -> Any:
    """Every plan there is, those that are hidden or can no longer be chosen too."""
    return await catalogue.every(ctx, hidden=True)


@plans.get("/{plan_id}", answer=PlanOut)
async def read_plan(ctx: Anybody, plan_id: UUID) -> Any:
    """One plan that can be subscribed to."""
    return await catalogue.shown_one(ctx, plan_id)


@plans.post("", answer=PlanOut, status=201, needs_key=True, errors=(SkuTaken,))
async def create_plan(ctx: CanManagePlans, new: NewPlan) -> Any:
    """Add a plan to the catalogue."""
    return await catalogue.create(ctx, new)


@plans.patch("/{plan_id}", answer=PlanOut, needs_key=True)
async def change_plan(ctx: CanManagePlan, change: PlanChange) -> Any:
    """Change a plan's words, limits and features, or whether it can be chosen. Its price stays."""
    return await catalogue.change(ctx, ctx.row, change)


@routes.get("", answer=Page[SubscriptionOut])
async def list_subscriptions(ctx: CanRead, query: Annotated[PageQuery, Query()]) -> Json:
    """The organisation's subscriptions, those that are over too."""
    return await store.page(ctx, query)


@routes.get("/entitlements", answer=Entitlements)
async def read_entitlements(ctx: CanRead) -> Any:
    """What the organisation may use at this moment, and why."""
    held = await entitlements.entitlement(ctx)
    return {
        "by": held.by,
        "plan": held.plan,
        "until": held.until,
        "limits": held.limits,
        "features": sorted(held.features),
    }


@routes.post("", answer=SubscriptionOut, status=201, needs_key=True, errors=(BadPlan, TrialExpired, AlreadySubscribed))
async def subscribe(ctx: CanManage, new: NewSubscription) -> Any:
    """Subscribe the organisation: on trial while it has one, otherwise from its first payment on."""
    return await store.shown(ctx, await subscriptions.start(ctx, new))


@routes.get("/{subscription_id}", answer=SubscriptionOut)
async def read_subscription(ctx: CanReadOne) -> Any:
    """One subscription."""
    return await store.shown(ctx, ctx.row)


@routes.post(
    "/{subscription_id}/previews",
    answer=PreviewOut,
    status=201,
    errors=(BadPlan, NothingToChange, OtherCurrency, PayFirst, PeriodOver, WrongState),
)
async def preview_change(ctx: CanManageOne, wanted: Wanted) -> Any:
    """What another plan would come to, before it is bought. Naming the present plan takes a scheduled change back."""
    return await changes.preview(ctx, ctx.row.id, wanted.plan)


@routes.post(
    "/{subscription_id}/change",
    answer=SubscriptionOut,
    needs_key=True,
    errors=(PreviewOutdated, PayFirst, PeriodOver, WrongState),
)
async def change_subscription(ctx: CanManageOne, purchase: Purchase) -> Any:
    """Change the plan, exactly as a preview showed."""
    return await store.shown(ctx, await changes.buy(ctx, ctx.row.id, purchase.preview_id))


@routes.post("/{subscription_id}/cancel", answer=SubscriptionOut, needs_key=True, errors=(PeriodOver, WrongState))
async def cancel_subscription(ctx: CanManageOne, cancelling: Cancelling) -> Any:
    """End it with its period, or at once."""
    return await store.shown(ctx, await subscriptions.cancel(ctx, ctx.row.id, at_period_end=cancelling.at_period_end))


@routes.post(
    "/{subscription_id}/reactivate",
    answer=SubscriptionOut,
    needs_key=True,
    errors=(NotCancelling, PeriodOver, WrongState),
)
async def reactivate_subscription(ctx: CanManageOne) -> Any:
    """Take a cancellation back, while the period has not ended."""
    return await store.shown(ctx, await subscriptions.reactivate(ctx, ctx.row.id))


@routes.post(
    "/{subscription_id}/pause", answer=SubscriptionOut, needs_key=True, errors=(PayFirst, PeriodOver, WrongState)
)
async def pause_subscription(ctx: CanManageOne) -> Any:
    """Let it stand still; what is left of the period is kept."""
    return await store.shown(ctx, await subscriptions.pause(ctx, ctx.row.id))


@routes.post("/{subscription_id}/resume", answer=SubscriptionOut, needs_key=True, errors=(WrongState,))
async def resume_subscription(ctx: CanManageOne) -> Any:
    """Let it go on, for what was left of the period."""
    return await store.shown(ctx, await subscriptions.resume(ctx, ctx.row.id))
