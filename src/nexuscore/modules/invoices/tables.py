"""What is stored. An invoice is one row; subtotal, GST and total are computed by PostgreSQL, from the lines.

A trigger refuses every change of what an invoice says once it is open, every step of its state that the docs do not
draw, and every removal. Payments and credit notes are append-only.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, Numeric, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from nexuscore.kernel.tables import Id, OrgOwned, Table, Timestamped

STATES = ("draft", "open", "partly_paid", "paid", "credited", "void", "uncollectible")
OWED = ("open", "partly_paid")
_SUMS = "state, lines, gst_rate, amount_paid, amount_refunded, amount_credited"


class Counter(Table):
    """The last number given in a month. Its row is locked until the transaction ends, so no number is lost."""

    __tablename__ = "invoice_counters"

    series: Mapped[str] = mapped_column(Text, primary_key=True)
    month: Mapped[str] = mapped_column(Text, primary_key=True)
    last: Mapped[int]


class Invoice(OrgOwned, Timestamped, Table):
    """What an organisation owes the platform. Amounts are minor units of `currency`."""

    __tablename__ = "invoices"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint("gst_code IN ('SR', 'ZR', 'ES', 'OS')", name="gst_code"),
        CheckConstraint("gst_rate >= 0 AND gst_rate < 1", name="gst_rate"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint("gst_amount = 0 OR currency = 'SGD'", name="gst_in_sgd"),
        CheckConstraint("invoice_lines_add_up(lines)", name="lines"),
        CheckConstraint("subtotal >= 0 AND taxable >= 0", name="subtotal"),
        CheckConstraint("amount_paid >= 0 AND amount_paid <= total", name="amount_paid"),
        CheckConstraint("amount_refunded >= 0 AND amount_refunded <= amount_paid", name="amount_refunded"),
        CheckConstraint("amount_credited >= 0 AND amount_credited <= total", name="amount_credited"),
        CheckConstraint("state <> 'paid' OR (paid_at IS NOT NULL AND amount_due = 0)", name="paid"),
        CheckConstraint("(number IS NULL) = (issued_on IS NULL)", name="issued"),
        CheckConstraint("(number IS NULL) = (due_on IS NULL)", name="due"),
        CheckConstraint("state = 'void' OR (number IS NULL) = (state = 'draft')", name="number"),
        CheckConstraint("number IS NULL OR (supplier IS NOT NULL AND customer IS NOT NULL)", name="parties"),
        Index("ix_invoices_org_id_state", "org_id", "state"),
        Index("ix_invoices_due_on", "due_on", postgresql_where=text("state IN ('open', 'partly_paid')")),
        Index("ix_invoices_issued_on", "issued_on"),
        Index("ix_invoices_source", "source_id", "source"),
    )

    id: Mapped[Id]
    org_id: Mapped[UUID] = mapped_column(
        Uuid,
        ForeignKey("organisations.id"),
        server_default=text("nullif(current_setting('nexus.org', true), '')::uuid"),
        sort_order=-10,
    )
    number: Mapped[str | None] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(server_default=text("'draft'"))
    currency: Mapped[str]
    lines: Mapped[list[Any]] = mapped_column(JSONB)
    gst_code: Mapped[str]
    gst_rate: Mapped[Decimal] = mapped_column(Numeric(5, 4))
    subtotal: Mapped[int] = mapped_column(Computed("invoice_subtotal(lines)", persisted=True))
    taxable: Mapped[int] = mapped_column(Computed("invoice_taxable(lines)", persisted=True))
    gst_amount: Mapped[int] = mapped_column(Computed("invoice_gst(lines, gst_rate)", persisted=True))
    total: Mapped[int] = mapped_column(Computed("invoice_total(lines, gst_rate)", persisted=True))
    amount_paid: Mapped[int] = mapped_column(server_default=text("0"))
    amount_refunded: Mapped[int] = mapped_column(server_default=text("0"))
    amount_credited: Mapped[int] = mapped_column(server_default=text("0"))
    amount_due: Mapped[int] = mapped_column(Computed(f"invoice_due({_SUMS})", persisted=True))
    credit_balance: Mapped[int] = mapped_column(Computed(f"invoice_credit_balance({_SUMS})", persisted=True))
    due_days: Mapped[int]
    issued_on: Mapped[date | None]
    due_on: Mapped[date | None]
    paid_at: Mapped[datetime | None]
    voided_on: Mapped[date | None]
    overdue_at: Mapped[datetime | None]
    written_off: Mapped[int] = mapped_column(server_default=text("0"))
    supplier: Mapped[dict[str, Any] | None]
    customer: Mapped[dict[str, Any] | None]
    source: Mapped[str | None]
    source_id: Mapped[UUID | None] = mapped_column(Uuid)
    customer_reference: Mapped[str | None]
    memo: Mapped[str | None]
    reason: Mapped[str | None]
    created_by: Mapped[UUID | None] = mapped_column(Uuid)


class Payment(OrgOwned, Table):
    """Money that moved for an invoice: a payment, a refund, or a payment that turned out not to be one."""

    __tablename__ = "invoice_payments"
    __table_args__ = (
        CheckConstraint("kind IN ('payment', 'refund', 'reversal')", name="kind"),
        CheckConstraint("amount > 0", name="amount"),
        Index("uq_invoice_payments_reference", "org_id", "kind", "reference", unique=True),
        Index("ix_invoice_payments_invoice_id", "invoice_id"),
    )

    id: Mapped[Id]
    invoice_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("invoices.id"))
    kind: Mapped[str]
    amount: Mapped[int]
    currency: Mapped[str]
    method: Mapped[str]
    reference: Mapped[str]
    created_at: Mapped[datetime]
    created_by: Mapped[UUID | None] = mapped_column(Uuid)


class CreditNote(OrgOwned, Table):
    """What is no longer charged of an invoice, by GST code, each part with its GST."""

    __tablename__ = "credit_notes"
    __table_args__ = (
        CheckConstraint("subtotal >= 0 AND gst_amount >= 0 AND total > 0", name="amounts"),
        Index("ix_credit_notes_invoice_id", "invoice_id"),
        Index("ix_credit_notes_issued_on", "issued_on"),
    )

    id: Mapped[Id]
    invoice_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("invoices.id"))
    number: Mapped[str] = mapped_column(unique=True)
    currency: Mapped[str]
    lines: Mapped[list[Any]] = mapped_column(JSONB)
    gst_rate: Mapped[Decimal] = mapped_column(Numeric(5, 4))
    subtotal: Mapped[int] = mapped_column(Computed("credit_note_sum(lines, 'net'::text)", persisted=True))
    gst_amount: Mapped[int] = mapped_column(Computed("credit_note_sum(lines, 'gst'::text)", persisted=True))
    total: Mapped[int] = mapped_column(Computed("credit_note_total(lines)", persisted=True))
    reason: Mapped[str]
    issued_on: Mapped[date]
    created_at: Mapped[datetime]
    created_by: Mapped[UUID | None] = mapped_column(Uuid)


class Document(OrgOwned, Table):
    """The PDF of an invoice, or of a credit note of it, in a language. It is made once, for neither changes."""

    __tablename__ = "invoice_documents"
    __table_args__ = (
        CheckConstraint("language IN ('en', 'he', 'pl')", name="language"),
        Index(
            "uq_invoice_documents_language",
            "invoice_id",
            "credit_note_id",
            "language",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
    )

    id: Mapped[Id]
    invoice_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("invoices.id"))
    credit_note_id: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("credit_notes.id"))
    language: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    ready_at: Mapped[datetime | None]
