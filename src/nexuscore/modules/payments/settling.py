"""Bringing what we know to where the provider is: after a webhook, after a call that was cut off, after a while."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import bindparam, or_, select

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.modules import invoices
from nexuscore.modules.payments import disputes, effects, intents, refunds, store
from nexuscore.modules.payments.charges import opened_like
from nexuscore.modules.payments.intents import Abandon, Settle
from nexuscore.modules.payments.provider import Dispute, Intent, Refund, provider
from nexuscore.modules.payments.refunds import SendRefund
from nexuscore.modules.payments.settings import PaymentSettings
from nexuscore.modules.payments.states import BY_HAND, LIVE, PAID
from nexuscore.modules.payments.tables import Payment, Refund as RefundRow

_STUCK = timedelta(minutes=10)
_UNSETTLED = (
    select(Payment.id, Payment.org_id, Payment.created_at, Payment.off_session)
    .where(
        Payment.provider.not_in(BY_HAND),
        Payment.updated_at < bindparam("before"),
        or_(
            Payment.state == "processing",
            Payment.state.in_(LIVE) & Payment.provider_id.is_(None),
            Payment.state.in_(LIVE) & Payment.off_session.is_(False) & (Payment.created_at < bindparam("abandoned")),
        ),
    )
    .limit(500)
)
_UNSENT = (
    select(RefundRow.id, RefundRow.org_id)
    .where(RefundRow.state == "pending", RefundRow.provider.not_in(BY_HAND), RefundRow.updated_at < bindparam("before"))
    .limit(500)
)
_LIVE_OF = select(Payment.id).where(
    Payment.invoice_id == bindparam("of_invoice"),
    Payment.state.in_(LIVE),
    Payment.provider.not_in(BY_HAND),
    Payment.amount != bindparam("due"),
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """What is asked for, and of whom."""

    job: Settle
    payment: Payment
    opened: intents.Open


@dataclass(frozen=True, slots=True)
class Told:
    """How it stands there."""

    intent: Intent | None = None
    refund: Refund | None = None
    dispute: Dispute | None = None


async def claim(ctx: Ctx, job: Settle) -> Claimed | None:
    """The payment, if there is somebody to ask."""
    payment = await store.get(ctx, job.payment_id)
    return None if payment.provider in BY_HAND else Claimed(job, payment, opened_like(ctx))


async def call(app: App, claimed: Claimed) -> Told:
    """Ask."""
    payment, job = claimed.payment, claimed.job
    there = provider(app, payment.provider)
    asked = payment.state != "canceled" and (payment.state not in PAID or payment.fee is None)
    return Told(
        intent=await intents.create_there(app, claimed.opened, payment) if asked else None,
        refund=await there.refund_now(app, job.refund) if job.refund else None,
        dispute=await there.dispute_now(app, job.dispute) if job.dispute else None,
    )


async def record(ctx: Ctx, claimed: Claimed, told: Told) -> None:
    """The payment first: a refund or a dispute may be heard of before its payment is."""
    if told.intent is not None:
        await effects.apply(ctx, claimed.payment.id, told.intent)
    if told.refund is not None:
        await refunds.apply(ctx, await store.lock(ctx, claimed.payment.id), told.refund)
    if told.dispute is not None:
        await disputes.apply(ctx, await store.lock(ctx, claimed.payment.id), told.dispute)


async def claim_abandon(ctx: Ctx, job: Abandon) -> Claimed | None:
    """The payment, while it can be given up."""
    payment = await store.get(ctx, job.payment_id)
    if payment.state not in LIVE or payment.provider in BY_HAND:
        return None
    return Claimed(Settle(payment_id=payment.id), payment, opened_like(ctx))


async def call_abandon(app: App, claimed: Claimed) -> Told:
    """Give it up; when the money came meanwhile, that is the answer."""
    return Told(intent=await intents.cancel_there(app, claimed.opened, claimed.payment))


async def abandon_stale(ctx: Ctx, invoice_id: UUID) -> None:
    """Nobody should pay what is no longer due: what was begun for another amount is given up."""
    invoice = await invoices.get(ctx, invoice_id)
    due = invoice.amount_due if invoice.state in effects.PAYABLE else 0
    for row in await ctx.db.all(_LIVE_OF, of_invoice=invoice_id, due=due):
        ctx.enqueue(Abandon(payment_id=row.id), unique=str(row.id))


async def look_again(ctx: Ctx) -> None:
    """A net below jobs and webhooks: what has not moved for a while is asked about, and given up in the end."""
    stuck = ctx.now - _STUCK
    oldest = ctx.now - timedelta(days=ctx.app.settings[PaymentSettings].abandon_days)
    async with ctx.across_orgs("payments may be stuck anywhere") as everywhere:
        payments = await everywhere.db.all(_UNSETTLED, before=stuck, abandoned=oldest)
        waiting = await everywhere.db.all(_UNSENT, before=stuck)
    for row in payments:
        async with ctx.in_org(row.org_id) as there:
            given_up = row.created_at < oldest and not row.off_session
            job = Abandon(payment_id=row.id) if given_up else Settle(payment_id=row.id)
            there.enqueue(job, unique=str(row.id))
    for row in waiting:
        async with ctx.in_org(row.org_id) as there:
            there.enqueue(SendRefund(refund_id=row.id), unique=str(row.id))
