"""What goes over the wire."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from nexuscore.kernel.http import Schema

State = Literal[
    "pending",
    "requires_action",
    "processing",
    "succeeded",
    "failed",
    "canceled",
    "partially_refunded",
    "refunded",
    "disputed",
    "charged_back",
]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Note = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]
Cents = Annotated[int, Field(strict=True, ge=1, le=10**12)]


class NewIntent(Schema):
    """Begin to pay an invoice. How much is for the invoice to say."""

    invoice_id: UUID
    kind: Literal["card", "paynow"] = "card"
    keep_method: bool = Field(False, description="Keep the card for renewals.")


class Confirmation(Schema):
    """The card to take the money from: one of the provider's ids, or a saved card's. PayNow needs neither."""

    payment_method: str | None = Field(None, min_length=1, max_length=255, pattern=r"^\w+$", examples=["pm_card_visa"])
    method_id: UUID | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.payment_method is None) == (self.method_id is None):
            raise ValueError("name either payment_method or method_id")
        return self


class PaymentOut(Schema):
    """A payment. Amounts are minor units of `currency`."""

    id: UUID
    invoice_id: UUID
    amount: int
    currency: str
    kind: str
    state: State
    action: dict[str, Any] | None = Field(
        description="What the payer has to do: `redirect` to a `url`, or pay what the `paynow_qr` says."
    )
    failure_code: str | None
    failure_decline: str | None
    failure_message: str | None
    brand: str | None
    last4: str | None
    received: int
    applied: int = Field(description="What of it paid the invoice.")
    unapplied: int = Field(description="What came without use, and is owed back.")
    refunded: int
    receipt: str | None
    reference: str | None
    paid_at: datetime | None
    created_at: datetime


class EveryPaymentOut(Schema):
    """A payment of whichever organisation."""

    id: UUID
    org_id: UUID
    organisation: str
    invoice_id: UUID
    amount: int
    currency: str
    kind: str
    provider: str
    state: State
    received: int
    unapplied: int
    refunded: int
    receipt: str | None
    paid_at: datetime | None
    created_at: datetime


class IntentOut(PaymentOut):
    """A payment, with what a browser needs to go on with it."""

    client_secret: str | None
    publishable_key: str | None


class NewRecord(Schema):
    """Money that came by bank or in cash."""

    invoice_id: UUID
    amount: Cents
    kind: Literal["bank_transfer", "cash", "paynow", "other"]
    reference: Line = Field(description="The bank's reference, or the number of the slip. Recorded once.")
    note: Note | None = Field(None, description="Where the proof is kept, who handed it over.")
    keep_rest: bool = Field(False, description="Keep what is more than due for the customer, to be sent back.")


class RecordOut(PaymentOut):
    """Money recorded by hand, with who did it and what they noted."""

    note: str | None
    created_by: UUID | None


class NewRefund(Schema):
    """Send money back: all that is left, or a part."""

    amount: Cents | None = None
    reason: Line
    reference: Line | None = Field(None, description="Of a payment by hand: the bank's reference of the way back.")


class TakenBack(Schema):
    """Why money that was recorded turned out not to be ours."""

    reason: Line = Field(description="A transfer that was returned, a cheque that bounced, a slip of the pen.")


class RefundOut(Schema):
    """Money on its way back."""

    id: UUID
    payment_id: UUID
    amount: int
    currency: str
    from_applied: int
    from_unapplied: int
    state: Literal["pending", "succeeded", "failed", "canceled"]
    reason: str
    reference: str | None
    failure: str | None
    done_at: datetime | None
    created_at: datetime


class DisputeOut(Schema):
    """A payment the payer's bank wants back."""

    id: UUID
    payment_id: UUID
    amount: int
    currency: str
    state: Literal["inquiry", "open", "won", "lost", "closed"]
    reason: str
    due_by: datetime | None
    closed_at: datetime | None
    created_at: datetime


class SetupOut(Schema):
    """A card about to be saved: confirm it with Stripe.js, then tell us."""

    setup_id: str
    client_secret: str | None
    publishable_key: str | None


class NewMethod(Schema):
    """Save the card of a setup; with `payment_method`, confirm it here first."""

    setup_id: str = Field(min_length=1, max_length=255, pattern=r"^\w+$")
    payment_method: str | None = Field(None, min_length=1, max_length=255, pattern=r"^\w+$")


class MethodOut(Schema):
    """A saved card."""

    id: UUID
    kind: str
    brand: str | None
    last4: str | None
    exp_month: int | None
    exp_year: int | None
    is_default: bool
    created_at: datetime


class Period(Schema):
    """What to compare: both days included, in UTC."""

    since: date
    until: date


class ReconciliationOut(Schema):
    """One comparison with the provider."""

    id: UUID
    provider: str
    since: datetime
    until: datetime
    started_at: datetime
    compared: int
    differing: int


class FindingOut(Schema):
    """Something a person must look at."""

    id: UUID
    kind: str
    thing: str
    thing_id: str
    org_id: UUID | None
    payment_id: UUID | None
    ours: dict[str, Any] | None
    theirs: dict[str, Any] | None
    found_at: datetime
    settled_at: datetime | None
    note: str | None


class Settlement(Schema):
    """What was done about a finding."""

    note: Note
