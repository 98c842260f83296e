"""What the clock brings: trials end, periods end, the next one begins and is invoiced."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, or_, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.modules.plans import billing, catalogue, collecting, store, subscriptions, telling
from nexuscore.modules.plans.events import PlanSwitched, SubscriptionActivated, SubscriptionRenewed, TrialEnding
from nexuscore.modules.plans.periods import boundary
from nexuscore.modules.plans.settings import PlanSettings
from nexuscore.modules.plans.tables import Plan, Subscription

_RUNNING = or_(Subscription.state == "trialing", Subscription.state == "active")
DUE = (
    select(Subscription.id, Subscription.org_id)
    .where(_RUNNING, Subscription.current_period_end <= bindparam("now"))
    .order_by(Subscription.current_period_end)
    .limit(1000)
)
ENDING = (
    select(Subscription.id, Subscription.org_id)
    .where(
        Subscription.state == "trialing",
        Subscription.trial_told_at.is_(None),
        Subscription.trial_end <= bindparam("soon"),
    )
    .order_by(Subscription.trial_end)
    .limit(1000)
)


async def advance(ctx: Ctx, subscription_id: UUID) -> None:
    """Bring a subscription to the present: one period after the other, each invoiced once, whoever asks how often."""
    subscription = await store.lock(ctx, subscription_id)
    while subscription.state in ("trialing", "active") and subscription.current_period_end <= ctx.now:
        subscription = await _next(ctx, subscription)


async def tell_of_trial(ctx: Ctx, subscription_id: UUID) -> None:
    """Tell the organisation, once, that its trial ends in a few days."""
    subscription = await store.lock(ctx, subscription_id)
    soon = ctx.now + timedelta(days=ctx.app.settings[PlanSettings].notice_days)
    ends = subscription.trial_end
    if subscription.state != "trialing" or subscription.trial_told_at is not None or ends is None or ends > soon:
        return
    await store.alter(ctx, subscription, trial_told_at=ctx.now)
    if subscription.cancel_at_period_end:
        return
    ctx.emit(TrialEnding(subscription_id=subscription.id, trial_end=ends))
    await telling.trial_ends(ctx, subscription)


async def _next(ctx: Ctx, subscription: Subscription) -> Subscription:
    if subscription.cancel_at_period_end:
        return await subscriptions.end(ctx, subscription, "asked for")
    old = await catalogue.get(ctx, subscription.plan_id)
    plan = await catalogue.get(ctx, subscription.next_plan_id) if subscription.next_plan_id else old
    starts, price = subscription.current_period_end, plan.amount if plan.id != old.id else subscription.price
    renewed = await store.alter(
        ctx,
        subscription,
        state="active",
        plan_id=plan.id,
        next_plan_id=None,
        price=price,
        unit=plan.billing_period,
        current_period_start=starts,
        **_period(subscription, plan),
    )
    ends = renewed.current_period_end
    invoice = await billing.bill_period(ctx, renewed, plan, starts, ends, price)
    if subscription.state == "trialing":
        ctx.emit(SubscriptionActivated(subscription_id=subscription.id, before="trialing", period_end=ends))
    if plan.id != old.id:
        ctx.emit(
            PlanSwitched(
                subscription_id=subscription.id,
                before=old.sku,
                after=plan.sku,
                amount=0,
                currency=plan.currency,
                invoice_id=None,
            )
        )
    ctx.emit(
        SubscriptionRenewed(
            subscription_id=subscription.id,
            plan=plan.sku,
            period_start=starts,
            period_end=ends,
            amount=price,
            currency=renewed.currency,
            invoice_id=None if invoice is None else invoice.id,
        )
    )
    if invoice is not None:
        await collecting.try_to_charge(ctx, invoice, "first")
    return renewed


def _period(subscription: Subscription, plan: Plan) -> dict[str, Any]:
    """The next period, counted from the anchor; another length of period is a new anchor."""
    anchor, number = subscription.anchor_at, subscription.anchor_periods + 1
    if plan.billing_period != subscription.unit:
        anchor, number = subscription.current_period_end, 1
    return {
        "anchor_at": anchor,
        "anchor_periods": number,
        "current_period_end": boundary(anchor, plan.billing_period, number),
    }
