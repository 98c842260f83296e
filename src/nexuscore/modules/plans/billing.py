"""Invoices for subscriptions: one for a period, one for a change, paid with the saved card if there is one."""

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.dialects.postgresql import insert

from nexuscore.kernel.ctx import Ctx
from nexuscore.modules import invoices
from nexuscore.modules.plans.store import SOURCE
from nexuscore.modules.plans.tables import BilledPeriod, Plan, Subscription

_CLAIM = (
    insert(BilledPeriod)
    .on_conflict_do_nothing(index_elements=["subscription_id", "starts"], index_where=text("kind = 'period'"))
    .returning(BilledPeriod)
)
_INVOICED = update(BilledPeriod).where(BilledPeriod.id == bindparam("billed"))
_EVERY = select(BilledPeriod).where(BilledPeriod.subscription_id == bindparam("subscription")).order_by(BilledPeriod.id)


async def bill_period(
    ctx: Ctx, subscription: Subscription, plan: Plan, starts: datetime, ends: datetime, price: int
) -> invoices.Invoice | None:
    """Invoice a period; None when it costs nothing, or was invoiced before: two renewals make one invoice."""
    words = f"{plan.name}, {starts:%Y-%m-%d} to {ends:%Y-%m-%d}"
    return await _bill(ctx, subscription, plan, "period", starts, ends, price, [(words, price)])


async def bill_change(
    ctx: Ctx, subscription: Subscription, plan: Plan, starts: datetime, ends: datetime, preview: Any, old: Plan
) -> invoices.Invoice | None:
    """Invoice a change of plan: what the new one costs, less what was paid for and not used."""
    days = f"{starts:%Y-%m-%d} to {ends:%Y-%m-%d}"
    lines = [(f"{plan.name}, {days}", preview.charge), (f"{old.name}, unused, {starts:%Y-%m-%d}", -preview.credit)]
    return await _bill(ctx, subscription, plan, "change", starts, ends, preview.due, lines, preview_id=preview.id)


async def periods(ctx: Ctx, subscription: Subscription) -> list[BilledPeriod]:
    """What a subscription was invoiced for so far."""
    return await ctx.db.all(_EVERY, subscription=subscription.id)


async def _bill(
    ctx: Ctx,
    subscription: Subscription,
    plan: Plan,
    kind: str,
    starts: datetime,
    ends: datetime,
    amount: int,
    lines: list[tuple[str, int]],
    **columns: Any,
) -> invoices.Invoice | None:
    claimed = await ctx.db.first(
        _CLAIM,
        subscription_id=subscription.id,
        plan_id=plan.id,
        kind=kind,
        starts=starts,
        ends=ends,
        amount=amount,
        currency=subscription.currency,
        created_at=ctx.now,
        **columns,
    )
    if claimed is None or not amount:
        return None
    invoice = await invoices.issue(
        ctx,
        [invoices.NewLine(description=words, unit_price=price) for words, price in lines if price],
        currency=subscription.currency,
        source=SOURCE,
        source_id=subscription.id,
    )
    await ctx.db.execute(_INVOICED, billed=claimed.id, invoice_id=invoice.id)
    return invoice
