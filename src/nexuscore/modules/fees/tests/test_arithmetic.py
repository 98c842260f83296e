"""The fee on an amount: the worked figures, and what holds for every order there can be."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from nexuscore.kernel.errors import ValidationError
from nexuscore.kernel.money import Money
from nexuscore.modules.fees import buyer_price, fee_of, figures_of
from nexuscore.modules.fees.arithmetic import checked

TEN = Decimal("10.00")
BASES = st.integers(0, 10**12).map(lambda minor: Money(minor, "SGD"))
QUANTITIES = st.integers(1, 10_000)
PERCENTAGES = st.integers(0, 10_000).map(lambda hundredths: Decimal(hundredths).scaleb(-2))


def half_up(value: Fraction) -> int:
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def test_a_hundred_times_five_at_ten_per_cent() -> None:
    figures = figures_of(Money.parse("100.00", "SGD"), 5, TEN)
    assert figures.fee == Money.parse("50.00", "SGD")
    assert figures.each == Money.parse("110.00", "SGD")
    assert figures.subtotal == Money.parse("500.00", "SGD")
    assert figures.total == Money.parse("550.00", "SGD")


def test_fifty_tickets_of_the_core_text() -> None:
    figures = figures_of(Money.parse("100.00", "INR"), 50, TEN)
    assert (figures.subtotal.minor, figures.fee.minor) == (500_000, 50_000)


@pytest.mark.parametrize(
    ("base", "quantity", "percentage", "fee", "each"),
    [
        (5, 1, "10.00", 1, 6),  # 0.005 is rounded up, as every half is
        (4, 1, "10.00", 0, 4),
        (333, 3, "10.00", 100, 366),  # 99.9 on the order; three times 33.3 rounded by seat would be 99
        (9999, 7, "2.75", 1925, 10274),
        (100, 5, "0.00", 0, 100),
        (100, 5, "100.00", 500, 200),
    ],
)
def test_it_is_rounded_once_and_half_up(base: int, quantity: int, percentage: str, fee: int, each: int) -> None:
    figures = figures_of(Money(base, "SGD"), quantity, Decimal(percentage))
    assert (figures.fee.minor, figures.each.minor) == (fee, each)


def test_a_currency_without_cents_has_no_cents_of_fee() -> None:
    assert fee_of(Money(995, "JPY"), 1, TEN) == Money(100, "JPY")


@given(BASES, QUANTITIES, PERCENTAGES)
def test_the_buyer_pays_what_the_host_and_the_platform_get(base: Money, quantity: int, percentage: Decimal) -> None:
    figures = figures_of(base, quantity, percentage)
    assert figures.subtotal.minor == base.minor * quantity
    assert figures.total == figures.subtotal + figures.fee
    assert figures.fee.minor == half_up(Fraction(base.minor * quantity) * Fraction(percentage) / 100)
    assert Money.zero("SGD") <= figures.fee <= figures.subtotal
    assert buyer_price(base, percentage) == fee_of(base, 1, percentage) + base


@given(BASES, QUANTITIES, PERCENTAGES, PERCENTAGES)
def test_a_higher_percentage_is_never_a_lower_fee(base: Money, quantity: int, one: Decimal, other: Decimal) -> None:
    low, high = sorted((one, other))
    assert fee_of(base, quantity, low) <= fee_of(base, quantity, high)


@given(BASES, QUANTITIES, PERCENTAGES)
def test_seats_priced_one_by_one_differ_by_less_than_a_cent_each(base: Money, quantity: int, rate: Decimal) -> None:
    figures = figures_of(base, quantity, rate)
    assert 2 * abs(figures.each.minor * quantity - figures.total.minor) <= quantity + 1


@pytest.mark.parametrize("wrong", ["100.01", "-0.01", "10.005", "NaN", "Infinity"])
def test_a_percentage_out_of_range_is_none(wrong: str) -> None:
    with pytest.raises(ValueError, match="a fee"):
        checked(Decimal(wrong))


def test_nobody_orders_nothing_or_for_less_than_nothing() -> None:
    with pytest.raises(ValidationError):
        figures_of(Money(100, "SGD"), 0, TEN)
    with pytest.raises(ValidationError):
        figures_of(Money(-100, "SGD"), 1, TEN)
