"""What invoices announce. Amounts are minor units of `currency`; `source` says what an invoice is for."""

from datetime import date
from uuid import UUID

from nexuscore.kernel.events import Event


class InvoiceDrafted(Event, type="invoice.drafted", subject="invoice_id"):
    """An invoice was written; nobody owes anything yet."""

    invoice_id: UUID
    currency: str
    total: int
    source: str | None
    source_id: UUID | None


class InvoiceChanged(Event, type="invoice.changed", subject="invoice_id"):
    """A draft was changed."""

    invoice_id: UUID
    currency: str
    total: int


class InvoiceOpened(Event, type="invoice.opened", subject="invoice_id"):
    """An invoice got its number and is owed."""

    invoice_id: UUID
    number: str
    currency: str
    subtotal: int
    gst_amount: int
    total: int
    due_on: date
    source: str | None
    source_id: UUID | None


class InvoiceResent(Event, type="invoice.resent", subject="invoice_id"):
    """An invoice that is owed was mailed once more, because somebody asked for it."""

    invoice_id: UUID
    number: str
    currency: str
    to: str
    source: str | None
    source_id: UUID | None


class InvoicePartlyPaid(Event, type="invoice.partly_paid", subject="invoice_id"):
    """A part was paid; `amount` is this payment's."""

    invoice_id: UUID
    number: str
    currency: str
    payment_id: UUID
    amount: int
    amount_paid: int
    amount_due: int
    source: str | None
    source_id: UUID | None


class InvoicePaid(Event, type="invoice.paid", subject="invoice_id"):
    """Nothing is owed any more. `payment_id` is the payment that did it; a credit note or a total of 0 has none."""

    invoice_id: UUID
    number: str
    currency: str
    total: int
    amount_paid: int
    payment_id: UUID | None
    source: str | None
    source_id: UUID | None


class InvoiceOverdue(Event, type="invoice.overdue", subject="invoice_id"):
    """Its day has passed and something is still owed."""

    invoice_id: UUID
    number: str
    currency: str
    amount_due: int
    due_on: date
    source: str | None
    source_id: UUID | None


class InvoiceVoided(Event, type="invoice.voided", subject="invoice_id"):
    """It counts for nothing; if it had a number, that stays its own."""

    invoice_id: UUID
    number: str | None
    currency: str
    total: int
    reason: str
    source: str | None
    source_id: UUID | None


class InvoiceUncollectible(Event, type="invoice.uncollectible", subject="invoice_id"):
    """It is owed, but nobody expects it to be paid."""

    invoice_id: UUID
    number: str
    currency: str
    amount_due: int
    reason: str
    source: str | None
    source_id: UUID | None


class InvoiceRefunded(Event, type="invoice.refunded", subject="invoice_id"):
    """Money went back to the customer."""

    invoice_id: UUID
    number: str
    currency: str
    refund_id: UUID
    amount: int
    amount_refunded: int
    source: str | None
    source_id: UUID | None


class InvoicePaymentReversed(Event, type="invoice.payment_reversed", subject="invoice_id"):
    """A payment turned out not to be one: a lost dispute, a bounced transfer. The amount is owed again."""

    invoice_id: UUID
    number: str
    currency: str
    reversal_id: UUID
    amount: int
    amount_due: int
    source: str | None
    source_id: UUID | None


class CreditNoteIssued(Event, type="invoice.credit_note_issued", subject="invoice_id"):
    """A part of an invoice, or all of it, is no longer charged."""

    invoice_id: UUID
    credit_note_id: UUID
    number: str
    invoice_number: str
    currency: str
    subtotal: int
    gst_amount: int
    total: int
    reason: str
    source: str | None
    source_id: UUID | None


ALL = (
    InvoiceDrafted,
    InvoiceChanged,
    InvoiceOpened,
    InvoiceResent,
    InvoicePartlyPaid,
    InvoicePaid,
    InvoiceOverdue,
    InvoiceVoided,
    InvoiceUncollectible,
    InvoiceRefunded,
    InvoicePaymentReversed,
    CreditNoteIssued,
)
