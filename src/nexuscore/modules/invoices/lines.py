"""The lines of an invoice: what was asked for, and what is stored of it."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from nexuscore.kernel.http import Schema
from nexuscore.kernel.money import Money
from nexuscore.modules.invoices.tax import AskedCode, Treatment


def _no_float(value: object) -> object:
    if isinstance(value, float):
        raise PydanticCustomError("no_fraction", 'Write a fraction as text, such as "1.5".')
    return value


Quantity = Annotated[Decimal, BeforeValidator(_no_float), Field(gt=0, le=1_000_000, max_digits=11, decimal_places=4)]
Minor = Annotated[int, Field(strict=True, ge=-(10**10), le=10**10)]
Words = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$"),
]
AccountCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=50)]


class NewLine(Schema):
    """Something to charge for. `unit_price` is in minor units, below zero for what is taken off.

    `tax` moves a line away from the invoice's GST code: ZR, ES (TX is read as ES) or OS; never to the standard rate.
    """

    description: Words
    quantity: Quantity = Decimal(1)
    unit_price: Minor
    tax: AskedCode | None = None
    account: AccountCode = "revenue"


NewLines = Annotated[list[NewLine], Field(min_length=1, max_length=200)]


class LineOut(Schema):
    """A line as it is stored. `amount` is quantity times unit price, rounded half up."""

    description: str
    quantity: str
    unit_price: int
    amount: int
    code: str
    tax: str | None
    account: str


def stored(lines: Sequence[NewLine], currency: str, treated: Treatment) -> list[dict[str, Any]]:
    """The lines as they are kept, each with its amount and its GST code."""
    return [
        {
            "description": line.description,
            "quantity": _plain(line.quantity),
            "unit_price": line.unit_price,
            "amount": Money(line.unit_price, currency).times(line.quantity).minor,
            "code": treated.of(line.tax),
            "tax": line.tax,
            "account": line.account,
        }
        for line in lines
    ]


def again(lines: Sequence[Any]) -> list[NewLine]:
    """Stored lines as they were asked for."""
    return [NewLine(**{name: line[name] for name in NewLine.model_fields}) for line in lines]


def by_code(lines: Sequence[Any], part: str = "amount") -> dict[str, int]:
    """What stored lines sum to, by GST code."""
    sums: dict[str, int] = {}
    for line in lines:
        sums[line["code"]] = sums.get(line["code"], 0) + line[part]
    return sums


def by_account(lines: Sequence[Any]) -> dict[str, int]:
    """What stored lines sum to, by the account they are booked on."""
    sums: dict[str, int] = {}
    for line in lines:
        sums[line["account"]] = sums.get(line["account"], 0) + line["amount"]
    return sums


def gst_of(taxable: int, rate: Decimal) -> int:
    """The GST on an amount, rounded half up; what the database computes, for showing it before."""
    return int((taxable * rate).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _plain(quantity: Decimal) -> str:
    text = f"{quantity:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
