"""What is stored. Triggers refuse steps the states do not know, changes of what a payment is for, and removal."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from nexuscore.kernel.tables import SCOPE, Id, OrgOwned, Table, Timestamped
from nexuscore.modules.payments.states import BY_HAND, DISPUTE, LIVE, PAYMENT, REFUND

KINDS = ("card", "paynow", "bank_transfer", "cash", "other")


class Transition(Table):
    """A step a payment, a refund or a dispute may take. Triggers read it, nobody writes it."""

    __tablename__ = "payment_transitions"

    thing: Mapped[str] = mapped_column(Text, primary_key=True)
    before: Mapped[str] = mapped_column(Text, primary_key=True)
    after: Mapped[str] = mapped_column(Text, primary_key=True)


class Payment(OrgOwned, Timestamped, Table):
    """Money for an invoice, from the first intent on. `received` is what came: `applied` to the invoice, and the rest.

    The rest, `unapplied`, is owed back: it came after the invoice was void or paid otherwise.
    """

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint(f"state IN {tuple(PAYMENT)}", name="state"),
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("applied >= 0 AND unapplied >= 0 AND applied + unapplied = received", name="received"),
        CheckConstraint("(received > 0) = (paid_at IS NOT NULL)", name="paid"),
        CheckConstraint("(receipt IS NULL) = (paid_at IS NULL)", name="receipt"),
        CheckConstraint("(fee IS NULL) = (fee_currency IS NULL) AND (fee IS NULL OR paid_at IS NOT NULL)", name="fee"),
        CheckConstraint("refunded >= 0 AND refunding >= 0 AND refunded + refunding <= received", name="refunded"),
        Index("uq_payments_provider_id", "provider", "provider_id", unique=True),
        Index("uq_payments_request_key", "org_id", "request_key", unique=True),
        Index(
            "uq_payments_live",
            "invoice_id",
            unique=True,
            postgresql_where=text(f"state IN {LIVE} AND provider NOT IN {BY_HAND}"),
        ),
        Index("ix_payments_invoice_id", "invoice_id"),
        Index("ix_payments_open", "updated_at", postgresql_where=text(f"state IN {LIVE}")),
    )

    id: Mapped[Id]
    invoice_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("invoices.id"))
    amount: Mapped[int]
    currency: Mapped[str]
    kind: Mapped[str]
    provider: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=text("'pending'"))
    provider_id: Mapped[str | None]
    request_key: Mapped[str | None]
    request_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    confirm_key: Mapped[str | None]
    action: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    failure_code: Mapped[str | None]
    failure_decline: Mapped[str | None]
    failure_message: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    failed_attempt: Mapped[int] = mapped_column(server_default=text("0"))
    off_session: Mapped[bool] = mapped_column(server_default=text("false"))
    keep_method: Mapped[bool] = mapped_column(server_default=text("false"))
    method_id: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("payment_methods.id"))
    brand: Mapped[str | None]
    last4: Mapped[str | None]
    received: Mapped[int] = mapped_column(server_default=text("0"))
    applied: Mapped[int] = mapped_column(server_default=text("0"))
    unapplied: Mapped[int] = mapped_column(server_default=text("0"))
    refunded: Mapped[int] = mapped_column(server_default=text("0"))
    refunding: Mapped[int] = mapped_column(server_default=text("0"))
    receipt: Mapped[str | None] = mapped_column(unique=True)
    paid_at: Mapped[datetime | None]
    fee: Mapped[int | None]
    fee_currency: Mapped[str | None]
    reference: Mapped[str | None]
    note: Mapped[str | None]
    created_by: Mapped[UUID | None] = mapped_column(Uuid)


class Refund(OrgOwned, Timestamped, Table):
    """Money on its way back, taken off what paid the invoice and off what paid nothing."""

    __tablename__ = "payment_refunds"
    __table_args__ = (
        CheckConstraint(f"state IN {tuple(REFUND)}", name="state"),
        CheckConstraint("from_applied >= 0 AND from_unapplied >= 0", name="parts"),
        CheckConstraint("amount > 0 AND from_applied + from_unapplied = amount", name="amount"),
        Index("uq_payment_refunds_provider_id", "provider", "provider_id", unique=True),
        Index("ix_payment_refunds_payment_id", "payment_id"),
    )

    id: Mapped[Id]
    payment_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("payments.id"))
    provider: Mapped[str]
    provider_id: Mapped[str | None]
    amount: Mapped[int]
    currency: Mapped[str]
    from_applied: Mapped[int]
    from_unapplied: Mapped[int]
    state: Mapped[str] = mapped_column(server_default=text("'pending'"))
    reason: Mapped[str]
    reference: Mapped[str | None]
    failure: Mapped[str | None]
    done_at: Mapped[datetime | None]
    created_by: Mapped[UUID | None] = mapped_column(Uuid)


class Dispute(OrgOwned, Timestamped, Table):
    """A payment the payer's bank wants back. While it is open, the money is held by the provider."""

    __tablename__ = "payment_disputes"
    __table_args__ = (
        CheckConstraint(f"state IN {tuple(DISPUTE)}", name="state"),
        CheckConstraint("amount > 0", name="amount"),
        Index("uq_payment_disputes_provider_id", "provider", "provider_id", unique=True),
        Index("ix_payment_disputes_payment_id", "payment_id"),
    )

    id: Mapped[Id]
    payment_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("payments.id"))
    provider: Mapped[str]
    provider_id: Mapped[str]
    amount: Mapped[int]
    currency: Mapped[str]
    state: Mapped[str]
    reason: Mapped[str]
    held: Mapped[bool] = mapped_column(server_default=text("false"))
    lost_unapplied: Mapped[int] = mapped_column(server_default=text("0"))
    fee: Mapped[int] = mapped_column(server_default=text("0"))
    fee_currency: Mapped[str | None]
    due_by: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]


class Payer(OrgOwned, Table):
    """An organisation as a customer of a provider."""

    __tablename__ = "payment_payers"

    org_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=text(SCOPE), sort_order=-10)
    provider: Mapped[str] = mapped_column(Text, primary_key=True)
    provider_id: Mapped[str] = mapped_column(unique=True)


class SavedMethod(OrgOwned, Timestamped, Table):
    """A card kept at the provider, to be charged when a subscription is renewed."""

    __tablename__ = "payment_methods"
    __table_args__ = (
        Index("uq_payment_methods_provider_id", "provider", "provider_id", unique=True),
        Index(
            "uq_payment_methods_default",
            "org_id",
            "provider",
            unique=True,
            postgresql_where=text("is_default AND removed_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    provider: Mapped[str]
    provider_id: Mapped[str]
    kind: Mapped[str]
    brand: Mapped[str | None]
    last4: Mapped[str | None]
    exp_month: Mapped[int | None]
    exp_year: Mapped[int | None]
    is_default: Mapped[bool] = mapped_column(server_default=text("false"))
    removed_at: Mapped[datetime | None]
    created_by: Mapped[UUID | None] = mapped_column(Uuid)


class ReceiptNumber(Table):
    """The last receipt number of a month. Its row is locked until the transaction ends, so none is lost."""

    __tablename__ = "payment_receipts"

    month: Mapped[str] = mapped_column(Text, primary_key=True)
    last: Mapped[int]


class Reconciliation(Table):
    """One comparison of our payments with the provider's."""

    __tablename__ = "payment_reconciliations"

    id: Mapped[Id]
    provider: Mapped[str]
    since: Mapped[datetime]
    until: Mapped[datetime]
    started_at: Mapped[datetime]
    compared: Mapped[int]
    differing: Mapped[int]


class Finding(Table):
    """Something a person must look at: we and the provider differ, or money came that nobody asked for."""

    __tablename__ = "payment_findings"
    __table_args__ = (
        Index(
            "uq_payment_findings_open",
            "kind",
            "thing",
            "thing_id",
            unique=True,
            postgresql_where=text("settled_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    kind: Mapped[str]
    thing: Mapped[str]
    thing_id: Mapped[str]
    org_id: Mapped[UUID | None] = mapped_column(Uuid)
    payment_id: Mapped[UUID | None] = mapped_column(Uuid)
    ours: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    theirs: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    found_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[UUID | None] = mapped_column(Uuid)
    note: Mapped[str | None]
