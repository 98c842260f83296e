"""Charging a saved card with nobody looking: what renewals do."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.jobs import Job
from nexuscore.modules import invoices
from nexuscore.modules.payments import effects, intents, methods, store
from nexuscore.modules.payments.effects import PAYABLE
from nexuscore.modules.payments.errors import PaymentInProgress
from nexuscore.modules.payments.intents import Abandon
from nexuscore.modules.payments.provider import Intent
from nexuscore.modules.payments.schemas import NewIntent
from nexuscore.modules.payments.states import LIVE
from nexuscore.modules.payments.tables import Payment

_PATIENCE = timedelta(hours=1)


class Charge(Job, name="payments.charge"):
    """Take the money of a payment from a saved card."""

    payment_id: UUID
    method_id: UUID
    attempt: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a charge needs, read in one transaction."""

    payment: Payment
    method: str
    opened: intents.Open


async def charge(ctx: Ctx, invoice_id: UUID, *, key: str, method_id: UUID | None = None) -> Payment:
    """Charge an invoice to a saved card, the default one unless it is named; in the caller's transaction.

    The answer comes as `PaymentSucceeded` or `PaymentFailed`. The same `key` charges once; another is another try.
    While somebody is paying the invoice otherwise, their payment is the answer.
    """
    method = await methods.get(ctx, method_id) if method_id else await methods.default(ctx)
    tried = f"charge:{key}"
    try:
        payment = await intents.begin(ctx, NewIntent(invoice_id=invoice_id), tried, off_session=True)
    except PaymentInProgress:
        payment = store.sure(await ctx.db.first(store.LIVE_OF, of_invoice=invoice_id))
        return _left_behind(ctx, payment)
    payment = await store.lock(ctx, payment.id)
    if payment.confirm_key == tried:
        return payment
    if payment.state not in ("pending", "failed"):
        return _left_behind(ctx, payment)
    payment = await store.change(
        ctx, payment, confirm_key=tried, attempts=payment.attempts + 1, off_session=True, method_id=method.id
    )
    ctx.enqueue(Charge(payment_id=payment.id, method_id=method.id, attempt=payment.attempts))
    return payment


def _left_behind(ctx: Ctx, payment: Payment) -> Payment:
    """Somebody began and went away: an hour later that does not keep the next try from its turn."""
    if payment.state in LIVE and payment.updated_at < ctx.now - _PATIENCE:
        ctx.enqueue(Abandon(payment_id=payment.id), unique=str(payment.id))
    return payment


async def claim(ctx: Ctx, job: Charge) -> Claimed | None:
    """The payment, while this try is the latest and the money is still due."""
    payment = await store.get(ctx, job.payment_id)
    if payment.attempts != job.attempt or payment.state not in ("pending", "failed"):
        return None
    invoice = await invoices.get(ctx, payment.invoice_id)
    if invoice.state not in PAYABLE or invoice.amount_due != payment.amount:
        ctx.enqueue(Abandon(payment_id=payment.id))
        return None
    method = await methods.theirs(ctx, payment.provider, job.method_id)
    return Claimed(payment, method, opened_like(ctx))


async def call(app: App, claimed: Claimed) -> Intent:
    """The call; repeated after a kill, it carries the same key."""
    payment = claimed.payment
    intent = await intents.create_there(app, claimed.opened, payment)
    if intent.state not in ("pending", "failed"):
        return intent
    return await intents.confirm_there(app, payment, intent, claimed.method, payment.confirm_key or "")


async def record(ctx: Ctx, claimed: Claimed, intent: Intent) -> None:
    """What came of it."""
    await effects.apply(ctx, claimed.payment.id, intent)


def opened_like(ctx: Ctx) -> intents.Open:
    """How a job opens further transactions: with its own organisation and actor."""
    app, org, actor, locale, request_id = ctx.app, ctx.org, ctx.actor, ctx.locale, ctx.request_id
    return lambda: app.context(org=org, actor=actor, locale=locale, request_id=request_id)
