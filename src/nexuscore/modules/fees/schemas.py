"""What goes over the wire. Percentages are text with two decimals: a JSON number would be a float."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from nexuscore.kernel.http import Schema
from nexuscore.kernel.money import Money, exponent
from nexuscore.modules.fees.arithmetic import checked


def _text(value: Any) -> Any:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, str) and value.isascii() and value.replace(".", "", 1).isdigit():
        return value
    raise ValueError('Write the percentage as text, such as "12.50".')


def _percentage(value: Decimal) -> Decimal:
    try:
        return checked(value)
    except ValueError:
        raise ValueError("A fee is between 0.00 and 100.00 per cent, with two decimals.") from None


def _currency(value: str) -> str:
    try:
        exponent(value)
    except ValueError:
        raise ValueError("This is not a currency code.") from None
    return value


Percentage = Annotated[
    Decimal,
    BeforeValidator(_text),
    AfterValidator(_percentage),
    WithJsonSchema({"type": "string", "pattern": r"^\d{1,3}(\.\d{1,2})?$", "examples": ["12.50"]}),
]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), AfterValidator(_currency)]
Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class FeeOut(Schema):
    """The fee as it is set. While it is not active, `percentage` and `decimal` are zero: nothing is charged."""

    id: int
    fee_percentage: Decimal
    is_active: bool
    description: str
    percentage: Decimal
    decimal: Decimal
    version: int
    updated_by: UUID | None
    updated_at: datetime


class FeeChangeIn(Schema):
    """What to change; what is left out stays. `reason` is kept for good."""

    fee_percentage: Percentage | None = None
    is_active: bool | None = None
    description: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] | None = None
    reason: Said = Field(description="Why, for whoever reads the history.")
    version: int | None = Field(None, ge=1, description="The version this is a change of; refused when it moved on.")


class FeeChangeOut(Schema):
    """A fee there was. `effective_until` is null for the one that is in force."""

    version: int
    fee_percentage: Decimal
    is_active: bool
    description: str
    reason: str
    changed_by: UUID | None
    effective_from: datetime
    effective_until: datetime | None


class FiguresOut(Schema):
    """What an order comes to. The host earns `subtotal`, the platform `fee`, the buyer pays `total`."""

    base: Money
    quantity: int
    percentage: Decimal
    subtotal: Money
    fee: Money
    total: Money
    each: Money
    version: int
    variant: str
