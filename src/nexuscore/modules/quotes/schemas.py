"""What goes over the wire. Amounts are minor units, percentages and quantities are text."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from nexuscore.kernel.http import PageQuery, Schema

State = Literal["draft", "sent", "accepted", "invoiced", "expired", "withdrawn"]


def _no_float(value: object) -> object:
    if isinstance(value, float):
        raise PydanticCustomError("no_fraction", 'Write a fraction as text, such as "1.5".')
    return value


Exact = Annotated[Decimal, BeforeValidator(_no_float)]
Percent = Annotated[Exact, Field(ge=0, le=100, max_digits=6, decimal_places=3)]
Quantity = Annotated[Exact, Field(gt=0, le=1_000_000, max_digits=11, decimal_places=4)]
Words = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$"),
]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=50)]
Place = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class Item(Schema):
    """A price of the table."""

    code: Name
    description: Words
    unit_price: Annotated[int, Field(strict=True, ge=0, le=10**10)]


class NewPriceTable(Schema):
    """Prices to publish: the next version of the table with this name."""

    name: Name
    currency: Currency
    prices: Annotated[list[Item], Field(min_length=1, max_length=500)]
    rush_percent: Percent = Decimal(50)
    discount_cap: Percent = Decimal(15)


class PriceTableOut(Schema):
    """A version of a price table."""

    id: UUID
    name: str
    version: int
    currency: str
    prices: list[Item]
    rush_percent: Decimal
    discount_cap: Decimal
    published_at: datetime


class NewQuoteLine(Schema):
    """So much of an item of the price table."""

    item: Name
    quantity: Quantity = Decimal(1)


class Discount(Schema):
    """A discount on the base, and why; all together take no more than the table's cap."""

    reason: Words
    percent: Percent


class NewOffer(Schema):
    """What to offer. `place` decides the tax and defaults to the country of the customer's address."""

    table: Name
    lines: Annotated[list[NewQuoteLine], Field(min_length=1, max_length=100)]
    rush: bool = False
    discounts: Annotated[list[Discount], Field(max_length=10)] = Field(default_factory=list)
    place: Place | None = None
    note: Words | None = None


class NewQuote(NewOffer):
    """A quote for an organisation."""

    org_id: UUID


class QuoteLineOut(Schema):
    """A line as it was priced."""

    item: str
    description: str
    quantity: str
    unit_price: int
    amount: int


class DiscountOut(Schema):
    """A discount as it was given."""

    reason: str
    percent: str


class OfferOut(Schema):
    """What a version of a quote offers."""

    revision: int
    currency: str
    lines: list[QuoteLineOut]
    discounts: list[DiscountOut]
    discount_percent: Decimal
    place: str
    tax_code: str
    tax_rate: Decimal
    base: int
    rush: int
    discount: int
    subtotal: int
    tax: int
    total: int
    note: str | None
    created_at: datetime


class QuoteSummary(Schema):
    """A quote in a list."""

    id: UUID
    org_id: UUID
    number: str
    state: State
    revision: int
    sent_at: datetime | None
    valid_until: date | None
    accepted_revision: int | None
    accepted_at: datetime | None
    accepted_by: UUID | None
    accepted_name: str | None
    invoice_id: UUID | None
    created_at: datetime


class QuoteOut(QuoteSummary):
    """A quote with all its versions, the newest first."""

    versions: list[OfferOut]


class QuoteQuery(PageQuery):
    """A page of quotes."""


class Acceptance(Schema):
    """What is accepted: the version that was read, and its total."""

    revision: Annotated[int, Field(strict=True, ge=1)]
    total: Annotated[int, Field(strict=True, ge=0)]


class Reason(Schema):
    """Why; the customer may read it."""

    reason: Words


class RefundQuery(Schema):
    """How far the work is, in per cent; left out before it begins."""

    progress: Percent | None = None


class RefundOut(Schema):
    """What goes back, by the ladder, of what was paid so far."""

    currency: str
    paid: int
    rush: int
    progress: Decimal | None
    refundable: int
