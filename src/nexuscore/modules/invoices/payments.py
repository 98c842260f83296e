"""Money that moves for an invoice: payments, refunds, and payments that turn out not to be one.

Each is known by its reference within the organisation: recorded twice, it counts once.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.modules import books
from nexuscore.modules.books import Account
from nexuscore.modules.invoices import credit_notes, postings
from nexuscore.modules.invoices.drafts import lock
from nexuscore.modules.invoices.errors import (
    AlreadyPaid,
    InvoiceVoid,
    NotOpen,
    OverPayment,
    OverRefund,
    ReferenceReused,
    WrongCurrency,
)
from nexuscore.modules.invoices.events import InvoicePartlyPaid, InvoicePaymentReversed, InvoiceRefunded
from nexuscore.modules.invoices.postings import METHODS
from nexuscore.modules.invoices.settling import about, settle
from nexuscore.modules.invoices.tables import Invoice, Payment

_RECORD = insert(Payment).on_conflict_do_nothing().returning(Payment)
_EARLIER = select(Payment).where(Payment.kind == bindparam("of_kind"), Payment.reference == bindparam("given"))
_OF_INVOICE = select(Payment).where(Payment.invoice_id == bindparam("of_invoice")).order_by(Payment.id)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded, and the invoice as it is now; `repeated` when it was recorded before and nothing changed."""

    payment: Payment
    invoice: Invoice
    repeated: bool = False


async def of_invoice(ctx: Ctx, invoice_id: UUID) -> list[Payment]:
    """The money that moved for an invoice, oldest first."""
    return await ctx.db.all(_OF_INVOICE, of_invoice=invoice_id)


async def record_payment(
    ctx: Ctx, invoice_id: UUID, amount: int, currency: str, *, reference: str, method: str, at: Account | None = None
) -> Recorded:
    """Money came in for an invoice: all that is due, or a part, never more.

    `at` is where the money is, if not where its method puts it. A void invoice takes none: return the money.
    """
    invoice = await lock(ctx, invoice_id)
    if earlier := await _earlier(ctx, invoice, "payment", amount, currency, reference):
        return earlier
    _check(invoice, amount, currency, reference, method)
    if invoice.state in ("paid", "credited"):
        raise AlreadyPaid
    if amount > invoice.amount_due:
        raise OverPayment(details={"amount_due": invoice.amount_due, "currency": currency})
    payment = await _record(ctx, invoice, "payment", amount, reference, method)
    await books.post(ctx, postings.moved(invoice, payment, at or METHODS[method]))
    changed = await settle(ctx, invoice, payment.id, paid=amount)
    if changed.amount_due:
        sums = {"amount": amount, "amount_paid": changed.amount_paid, "amount_due": changed.amount_due}
        ctx.emit(InvoicePartlyPaid(**about(changed), payment_id=payment.id, **sums))
    return Recorded(payment, changed)


async def record_refund(
    ctx: Ctx,
    invoice_id: UUID,
    amount: int,
    currency: str,
    *,
    reference: str,
    method: str,
    reason: str,
    at: Account | None = None,
) -> Recorded:
    """Money went back to the customer. What no credit note covers yet is credited with it, GST included."""
    invoice = await lock(ctx, invoice_id)
    if earlier := await _earlier(ctx, invoice, "refund", amount, currency, reference):
        return earlier
    _check(invoice, amount, currency, reference, method)
    refundable = invoice.amount_paid - invoice.amount_refunded
    if amount > refundable:
        raise OverRefund(details={"refundable": refundable, "currency": currency})
    uncovered = max(amount - invoice.credit_balance, 0)
    if uncovered:
        await credit_notes.write(ctx, invoice, reason=reason, amount=uncovered)
    refund = await _record(ctx, invoice, "refund", amount, reference, method)
    changed = await settle(ctx, invoice, refund.id, refunded=amount, credited=uncovered)
    await books.post(ctx, postings.moved(invoice, refund, at or METHODS[method]))
    ctx.emit(
        InvoiceRefunded(**about(changed), refund_id=refund.id, amount=amount, amount_refunded=changed.amount_refunded)
    )
    return Recorded(refund, changed)


async def record_reversal(
    ctx: Ctx, invoice_id: UUID, amount: int, currency: str, *, reference: str, method: str, at: Account | None = None
) -> Recorded:
    """A payment was taken back from us: a dispute lost, a transfer returned. The amount is owed again."""
    invoice = await lock(ctx, invoice_id)
    if earlier := await _earlier(ctx, invoice, "reversal", amount, currency, reference):
        return earlier
    _check(invoice, amount, currency, reference, method)
    reversible = invoice.amount_paid - invoice.amount_refunded
    if amount > reversible:
        raise OverRefund(details={"refundable": reversible, "currency": currency})
    reversal = await _record(ctx, invoice, "reversal", amount, reference, method)
    changed = await settle(ctx, invoice, reversal.id, paid=-amount)
    await books.post(ctx, postings.moved(invoice, reversal, at or METHODS[method]))
    ctx.emit(
        InvoicePaymentReversed(**about(changed), reversal_id=reversal.id, amount=amount, amount_due=changed.amount_due)
    )
    return Recorded(reversal, changed)


async def _earlier(
    ctx: Ctx, invoice: Invoice, kind: str, amount: int, currency: str, reference: str
) -> Recorded | None:
    """The same thing as it was recorded before; another thing with that reference is refused."""
    found = await ctx.db.first(_EARLIER, of_kind=kind, given=reference)
    if found is None:
        return None
    if (found.invoice_id, found.amount, found.currency) != (invoice.id, amount, currency):
        raise ReferenceReused
    return Recorded(found, invoice, repeated=True)


def _check(invoice: Invoice, amount: int, currency: str, reference: str, method: str) -> None:
    if invoice.state == "void":
        raise InvoiceVoid
    if invoice.state == "draft":
        raise NotOpen(details={"state": invoice.state})
    if currency != invoice.currency:
        raise WrongCurrency(details={"currency": invoice.currency})
    faults = []
    if type(amount) is not int or amount <= 0:
        faults.append(Fault("amount", "not_positive", "The amount must be more than zero."))
    if method not in METHODS:
        faults.append(Fault("method", "unknown_method", "There is no such way to pay."))
    if not (0 < len(reference) <= 255 and reference.isprintable()):
        faults.append(Fault("reference", "malformed", "A reference has 1 to 255 printable characters."))
    if faults:
        raise ValidationError.of(faults)


async def _record(ctx: Ctx, invoice: Invoice, kind: str, amount: int, reference: str, method: str) -> Payment:
    row = await ctx.db.first(
        _RECORD,
        invoice_id=invoice.id,
        kind=kind,
        amount=amount,
        currency=invoice.currency,
        method=method,
        reference=reference,
        created_at=ctx.now,
        created_by=ctx.actor.id,
    )
    if row is None:
        raise ReferenceReused
    return row
