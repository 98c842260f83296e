"""The sums of quotes and the refund ladder, as the sources work them."""

from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given, settings as limits, strategies as st

from nexuscore.kernel.money import Money
from nexuscore.modules.quotes.pricing import price, refundable
from nexuscore.modules.quotes.settings import QuoteSettings, read_places

FEE = Money(50_000, "USD")
percents = st.decimals(0, 100, places=3)


def half_up(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


def test_the_worked_quote() -> None:
    """25 000 and 8.7 % of tax are 27 175."""
    priced = price(
        [2_500_000], "USD", rush_percent=Decimal(0), discounts=[], cap=Decimal(15), tax_rate=Decimal("0.087")
    )
    assert (priced.subtotal, priced.tax, priced.total) == (2_500_000, 217_500, 2_717_500)


def test_discounts_stop_at_the_cap_and_rush_is_not_discounted() -> None:
    """Retainer 10 %, prepayment 5 %, referral 7.5 %, cap 15 %; rush 50 %."""
    asked = [Decimal(10), Decimal(5), Decimal("7.5")]
    priced = price([1_000_000], "USD", rush_percent=Decimal(50), discounts=asked, cap=Decimal(15), tax_rate=Decimal(0))
    assert (priced.rush, priced.discount_percent, priced.discount, priced.total) == (
        500_000,
        Decimal(15),
        150_000,
        1_350_000,
    )


@limits(max_examples=100)
@given(
    amounts=st.lists(st.integers(0, 10**12), min_size=1, max_size=8),
    rush=percents,
    discounts=st.lists(percents, max_size=4),
    cap=percents,
    rate=st.decimals(0, Decimal("0.99"), places=5),
)
def test_every_quote_adds_up(
    amounts: list[int], rush: Decimal, discounts: list[Decimal], cap: Decimal, rate: Decimal
) -> None:
    priced = price(amounts, "USD", rush_percent=rush, discounts=discounts, cap=cap, tax_rate=rate)
    base = sum(amounts)
    off = min(sum(map(Fraction, discounts), Fraction(0)), Fraction(cap))
    assert priced.rush == half_up(base * Fraction(rush) / 100)
    assert priced.discount == half_up(base * off / 100) <= base
    assert priced.subtotal == base + priced.rush - priced.discount
    assert priced.tax == half_up(priced.subtotal * Fraction(rate))
    assert priced.total == priced.subtotal + priced.tax


LADDER = [
    (None, 9_950_000),
    ("0", 7_500_000),
    ("25", 7_500_000),
    ("25.001", 5_000_000),
    ("50", 5_000_000),
    ("50.001", 2_500_000),
    ("75", 2_500_000),
    ("75.001", 0),
    ("100", 0),
]


@pytest.mark.parametrize(("progress", "back"), LADDER)
def test_the_refund_ladder(progress: str | None, back: int) -> None:
    done = None if progress is None else Decimal(progress)
    assert refundable(Money(10_000_000, "USD"), Money(0, "USD"), done, FEE).minor == back


@limits(max_examples=100)
@given(paid=st.integers(0, 10**9), rush=st.integers(0, 10**9), progress=st.one_of(st.none(), percents))
def test_never_more_goes_back_than_was_paid_and_rush_never(paid: int, rush: int, progress: Decimal | None) -> None:
    money, hurry = Money(paid, "USD"), Money(min(rush, paid), "USD")
    back = refundable(money, hurry, progress, FEE)
    assert 0 <= back.minor <= paid
    if progress is not None:
        assert back.minor <= paid - hurry.minor
        assert back >= refundable(money, hurry, min(progress + 25, Decimal(100)), FEE)


def test_places() -> None:
    assert read_places("US-WA=8.7, AU=10") == {"US-WA": Decimal("0.087"), "AU": Decimal("0.1")}
    for wrong in ("SG=9", "Washington=8.7", "US-WA=100"):
        with pytest.raises(ValueError, match="must"):
            QuoteSettings(tax_by_place=wrong)
