"""When a payment fails or is late: asked for again on days 1, 3, 5 and 7, then the plan's limits no longer hold."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.modules import invoices
from nexuscore.modules.plans import collecting, store, subscriptions, telling
from nexuscore.modules.plans.events import (
    PaymentRetried,
    SubscriptionActivated,
    SubscriptionPastDue,
    SubscriptionUnpaid,
)
from nexuscore.modules.plans.settings import PlanSettings
from nexuscore.modules.plans.tables import Subscription

DAYS = (1, 3, 5, 7)  # after the first failure; a day after the last, it is given up
LATE = (
    select(Subscription.id, Subscription.org_id)
    .where(Subscription.next_try_at <= bindparam("now"))
    .order_by(Subscription.next_try_at)
    .limit(1000)
)
STALE = (
    select(Subscription.id, Subscription.org_id)
    .where(Subscription.state == "unpaid", Subscription.stopped_at <= bindparam("since"))
    .order_by(Subscription.stopped_at)
    .limit(1000)
)


async def fall_behind(ctx: Ctx, subscription_id: UUID, invoice: invoices.Invoice) -> None:
    """A payment failed, or an invoice is overdue: begin to ask for it. While that is under way, nothing is new."""
    subscription = await store.lock(ctx, subscription_id)
    if subscription.state != "active" or invoice.state not in store.OWED:
        return
    at = ctx.now + timedelta(days=DAYS[0])
    behind = await store.alter(ctx, subscription, state="past_due", past_due_since=ctx.now, tries=0, next_try_at=at)
    ctx.emit(SubscriptionPastDue(subscription_id=subscription.id, invoice_id=invoice.id, next_try_at=at))
    await telling.payment_failed(ctx, behind, invoice, is_last=False)


async def try_again(ctx: Ctx, subscription_id: UUID) -> None:
    """The day has come: charge once more, tell the organisation, and set the next day; or give up."""
    subscription = await store.lock(ctx, subscription_id)
    if subscription.state != "past_due" or subscription.next_try_at is None or subscription.next_try_at > ctx.now:
        return
    due = await store.owed(ctx, subscription)
    if not due:
        await recover(ctx, subscription_id)
    elif subscription.tries == len(DAYS):
        await give_up(ctx, subscription)
    else:
        await _step(ctx, subscription, due)


async def charge_failed(ctx: Ctx, subscription_id: UUID, invoice: invoices.Invoice) -> None:
    """The saved card was refused: the first time it falls behind, then the next day is told, then it is given up."""
    subscription = await store.lock(ctx, subscription_id)
    if subscription.state == "active":
        await fall_behind(ctx, subscription_id, invoice)
    elif subscription.state == "past_due" and invoice.state in store.OWED:
        if subscription.tries == len(DAYS):
            await give_up(ctx, subscription)
        else:
            await telling.payment_failed(ctx, subscription, invoice, is_last=False)


async def recover(ctx: Ctx, subscription_id: UUID, *, states: tuple[str, ...] = ("past_due", "unpaid")) -> None:
    """Something was paid: if that was all, go on. A subscription that had stopped gets the rest of its period."""
    subscription = await store.lock(ctx, subscription_id)
    if subscription.state not in states or await store.owed(ctx, subscription):
        return
    if subscription.state == "past_due":
        running = await store.alter(ctx, subscription, state="active", past_due_since=None, tries=0, next_try_at=None)
    else:
        running = await subscriptions.go_on(ctx, subscription)
    ctx.emit(
        SubscriptionActivated(
            subscription_id=subscription.id, before=subscription.state, period_end=running.current_period_end
        )
    )


async def give_up(ctx: Ctx, subscription: Subscription) -> None:
    """Stop serving it. What was left of its period is kept for when it is paid after all."""
    stopped = await store.alter(ctx, subscription, state="unpaid", stopped_at=ctx.now, next_try_at=None)
    ctx.emit(SubscriptionUnpaid(subscription_id=subscription.id))
    await telling.given_up(ctx, stopped)


async def end_unpaid(ctx: Ctx, subscription_id: UUID) -> None:
    """Nobody paid for as long as the settings wait: it is over. Only what was served stays owed."""
    subscription = await store.lock(ctx, subscription_id)
    waits = ctx.app.settings[PlanSettings].unpaid_days
    stopped = subscription.stopped_at
    if subscription.state == "unpaid" and waits and stopped is not None and stopped <= ctx.now - timedelta(days=waits):
        await subscriptions.end(ctx, subscription, f"not paid for {waits} days")


async def _step(ctx: Ctx, subscription: Subscription, due: list[invoices.Invoice]) -> None:
    step = subscription.tries + 1
    at = _next_try(subscription.past_due_since or ctx.now, step, ctx.now)
    behind = await store.alter(ctx, subscription, tries=step, next_try_at=at)
    charged = [await collecting.try_to_charge(ctx, invoice, f"{subscription.id}:{step}") for invoice in due]
    ctx.emit(PaymentRetried(subscription_id=subscription.id, step=step, charged=any(charged), next_try_at=at))
    if not any(charged):  # otherwise the card may work this time: `charge_failed` writes when it does not
        await telling.payment_failed(ctx, behind, due[0], is_last=step == len(DAYS))


def _next_try(since: datetime, step: int, now: datetime) -> datetime:
    """The day of the next step, but never less than a day from now: a server that was away does not rush."""
    day = DAYS[step] if step < len(DAYS) else DAYS[-1] + 1
    return max(since + timedelta(days=day), now + timedelta(days=1))
