"""What the organisation does with its subscription: begin, cancel, take that back, pause, go on."""

from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import insert

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import NotFoundError
from nexuscore.modules import books, invoices, orgs
from nexuscore.modules.plans import billing, catalogue, collecting, store
from nexuscore.modules.plans.errors import AlreadySubscribed, BadPlan, NotCancelling, PayFirst, TrialExpired
from nexuscore.modules.plans.events import (
    CancellationScheduled,
    SubscriptionCanceled,
    SubscriptionPaused,
    SubscriptionReactivated,
    SubscriptionResumed,
    SubscriptionStarted,
)
from nexuscore.modules.plans.periods import boundary
from nexuscore.modules.plans.schemas import NewSubscription
from nexuscore.modules.plans.tables import Plan, Subscription

_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('plans.subscribe:' || $1::text, 0))"
_CREATE = insert(Subscription).returning(Subscription)
_ENDS = {
    "cancel_at_period_end": False,
    "next_plan_id": None,
    "next_try_at": None,
    "stopped_at": None,
}


async def start(ctx: Ctx, new: NewSubscription) -> Subscription:
    """Subscribe: on trial while the organisation has one, otherwise from the first payment on."""
    if ctx.org is None:
        raise NotFoundError
    plan = await catalogue.named(ctx, new.plan)
    await _require_invoiceable(ctx, ctx.org, plan)
    await ctx.db.raw(_ONE_AT_A_TIME, str(ctx.org))
    if (earlier := await store.live(ctx)) is not None:
        raise AlreadySubscribed(details={"subscription_id": earlier.id, "state": earlier.state})
    trial_end = await _trial(ctx, ctx.org, new.trial)
    if trial_end is not None:
        subscription = await _create(ctx, plan, "trialing", trial_end, trial_start=ctx.now, trial_end=trial_end)
        _announce(ctx, subscription, plan)
        return subscription
    end = boundary(ctx.now, plan.billing_period, 1)
    subscription = await _create(ctx, plan, "unpaid" if plan.amount else "active", end, anchor_periods=1)
    _announce(ctx, subscription, plan)
    invoice = await billing.bill_period(ctx, subscription, plan, ctx.now, end, plan.amount)
    if invoice is not None:
        await collecting.try_to_charge(ctx, invoice, "first")
    return subscription


async def cancel(ctx: Ctx, subscription_id: UUID, *, at_period_end: bool) -> Subscription:
    """End it with its period, or at once. What was paid is not paid back; what was never given is not charged."""
    subscription = await store.lock(ctx, subscription_id)
    store.require_state(subscription, "trialing", "active", "past_due", "unpaid", "paused")
    if not at_period_end or subscription.state in ("past_due", "unpaid", "paused"):
        return await end(ctx, subscription, "asked for")
    if subscription.cancel_at_period_end:
        return subscription
    store.require_current(ctx, subscription)
    changed = await store.alter(ctx, subscription, cancel_at_period_end=True)
    ctx.emit(CancellationScheduled(subscription_id=subscription.id, at=subscription.current_period_end))
    return changed


async def end(ctx: Ctx, subscription: Subscription, reason: str) -> Subscription:
    """Make it be over, whoever holds it. Invoices for periods that were never served are voided."""
    plan = await catalogue.get(ctx, subscription.plan_id)
    changed = await store.alter(ctx, subscription, state="canceled", canceled_at=ctx.now, **_ENDS)
    ctx.emit(
        SubscriptionCanceled(subscription_id=subscription.id, plan=plan.sku, before=subscription.state, reason=reason)
    )
    if subscription.state == "unpaid" and subscription.stopped_at is not None:
        await _void_unserved(ctx, subscription, subscription.stopped_at)
    return changed


async def end_with_organisation(ctx: Ctx) -> None:
    """End whatever runs in an organisation that was deleted."""
    found = await store.live(ctx)
    if found is None:
        return
    subscription = await store.lock(ctx, found.id)
    if subscription.state != "canceled":
        await end(ctx, subscription, "the organisation was deleted")


async def reactivate(ctx: Ctx, subscription_id: UUID) -> Subscription:
    """Take a cancellation back, while the period has not ended."""
    subscription = await store.lock(ctx, subscription_id)
    store.require_state(subscription, "trialing", "active")
    if not subscription.cancel_at_period_end:
        raise NotCancelling
    store.require_current(ctx, subscription)
    changed = await store.alter(ctx, subscription, cancel_at_period_end=False)
    ctx.emit(SubscriptionReactivated(subscription_id=subscription.id))
    return changed


async def pause(ctx: Ctx, subscription_id: UUID) -> Subscription:
    """Let it stand still. What is left of the period is kept for when it goes on."""
    subscription = await store.lock(ctx, subscription_id)
    store.require_state(subscription, "active")
    store.require_current(ctx, subscription)
    if await store.owed(ctx, subscription):
        raise PayFirst
    changed = await store.alter(ctx, subscription, state="paused", stopped_at=ctx.now)
    ctx.emit(SubscriptionPaused(subscription_id=subscription.id))
    return changed


async def resume(ctx: Ctx, subscription_id: UUID) -> Subscription:
    """Let it go on, for what was left of the period."""
    subscription = await store.lock(ctx, subscription_id)
    store.require_state(subscription, "paused")
    changed = await go_on(ctx, subscription)
    ctx.emit(SubscriptionResumed(subscription_id=subscription.id, period_end=changed.current_period_end))
    return changed


async def go_on(ctx: Ctx, subscription: Subscription) -> Subscription:
    """Make a stopped one active, for what was left of its period when it stopped.

    One that was stopped from the first moment, for want of its first payment, begins anew: a whole period from now.
    """
    stopped = subscription.stopped_at or ctx.now
    if stopped == subscription.current_period_start:
        starts, ends, number = ctx.now, boundary(ctx.now, subscription.unit, 1), 1
    else:
        stood = ctx.now - stopped
        starts, ends, number = subscription.current_period_start + stood, subscription.current_period_end + stood, 0
    return await store.alter(
        ctx,
        subscription,
        state="active",
        stopped_at=None,
        past_due_since=None,
        tries=0,
        current_period_start=starts,
        current_period_end=ends,
        anchor_at=starts if number else ends,
        anchor_periods=number,
    )


async def _require_invoiceable(ctx: Ctx, org_id: UUID, plan: Plan) -> None:
    """Stop here for a plan whose invoices nobody could write: GST is charged in Singapore dollars alone."""
    treated = invoices.treatment(ctx.app, await orgs.organisation(ctx, org_id), books.today(ctx))
    if treated.code == "SR" and plan.currency != "SGD":
        raise BadPlan(details={"plan": plan.sku, "currency": plan.currency, "needed": "SGD"})


async def _trial(ctx: Ctx, org_id: UUID, wanted: bool | None) -> datetime | None:
    """Until when the organisation is on trial: its trial is one, from when it was made, whoever subscribes when."""
    if wanted is False:
        return None
    organisation = await orgs.organisation(ctx, org_id)
    ends = organisation.trial_ends_at
    if ends is not None and ends > ctx.now and not await store.had_trial(ctx):
        return ends
    if wanted:
        raise TrialExpired(details={"trial_ends_at": ends})
    return None


async def _create(ctx: Ctx, plan: Plan, state: str, end: datetime, **columns: object) -> Subscription:
    columns = {"anchor_periods": 0, **columns}
    try:
        async with ctx.db.savepoint():
            return await ctx.db.one(
                _CREATE,
                plan_id=plan.id,
                state=state,
                price=plan.amount,
                currency=plan.currency,
                unit=plan.billing_period,
                anchor_at=ctx.now if columns["anchor_periods"] else end,
                current_period_start=ctx.now,
                current_period_end=end,
                stopped_at=ctx.now if state == "unpaid" else None,
                created_by=ctx.actor.id,
                created_at=ctx.now,
                **columns,
            )
    except asyncpg.UniqueViolationError:
        raise AlreadySubscribed from None


def _announce(ctx: Ctx, subscription: Subscription, plan: Plan) -> None:
    ctx.emit(
        SubscriptionStarted(
            subscription_id=subscription.id,
            plan=plan.sku,
            state=subscription.state,
            trial_end=subscription.trial_end,
        )
    )


async def _void_unserved(ctx: Ctx, subscription: Subscription, stopped_at: datetime) -> None:
    unserved = {p.invoice_id for p in await billing.periods(ctx, subscription) if p.starts >= stopped_at}
    for invoice in await store.owed(ctx, subscription):
        if invoice.id in unserved and invoice.state == "open" and not invoice.amount_credited:
            await invoices.void(ctx, invoice.id, "The subscription was cancelled before it began.")
