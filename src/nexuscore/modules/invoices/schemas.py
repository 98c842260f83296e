"""What goes over the wire. Amounts are minor units of the currency, rates are fractions written as text."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from nexuscore.kernel.http import PageQuery, Schema
from nexuscore.modules.invoices.lines import LineOut, NewLines, Words
from nexuscore.modules.invoices.tax import Code

State = Literal["draft", "open", "partly_paid", "paid", "credited", "void", "uncollectible"]
Language = Literal["en", "he", "pl"]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Amount = Annotated[int, Field(strict=True, gt=0, le=10**15)]
Reference = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Days = Annotated[int, Field(ge=0, le=365)]


class InvoiceSummary(Schema):
    """An invoice in a list. `days_overdue` counts from its last day while something is owed."""

    id: UUID
    org_id: UUID
    number: str | None
    state: State
    currency: str
    gst_code: Code
    gst_rate: str
    subtotal: int
    gst_amount: int
    total: int
    amount_paid: int
    amount_refunded: int
    amount_credited: int
    amount_due: int
    credit_balance: int
    issued_on: date | None
    due_on: date | None
    days_overdue: int
    paid_at: datetime | None
    source: str | None
    source_id: UUID | None
    customer_reference: str | None
    created_at: datetime


class PaymentOut(Schema):
    """Money that moved for an invoice."""

    id: UUID
    kind: Literal["payment", "refund", "reversal"]
    amount: int
    currency: str
    method: str
    reference: str
    created_at: datetime


class CreditedLine(Schema):
    """What a credit note takes off under one GST code."""

    code: Code
    net: int
    gst: int


class CreditNoteOut(Schema):
    """What is no longer charged of an invoice."""

    id: UUID
    invoice_id: UUID
    number: str
    currency: str
    lines: list[CreditedLine]
    subtotal: int
    gst_amount: int
    total: int
    reason: str
    issued_on: date


class InvoiceOut(InvoiceSummary):
    """An invoice with everything it says, the money that moved for it, and its credit notes."""

    lines: list[LineOut]
    supplier: dict[str, Any] | None
    customer: dict[str, Any] | None
    memo: str | None
    reason: str | None
    due_days: int
    payments: list[PaymentOut]
    credit_notes: list[CreditNoteOut]


class InvoiceQuery(PageQuery):
    """A page of an organisation's invoices."""

    state: State | None = Field(None, description="Invoices in this state alone.")


class EverywhereQuery(InvoiceQuery):
    """A page of all organisations' invoices."""

    org_id: UUID | None = Field(None, description="Invoices of this organisation alone.")


class NewInvoice(Schema):
    """An invoice to be drafted. Its GST follows from its day, supplier and customer, never from what is sent."""

    org_id: UUID
    lines: NewLines
    currency: Currency = "SGD"
    due_days: Days | None = None
    customer_reference: Words | None = None
    memo: Words | None = None


class InvoiceChange(Schema):
    """A draft written anew: its lines, and whichever terms are given."""

    lines: NewLines
    due_days: Days | None = None
    customer_reference: Words | None = None
    memo: Words | None = None


class Reason(Schema):
    """Why; the customer may read it."""

    reason: Words


class NewPayment(Schema):
    """Money that came to the bank or in cash. The reference is the bank's, or a slip's: the same one counts once."""

    amount: Amount
    currency: Currency
    method: Literal["bank_transfer", "cash", "paynow", "other"]
    reference: Reference


class NewCreditNote(Schema):
    """What to charge less, GST included: an amount, amounts by GST code, or with neither all that is left."""

    reason: Words
    amount: Amount | None = None
    amounts: dict[Code, Amount] | None = Field(None, min_length=1)


class Document(Schema):
    """A PDF. `link` works without signing in until it expires; while it is still being made there is none."""

    state: Literal["ready", "waiting"]
    language: Language
    link: str | None
    expires_at: datetime | None


class GstRow(Schema):
    """What one document says under one GST code; what is taken off is below zero."""

    kind: Literal["invoice", "void", "credit_note"]
    number: str
    day: date
    customer: str
    gst_number: str | None
    currency: str
    code: Code
    gst_rate: str
    net: int
    gst: int


class GstBoxes(Schema):
    """The boxes of form F5 that sales decide, in cents."""

    box1_standard_rated: int
    box2_zero_rated: int
    box3_exempt: int
    box4_total: int
    box6_output_tax: int
    box13_revenue: int


class GstReport(Schema):
    """A quarter. Documents in another currency than SGD are in no box; `not_in_sgd` names their currencies."""

    year: int
    quarter: int
    since: date
    until: date
    boxes: GstBoxes
    out_of_scope: int
    documents: int
    not_in_sgd: list[str]
