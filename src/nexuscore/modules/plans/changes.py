"""Another plan: first what it comes to, then the purchase, exactly as it was shown."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, select, update

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.money import Money
from nexuscore.modules import books, invoices, orgs
from nexuscore.modules.plans import billing, catalogue, collecting, store
from nexuscore.modules.plans.errors import NothingToChange, OtherCurrency, PayFirst, PreviewOutdated
from nexuscore.modules.plans.events import ChangePreviewed, ChangeScheduled, PlanSwitched
from nexuscore.modules.plans.periods import Proration, Terms, boundary, prorate
from nexuscore.modules.plans.settings import PlanSettings
from nexuscore.modules.plans.tables import Plan, Preview, Subscription

_KEEP = insert(Preview).returning(Preview)
_LOCK = select(Preview).where(Preview.id == bindparam("preview")).with_for_update()
_ONE = select(Preview).where(Preview.subscription_id == bindparam("of"), Preview.id == bindparam("preview"))
_BOUGHT = update(Preview).where(Preview.id == bindparam("preview"))


async def preview(ctx: Ctx, subscription_id: UUID, wanted: str) -> dict[str, Any]:
    """What a change to another plan comes to; it can be bought as shown while nothing else changes."""
    subscription = await store.lock(ctx, subscription_id)
    await _require_changeable(ctx, subscription)
    plan = await catalogue.named(ctx, wanted)
    if plan.id == subscription.plan_id and subscription.next_plan_id is None:
        raise NothingToChange
    if plan.currency != subscription.currency:
        raise OtherCurrency
    figures, effective_at = _figures(ctx, subscription, plan)
    kept = await ctx.db.one(
        _KEEP,
        subscription_id=subscription.id,
        plan_id=plan.id,
        version=subscription.version,
        at_once=figures.at_once,
        restarts=figures.restarts,
        effective_at=effective_at,
        credit=figures.credit.minor,
        charge=figures.charge.minor,
        due=figures.due.minor,
        gst=await gst(ctx, figures.due.minor),
        currency=subscription.currency,
        created_at=ctx.now,
        expires_at=ctx.now + timedelta(minutes=ctx.app.settings[PlanSettings].preview_minutes),
    )
    ctx.emit(ChangePreviewed(subscription_id=subscription.id, preview_id=kept.id, plan=plan.sku))
    return await shown(ctx, kept, plan)


async def previewed(ctx: Ctx, subscription_id: UUID, preview_id: UUID) -> Preview:
    """A preview of this subscription, as it was kept."""
    return await ctx.db.one(_ONE, of=subscription_id, preview=preview_id)


async def buy(ctx: Ctx, subscription_id: UUID, preview_id: UUID) -> Subscription:
    """Do what a preview showed, to the cent: at once, or at the end of the period."""
    subscription = await store.lock(ctx, subscription_id)
    kept = await ctx.db.one(_LOCK, preview=preview_id)
    if (
        kept.subscription_id != subscription.id
        or kept.version != subscription.version
        or kept.bought_at is not None
        or kept.expires_at <= ctx.now
    ):
        raise PreviewOutdated
    await _require_changeable(ctx, subscription)
    await ctx.db.execute(_BOUGHT, preview=kept.id, bought_at=ctx.now)
    plan = await catalogue.get(ctx, kept.plan_id)
    if kept.at_once:
        return await _switch(ctx, subscription, plan, kept)
    return await _schedule(ctx, subscription, plan)


async def _switch(ctx: Ctx, subscription: Subscription, plan: Plan, kept: Preview) -> Subscription:
    old = await catalogue.get(ctx, subscription.plan_id)
    period: dict[str, Any] = {}
    if kept.restarts and subscription.state == "active":
        period = {
            "anchor_at": kept.created_at,
            "anchor_periods": 1,
            "current_period_start": kept.created_at,
            "current_period_end": boundary(kept.created_at, plan.billing_period, 1),
        }
    changed = await store.alter(
        ctx,
        subscription,
        plan_id=plan.id,
        next_plan_id=None,
        price=plan.amount,
        unit=plan.billing_period,
        **period,
    )
    invoice = None
    if subscription.state == "active":
        ends = changed.current_period_end
        invoice = await billing.bill_change(ctx, changed, plan, kept.created_at, ends, kept, old)
    ctx.emit(
        PlanSwitched(
            subscription_id=subscription.id,
            before=old.sku,
            after=plan.sku,
            amount=kept.due,
            currency=kept.currency,
            invoice_id=None if invoice is None else invoice.id,
        )
    )
    if invoice is not None:
        await collecting.try_to_charge(ctx, invoice, "first")
    return changed


async def _schedule(ctx: Ctx, subscription: Subscription, plan: Plan) -> Subscription:
    coming = None if plan.id == subscription.plan_id else plan
    changed = await store.alter(ctx, subscription, next_plan_id=None if coming is None else coming.id)
    ctx.emit(
        ChangeScheduled(
            subscription_id=subscription.id,
            plan=None if coming is None else coming.sku,
            at=subscription.current_period_end,
        )
    )
    return changed


def _figures(ctx: Ctx, subscription: Subscription, plan: Plan) -> tuple[Proration, datetime]:
    """What it comes to, and when. In a trial every change is free and at once; staying where one is, is free too."""
    zero = Money.zero(subscription.currency)
    if plan.id == subscription.plan_id:
        return Proration(False, zero, zero, zero, False), subscription.current_period_end
    if subscription.state == "trialing":
        return Proration(True, zero, zero, zero, False), ctx.now
    figures = prorate(
        Terms(Money(subscription.price, subscription.currency), subscription.unit),
        Terms(Money(plan.amount, plan.currency), plan.billing_period),
        subscription.current_period_start,
        subscription.current_period_end,
        ctx.now,
    )
    return figures, ctx.now if figures.at_once else subscription.current_period_end


async def _require_changeable(ctx: Ctx, subscription: Subscription) -> None:
    store.require_state(subscription, "trialing", "active")
    store.require_current(ctx, subscription)
    if await store.owed(ctx, subscription):
        raise PayFirst


async def gst(ctx: Ctx, amount: int) -> int:
    """The GST on an amount, as the invoice of today will have it."""
    if not amount or ctx.org is None:
        return 0
    organisation = await orgs.organisation(ctx, ctx.org)
    treated = invoices.treatment(ctx.app, organisation, books.today(ctx))
    return invoices.gst_of(amount, treated.rate) if treated.code == "SR" else 0


async def shown(ctx: Ctx, kept: Preview, plan: Plan) -> dict[str, Any]:
    """A preview as it is answered, with the limits that would be exceeded."""
    members, limit = len(await orgs.members(ctx)), plan.limits.get("members")
    exceeded = limit is not None and members > limit
    return {
        **{
            name: getattr(kept, name)
            for name in (
                *("id", "at_once", "effective_at", "credit", "charge", "due", "gst", "currency", "expires_at"),
            )
        },
        "plan": plan.sku,
        "total": kept.due + kept.gst,
        "over": [{"limit": "members", "allowed": limit, "used": members}] if exceeded else [],
    }
