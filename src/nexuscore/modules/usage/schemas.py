"""What goes over the wire. Amounts are whole micro-units: a millionth of the currency's major unit."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from nexuscore.kernel.http import Schema

Micro = Annotated[int, Field(strict=True, ge=0, le=10**15)]
Some = Annotated[int, Field(strict=True, ge=1, le=10**15)]
LEAST = 100  # what an order is for, in minor units
Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class RoomOut(Schema):
    """A cap and what is left of it, in one day or month (UTC). Without a cap, `cap_micro` and `left_micro` are null."""

    user_id: UUID | None
    period: str
    starts: date
    ends_at: datetime
    cap_micro: int | None
    spent_micro: int
    reserved_micro: int
    left_micro: int | None


class UsageOut(Schema):
    """Where the organisation stands: its credits, and this day and month."""

    currency: str
    credits_micro: int
    held_micro: int
    free_micro: int
    is_postpaid: bool
    warn_below_micro: int
    billable_micro: int
    rooms: list[RoomOut]


class OwnUsageOut(Schema):
    """Where one stands oneself: the caps of the organisation and one's own."""

    currency: str
    rooms: list[RoomOut]


class EntryOut(Schema):
    """One line of the ledger."""

    id: UUID
    number: int
    at: datetime
    user_id: UUID | None
    kind: str
    reason: str
    units: int
    price_micro: int
    cost_micro: int
    amount_micro: int
    billable_micro: int
    absorbed_micro: int


class CapIn(Schema):
    """The caps of the organisation, or with `user_id` of one member. Null lifts a cap."""

    user_id: UUID | None = None
    day_micro: Micro | None
    month_micro: Micro | None


class CapOut(Schema):
    """The caps of the organisation (`user_id` null) or of one member."""

    user_id: UUID | None
    day_micro: int | None
    month_micro: int | None


class OrderIn(Schema):
    """For how much money credits are wanted, in minor units before GST."""

    amount_minor: int = Field(strict=True, ge=LEAST, le=10**9, examples=[5000])


class OrderOut(Schema):
    """The invoice for credits: they are there once it is paid."""

    invoice_id: UUID
    number: str
    subtotal: int
    gst_amount: int
    total: int
    currency: str


class GrantIn(Schema):
    """Credits for an organisation."""

    organisation_id: UUID
    amount_micro: Some
    reason: Said


class TermsIn(Schema):
    """The terms of an organisation; what is left out stays."""

    organisation_id: UUID
    is_postpaid: bool | None = None
    warn_below_micro: Micro | None = None


class TermsOut(Schema):
    """The terms of an organisation."""

    is_postpaid: bool
    warn_below_micro: int
    currency: str
