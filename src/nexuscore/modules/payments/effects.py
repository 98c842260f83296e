"""What the provider's word does to us: the one place where a payment becomes money, once however often it is told."""

from uuid import UUID

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.log import get_logger
from nexuscore.kernel.money import Money
from nexuscore.modules import books, invoices
from nexuscore.modules.books import Account, Entry, credit, debit
from nexuscore.modules.payments import costs, findings, mails, methods, receipts, store
from nexuscore.modules.payments.events import (
    PaymentCanceled,
    PaymentFailed,
    PaymentProcessing,
    PaymentSucceeded,
    PaymentUnapplied,
)
from nexuscore.modules.payments.provider import Intent
from nexuscore.modules.payments.states import PAID, PAYMENT
from nexuscore.modules.payments.tables import Payment

PAYABLE = ("open", "partly_paid", "uncollectible")
_PLACES: dict[str, Account] = {
    "card": books.PROCESSOR,
    "paynow": books.PROCESSOR,
    "bank_transfer": books.BANK,
    "cash": books.CASH,
    "other": books.BANK,
}
_log = get_logger(__name__)


def place_of(payment: Payment) -> Account:
    """Where its money is. PayNow that staff recorded came to the bank, by the code on the invoice."""
    return books.BANK if payment.provider == "hand" and payment.kind == "paynow" else _PLACES[payment.kind]


async def apply(ctx: Ctx, payment_id: UUID, intent: Intent) -> Payment:
    """Bring our payment to where the provider's is. What is older than what we know changes nothing."""
    payment = await store.lock(ctx, payment_id)
    if payment.provider_id not in (None, intent.id):
        _log.error("payment_has_another_intent", payment_id=payment.id, ours=payment.provider_id, theirs=intent.id)
        return payment
    if payment.provider_id is None:
        payment = await store.change(ctx, payment, provider_id=intent.id)
    if payment.state in PAID:
        return await costs.of_payment(ctx, payment, intent.fee)
    if intent.state == "succeeded":
        return await costs.of_payment(ctx, await _succeeded(ctx, payment, intent), intent.fee)
    if intent.state != payment.state and intent.state not in PAYMENT[payment.state]:
        _log.info("payment_news_is_old", payment_id=payment.id, state=payment.state, told=intent.state)
        return payment
    return await _moved(ctx, payment, intent)


async def _moved(ctx: Ctx, payment: Payment, intent: Intent) -> Payment:
    """A step on the way: it waits, it is at work, it failed, it was given up."""
    failure = intent.failure
    announce = intent.state != payment.state
    if intent.state == "failed":
        announce = announce or payment.failed_attempt < payment.attempts
    changed = await store.change(
        ctx,
        payment,
        state=intent.state,
        action=intent.action,
        failure_code=failure.code if failure else None,
        failure_decline=failure.decline if failure else None,
        failure_message=failure.message if failure else None,
        failed_attempt=payment.attempts if intent.state == "failed" else payment.failed_attempt,
    )
    if announce:
        await _announce(ctx, payment, changed)
    return changed


async def _announce(ctx: Ctx, before: Payment, payment: Payment) -> None:
    about = {"payment_id": payment.id, "invoice_id": payment.invoice_id}
    sums = {"amount": payment.amount, "currency": payment.currency}
    match payment.state:
        case "processing":
            ctx.emit(PaymentProcessing(**about, **sums))
        case "canceled":
            ctx.emit(PaymentCanceled(**about))
        case "failed":
            ctx.emit(
                PaymentFailed(
                    **about,
                    **sums,
                    code=payment.failure_code or "unknown",
                    decline=payment.failure_decline,
                    attempt=payment.attempts,
                    off_session=payment.off_session,
                )
            )
            if before.state in ("processing", "requires_action") and not payment.off_session:
                await mails.failed(ctx, payment)  # nobody was looking when it did


async def _succeeded(ctx: Ctx, payment: Payment, intent: Intent) -> Payment:
    """The money is there: as much of it as is due pays the invoice, the rest is owed back."""
    if (intent.received.minor, intent.received.currency) != (payment.amount, payment.currency):
        told = {"received": intent.received.minor, "currency": intent.received.currency}
        ours = {"amount": payment.amount, "currency": payment.currency}
        await findings.report(ctx, "amount", "payment", intent.id, payment_id=payment.id, ours=ours, theirs=told)
        if intent.received.currency != payment.currency:
            return payment  # not ours to convert: a person decides
    method = intent.method
    if payment.keep_method and method is not None:
        await methods.keep(ctx, payment.provider, method)
    return await paid(
        ctx,
        payment,
        intent.received,
        brand=method.brand if method else None,
        last4=method.last4 if method else None,
    )


async def paid(ctx: Ctx, payment: Payment, received: Money, **known: str | None) -> Payment:
    """Book money that came, by whatever way."""
    invoice = await invoices.lock(ctx, payment.invoice_id)
    due = invoice.amount_due if invoice.state in PAYABLE and invoice.currency == received.currency else 0
    applied = min(received.minor, due)
    unapplied = received.minor - applied
    changed = await store.change(
        ctx,
        payment,
        state="succeeded",
        received=received.minor,
        applied=applied,
        unapplied=unapplied,
        paid_at=ctx.now,
        receipt=await receipts.take(ctx),
        action=None,
        failure_code=None,
        failure_decline=None,
        failure_message=None,
        **known,
    )
    place = place_of(payment)
    if applied:
        await invoices.record_payment(
            ctx,
            payment.invoice_id,
            applied,
            payment.currency,
            reference=str(payment.id),
            method=payment.kind,
            at=place,
        )
    if unapplied:
        await _keep(ctx, changed, place)
    ctx.emit(
        PaymentSucceeded(
            payment_id=payment.id,
            invoice_id=payment.invoice_id,
            amount=received.minor,
            currency=received.currency,
            kind=payment.kind,
            applied=applied,
            receipt=changed.receipt or "",
            off_session=payment.off_session,
        )
    )
    await mails.receipt(ctx, changed)
    return changed


async def _keep(ctx: Ctx, payment: Payment, place: Account) -> None:
    """Money nobody asked for: kept for its owner, and told to those who send it back."""
    money = Money(payment.unapplied, payment.currency)
    memo = f"Payment {payment.receipt}, which no invoice accounts for"
    postings = (debit(place, money), credit(books.UNAPPLIED, money))
    await books.post(ctx, Entry("payments.unapplied", memo, postings, str(payment.id), payment.invoice_id))
    sums = {"unapplied": payment.unapplied, "currency": payment.currency}
    await findings.report(ctx, "unapplied", "payment", str(payment.id), payment_id=payment.id, ours=sums)
    ctx.emit(
        PaymentUnapplied(
            payment_id=payment.id,
            invoice_id=payment.invoice_id,
            amount=payment.unapplied,
            currency=payment.currency,
        )
    )
