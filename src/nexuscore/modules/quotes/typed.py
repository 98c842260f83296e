"""What people type into the forms of quotes and prices, made into what the API takes."""

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError as PydanticError

from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.kernel.faults import fault_of
from nexuscore.kernel.http import Schema, amount_of
from nexuscore.kernel.money import exponent
from nexuscore.modules.invoices import number_of
from nexuscore.modules.quotes.schemas import Currency, Discount, Item, Name, NewOffer, NewPriceTable, NewQuoteLine

M = TypeVar("M", bound=BaseModel)


class TypedDiscount(Schema):
    """A row of discounts; an empty one is left out."""

    reason: str = Field("", max_length=1000)
    percent: str = Field("", max_length=20)


class TypedOffer(Schema):
    """An offer as it is typed: a quantity beside each item of the table that is wanted."""

    table: Name
    quantities: dict[str, str] = Field(default_factory=dict, max_length=500)
    rush: bool = False
    discounts: list[TypedDiscount] = Field(default_factory=list, max_length=10)
    place: str | None = Field(None, max_length=10)
    note: str | None = Field(None, max_length=1000)


class TypedItem(Schema):
    """A row of a price table; an empty one is left out."""

    code: str = Field("", max_length=100)
    description: str = Field("", max_length=1000)
    unit_price: str = Field("", max_length=40)


class TypedPrices(Schema):
    """Prices as they are typed."""

    name: Name
    currency: Currency
    prices: list[TypedItem] = Field(default_factory=list, max_length=500)
    rush_percent: str = Field("50", max_length=20)
    discount_cap: str = Field("15", max_length=20)


class TypedAcceptance(Schema):
    """What was read and is accepted."""

    revision: int = Field(ge=1)
    total: int = Field(ge=0)


class Faults:
    """The faults of a form, gathered while its rows are read."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def read(self, model: type[M], values: dict[str, Any], place: str) -> M | None:
        """The values as a model; what is wrong with one is noted beside its field. `{}` in `place` is the field."""
        try:
            return model.model_validate(values)
        except PydanticError as error:
            for each in error.errors(include_url=False):
                name = ".".join(map(str, each["loc"]))
                self.found.append(fault_of(place.replace("{}", name), each))
            return None

    def stop(self) -> None:
        """Stop here if there are any."""
        if self.found:
            raise ValidationError.of(self.found)


def offer_of(typed: TypedOffer) -> NewOffer:
    """The offer that was typed; faults stand beside their fields."""
    faults = Faults()
    lines = [
        faults.read(NewQuoteLine, {"item": code, "quantity": number_of(text)}, f"quantities.{code}")
        for code, text in typed.quantities.items()
        if text.strip()
    ]
    discounts = [
        faults.read(Discount, {"reason": row.reason, "percent": number_of(row.percent)}, f"discounts.{at}.{{}}")
        for at, row in enumerate(typed.discounts)
        if row.reason.strip() or row.percent.strip()
    ]
    if not lines:
        faults.found.append(Fault("quantities", "missing", "A quote has at least one item."))
    faults.stop()
    whole = {
        "table": typed.table,
        "lines": lines,
        "rush": typed.rush,
        "discounts": discounts,
        "place": (typed.place or "").strip().upper() or None,
        "note": (typed.note or "").strip() or None,
    }
    offer = faults.read(NewOffer, whole, "{}")
    faults.stop()
    assert offer is not None  # noqa: S101 - no fault, so it was read
    return offer


def prices_of(typed: TypedPrices) -> NewPriceTable:
    """The price table that was typed, in minor units."""
    faults = Faults()
    try:
        exponent(typed.currency)
    except ValueError:
        raise ValidationError.of([Fault("currency", "unknown_currency", "There is no such currency.")]) from None
    items = _items(typed.prices, typed.currency, faults)
    if not items:
        faults.found.append(Fault("prices.0.code", "missing", "A price list has at least one price."))
    faults.stop()
    whole = {
        "name": typed.name,
        "currency": typed.currency,
        "prices": items,
        "rush_percent": number_of(typed.rush_percent),
        "discount_cap": number_of(typed.discount_cap),
    }
    table = faults.read(NewPriceTable, whole, "{}")
    faults.stop()
    assert table is not None  # noqa: S101 - no fault, so it was read
    return table


def _items(rows: Sequence[TypedItem], currency: str, faults: Faults) -> list[Item]:
    found: list[Item] = []
    for at, row in enumerate(rows):
        if not (row.code.strip() or row.description.strip() or row.unit_price.strip()):
            continue
        try:
            price = amount_of(row.unit_price, currency, f"prices.{at}.unit_price").minor
        except ValidationError as error:
            faults.found += error.faults
            price = 0
        values = {"code": row.code.strip(), "description": row.description, "unit_price": price}
        item = faults.read(Item, values, f"prices.{at}.{{}}")
        if item is not None and item.code in {each.code for each in found}:
            faults.found.append(Fault(f"prices.{at}.code", "twice", "This code is there twice."))
        elif item is not None:
            found.append(item)
    return found
