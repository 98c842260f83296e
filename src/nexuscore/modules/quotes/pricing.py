"""What a quote comes to, and what comes back of it. Exact, and rounded half up once per step.

base       every line, quantity times price
rush       a share of the base, where it is asked for
discount   the sum of the discounts, but no more than the table's cap, off the base
tax        on base plus rush less discount, by the customer's place
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from nexuscore.kernel.money import Money


@dataclass(frozen=True, slots=True)
class Priced:
    """The sums of a quote, in minor units."""

    base: int
    rush: int
    discount_percent: Decimal
    discount: int
    subtotal: int
    tax: int
    total: int


def price(
    amounts: Sequence[int],
    currency: str,
    *,
    rush_percent: Decimal,
    discounts: Sequence[Decimal],
    cap: Decimal,
    tax_rate: Decimal,
) -> Priced:
    """The sums of lines that come to `amounts`."""
    base = Money(sum(amounts), currency)
    rush = base.percent(rush_percent)
    percent = min(sum(discounts, Decimal(0)), cap)
    discount = base.percent(percent)
    subtotal = base + rush - discount
    tax = subtotal.times(tax_rate)
    return Priced(base.minor, rush.minor, percent, discount.minor, subtotal.minor, tax.minor, (subtotal + tax).minor)


LADDER = ((Decimal(25), 75), (Decimal(50), 50), (Decimal(75), 25))


def refundable(paid: Money, rush: Money, progress: Decimal | None, fee: Money) -> Money:
    """What goes back of what was paid. `progress` is the per cent of the work that is done; None before it begins.

    Before it begins, all but a fee. Up to 25 % done, 75 % goes back; up to 50, 50; up to 75, 25; beyond, nothing. What
    was paid for rush never goes back once somebody began to hurry, and fees take no more than there is.
    """
    if progress is None:
        return max(paid - fee, Money.zero(paid.currency))
    share = next((share for upto, share in LADDER if progress <= upto), 0)
    return max(paid - rush, Money.zero(paid.currency)).percent(share)
