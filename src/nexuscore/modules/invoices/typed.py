"""What people type into the forms of invoices, made into what the API takes; faults stand beside their fields."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from pydantic import Field, ValidationError as PydanticError

from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.kernel.faults import fault_of
from nexuscore.kernel.http import Schema, amount_of
from nexuscore.kernel.money import Money
from nexuscore.modules.invoices.credit_notes import Left
from nexuscore.modules.invoices.lines import NewLine, Words, gst_of
from nexuscore.modules.invoices.schemas import Currency, Days, InvoiceOut, Reference

ByHand = Literal["bank_transfer", "cash", "paynow", "other"]
_LARGEST = 10**15
_COMMA = re.compile(r"[+-]?\d+,\d{1,2}")


class TypedLine(Schema):
    """A row of the form; one with neither a description nor a price is left out."""

    description: str = Field("", max_length=1000)
    quantity: str = Field("", max_length=40)
    unit_price: str = Field("", max_length=40)
    tax: str = Field("", max_length=10)
    account: str = Field("", max_length=50)

    @property
    def is_blank(self) -> bool:
        """Whether nothing was typed into it."""
        return not (self.description.strip() or self.unit_price.strip())


class TypedInvoice(Schema):
    """An invoice as it is typed."""

    lines: list[TypedLine] = Field(default_factory=list, max_length=200)
    currency: Currency = "SGD"
    due_days: Days | None = None
    customer_reference: Words | None = None
    memo: Words | None = None


class TypedPayment(Schema):
    """Money that came in, as it is typed."""

    amount: str = Field(max_length=40)
    method: ByHand
    reference: Reference


class TypedCredit(Schema):
    """What to charge less: an amount, lines by their numbers, or with neither all that is left."""

    reason: Words
    amount: str = Field("", max_length=40)
    lines: list[int] = Field(default_factory=list, max_length=200)


def lines_of(typed: Sequence[TypedLine], currency: str) -> list[NewLine]:
    """The lines that were typed, in the currency's minor units."""
    faults: list[Fault] = []
    lines = []
    for number, row in enumerate(typed):
        if not row.is_blank:
            line = _line(row, f"lines.{number}", currency, faults)
            lines += [line] if line is not None else []
    if not lines and not faults:
        faults.append(Fault("lines.0.description", "missing", "An invoice has at least one line."))
    if faults:
        raise ValidationError.of(faults)
    return lines


def _line(row: TypedLine, place: str, currency: str, faults: list[Fault]) -> NewLine | None:
    values = {
        "description": row.description,
        "quantity": number_of(row.quantity) or "1",
        "tax": row.tax or None,
        "account": row.account or "revenue",
        "unit_price": 0,
    }
    wrong: Sequence[Fault] = ()
    try:
        values["unit_price"] = amount_of(row.unit_price, currency, f"{place}.unit_price").minor
    except ValidationError as error:
        wrong = error.faults
    try:
        line = NewLine.model_validate(values)
    except PydanticError as error:
        found = error.errors(include_url=False)
        faults += [*(fault_of(f"{place}.{each['loc'][0]}", each) for each in found), *wrong]
        return None
    faults += wrong
    return line


def positive(text: str, currency: str) -> int:
    """The amount of a field in minor units, above zero and no more than is ever taken at once."""
    amount = amount_of(text, currency).minor
    if not 0 < amount <= _LARGEST:
        raise ValidationError.of([Fault("amount", "not_positive", "The amount must be more than zero.")])
    return amount


def number_of(text: str) -> str:
    """The number with a dot. A comma counts as one only where it cannot stand between thousands."""
    plain = text.strip()
    return plain.replace(",", ".") if _COMMA.fullmatch(plain) else plain


def plain_amount(minor: int, currency: str) -> str:
    """An amount as a field holds it."""
    return str(Money(minor, currency).amount)


def credit_of(typed: TypedCredit, invoice: InvoiceOut, left: dict[str, Left]) -> dict[str, int] | int | None:
    """What to credit: amounts by GST code for chosen lines, an amount, or None for all that is left."""
    if typed.lines and typed.amount.strip():
        raise ValidationError.of([Fault("amount", "not_together", "Choose lines or write an amount, not both.")])
    if typed.amount.strip():
        return positive(typed.amount, invoice.currency)
    if not typed.lines:
        return None
    chosen = set(typed.lines)
    if not chosen <= set(range(len(invoice.lines))):
        raise ValidationError.of([Fault("lines", "unknown", "There is no such line.")])
    found = _of_lines(chosen, invoice, left)
    if any(amount <= 0 for amount in found.values()):
        raise ValidationError.of([Fault("lines", "not_positive", "The amount must be more than zero.")])
    return found


def _of_lines(chosen: set[int], invoice: InvoiceOut, left: dict[str, Left]) -> dict[str, int]:
    """What lines come to with their GST; all the lines of a code are all there was of it, to the cent."""
    found: dict[str, int] = {}
    for code, whole in left.items():
        of_code = {number for number, line in enumerate(invoice.lines) if line.code == code}
        net = sum(invoice.lines[number].amount for number in of_code & chosen)
        gst = gst_of(net, Decimal(invoice.gst_rate)) if code == "SR" else 0
        amount = whole.charged if of_code <= chosen else net + gst
        if of_code & chosen:
            found[code] = amount
    return found
