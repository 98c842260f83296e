"""What a percentage makes of an amount: pure, exact, rounded once and half up, on the order and never per seat."""

from dataclasses import dataclass
from decimal import Decimal

from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.kernel.money import Money

LEAST, MOST = Decimal("0.00"), Decimal("100.00")
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class OrderFigures:
    """What an order comes to. `subtotal` is the host's, whole; `fee` the platform's; `total` what the buyer pays."""

    base: Money
    quantity: int
    percentage: Decimal
    subtotal: Money
    fee: Money
    total: Money
    each: Money  # the price shown for one; `total` is what is paid, which may differ by less than a unit per seat
    version: int
    variant: str


def checked(percentage: Decimal) -> Decimal:
    """The percentage with its two decimals; ValueError for one that is not between 0.00 and 100.00 in steps of 0.01."""
    if not percentage.is_finite() or not LEAST <= percentage <= MOST:
        raise ValueError("a fee is between 0.00 and 100.00 per cent")
    if percentage != percentage.quantize(CENT):
        raise ValueError("a fee has two decimals at most")
    return percentage.quantize(CENT)


def fee_of(base: Money, quantity: int, percentage: Decimal) -> Money:
    """The fee on so many at a base price, rounded half up on the whole."""
    return _subtotal(base, quantity).percent(percentage)


def buyer_price(base: Money, percentage: Decimal) -> Money:
    """What one costs with the fee on it, rounded half up."""
    return fee_of(base, 1, percentage) + base


def figures_of(base: Money, quantity: int, percentage: Decimal, *, version: int = 0, variant: str = "") -> OrderFigures:
    """Everything about an order at once: `subtotal + fee = total`, to the unit."""
    subtotal = _subtotal(base, quantity)
    fee = subtotal.percent(percentage)
    return OrderFigures(
        base=base,
        quantity=quantity,
        percentage=percentage,
        subtotal=subtotal,
        fee=fee,
        total=subtotal + fee,
        each=buyer_price(base, percentage),
        version=version,
        variant=variant,
    )


def _subtotal(base: Money, quantity: int) -> Money:
    if base.minor < 0:
        raise ValidationError.of([Fault("base", "negative", "A price is not negative.")])
    if quantity < 1:
        raise ValidationError.of([Fault("quantity", "too_few", "An order is for one or more.")])
    return base.times(quantity)
