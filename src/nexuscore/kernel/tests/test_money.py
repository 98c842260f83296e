"""Money is exact: no cent is lost, none invented, nothing is a float."""

import operator
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pydantic
import pytest
from hypothesis import assume, given, strategies as st

from nexuscore.kernel.money import Money, exponent

amounts = st.integers(-(10**12), 10**12)
currencies = st.sampled_from(["SGD", "JPY", "KWD", "PLN", "ILS", "CLF"])
money = st.builds(Money, amounts, currencies)
weights = st.lists(st.integers(0, 1000), min_size=1, max_size=12).filter(any)


class Price(pydantic.BaseModel):
    price: Money


@pytest.mark.parametrize(
    ("currency", "decimals"),
    [("SGD", 2), ("USD", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("IQD", 3), ("LBP", 2), ("CLF", 4), ("XTR", 0)],
)
def test_a_currency_has_the_decimals_of_iso_4217(currency: str, decimals: int) -> None:
    assert exponent(currency) == decimals


@pytest.mark.parametrize("currency", ["", "sgd", "XXQ", "SGDX", "$"])
def test_what_is_no_currency_is_refused(currency: str) -> None:
    with pytest.raises(ValueError, match="not a currency"):
        Money(1, currency)


@pytest.mark.parametrize("minor", [1.0, "1", Decimal(1), True, None])
def test_minor_units_are_an_int(minor: Any) -> None:
    with pytest.raises(TypeError, match="minor units"):
        Money(minor, "SGD")


@given(amounts, amounts, currencies)
def test_sum_and_difference(a: int, b: int, currency: str) -> None:
    assert Money(a, currency) + Money(b, currency) == Money(a + b, currency)
    assert Money(a, currency) - Money(b, currency) == Money(a - b, currency)
    assert (Money(a, currency) < Money(b, currency)) == (a < b)
    assert (Money(a, currency) >= Money(b, currency)) == (a >= b)
    assert -Money(a, currency) == Money(0, currency) - Money(a, currency)
    assert abs(Money(a, currency)).minor == abs(a)
    assert bool(Money(a, currency)) == (a != 0)


MIXES = [operator.add, operator.sub, operator.lt, operator.le, operator.gt, operator.ge]


@pytest.mark.parametrize("mix", MIXES)
def test_currencies_do_not_mix(mix: Callable[[Any, Any], object]) -> None:
    with pytest.raises(ValueError, match="do not mix"):
        mix(Money(1, "SGD"), Money(1, "USD"))
    assert Money(1, "SGD") != Money(1, "USD")


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("other", [1, 1.0, Decimal(1), "1"])
def test_money_and_numbers_do_not_mix(mix: Callable[[Any, Any], object], other: Any) -> None:
    with pytest.raises(TypeError):
        mix(Money(1, "SGD"), other)
    assert Money(1, "SGD") != other


@pytest.mark.parametrize("factor", [0.1, 1.0, float("nan"), True, "1"])
def test_factors_are_exact(factor: Any) -> None:
    def split(each: Any) -> object:
        return Money(100, "SGD").allocate([each])

    for use in (Money(100, "SGD").times, Money(100, "SGD").percent, split):
        with pytest.raises(TypeError):
            use(factor)


@pytest.mark.parametrize(
    ("minor", "factor", "result"),
    [
        (5, Decimal("0.5"), 3),
        (-5, Decimal("0.5"), -3),
        (4, Decimal("0.5"), 2),
        (1, Fraction(1, 3), 0),
        (2, Fraction(1, 3), 1),
        (7, 3, 21),
    ],
)
def test_halves_round_away_from_zero(minor: int, factor: Decimal, result: int) -> None:
    assert Money(minor, "SGD").times(factor) == Money(result, "SGD")


@given(money, st.decimals(-1000, 1000, places=4))
def test_times_rounds_once_and_half_up(value: Money, factor: Decimal) -> None:
    expected = (Decimal(value.minor) * factor).quantize(Decimal(1), ROUND_HALF_UP)
    assert value.times(factor).minor == expected


def test_percent_of_an_amount() -> None:
    assert Money(50_000, "INR").percent(Decimal("10.00")) == Money(5_000, "INR")
    assert Money(105, "SGD").percent(9) == Money(9, "SGD")
    assert Money(50, "SGD").percent(9) == Money(5, "SGD"), "4.5 cents"


@given(money, weights)
def test_allocation_loses_and_invents_nothing(value: Money, shares: list[int]) -> None:
    parts = value.allocate(shares)
    assert sum(part.minor for part in parts) == value.minor
    assert {part.currency for part in parts} == {value.currency}
    total = sum(shares)
    for part, share in zip(parts, shares, strict=True):
        assert abs(Fraction(part.minor) - Fraction(value.minor * share, total)) < 1, (
            "within one unit of the exact share"
        )
        assert share or not part.minor, "no weight, no money"


@given(money, weights)
def test_allocation_is_the_same_for_a_refund(value: Money, shares: list[int]) -> None:
    assert (-value).allocate(shares) == [-part for part in value.allocate(shares)]


def test_left_over_units_go_to_the_largest_remainders_then_to_the_first() -> None:
    assert [part.minor for part in Money(100, "SGD").allocate([1, 1, 1])] == [34, 33, 33]
    assert [part.minor for part in Money(100, "SGD").allocate([Decimal("0.5"), Fraction(1, 3), 1])] == [27, 18, 55]
    assert [part.minor for part in Money(5, "SGD").allocate([3, 7])] == [2, 3]
    assert [part.minor for part in Money(1, "SGD").allocate([0, 0, 5])] == [0, 0, 1]


@pytest.mark.parametrize("shares", [[], [0], [0, 0], [-1, 2]])
def test_weights_must_make_sense(shares: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        Money(100, "SGD").allocate(shares)


@given(money)
def test_what_is_written_reads_back(value: Money) -> None:
    assert Money.parse(str(value.amount), value.currency) == value


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [("12.3", "SGD", 1230), ("12", "SGD", 1200), ("-0.05", "SGD", -5), (" +7 ", "JPY", 7), ("1.234", "KWD", 1234)],
)
def test_parse_reads_plain_amounts(text: str, currency: str, minor: int) -> None:
    assert Money.parse(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("text", "currency"),
    [("12.345", "SGD"), ("1.5", "JPY"), ("1,234.50", "SGD"), ("", "SGD"), ("1e3", "SGD"), (".5", "SGD"), ("٣", "SGD"),
     ("NaN", "SGD"), ("1_000", "SGD"), ("9" * 30, "SGD"), ("12.", "SGD")],
)  # fmt: skip
def test_parse_refuses_what_it_would_have_to_guess(text: str, currency: str) -> None:
    with pytest.raises(ValueError, match=r"amount|decimals|large"):
        Money.parse(text, currency)


def test_parse_refuses_a_float() -> None:
    with pytest.raises(TypeError):
        Money.parse(12.5, "SGD")  # type: ignore[arg-type]  # the point


@pytest.mark.parametrize(
    ("value", "locale", "text"),
    [
        (Money(123450, "SGD"), "en-SG", "$1,234.50"),
        (Money(123450, "PLN"), "pl", "1 234,50 zł"),
        (Money(1234567, "PLN"), "pl-PL", "12 345,67 zł"),
        (Money(123450, "ILS"), "he", "1,234.50 ₪"),
        (Money(1234, "JPY"), "en", "¥1,234"),
        (Money(1234, "KWD"), "en", "KWD1.234"),
        (Money(1500, "IQD"), "en", "IQD1.500"),
        (Money(-5, "USD"), "en", "-$0.05"),
        (Money(100, "USD"), "xx-no-such", "$1.00"),
    ],
)
def test_format_follows_the_locale(value: Money, locale: str, text: str) -> None:
    shown = value.format(locale)
    assert "".join(each for each in shown if each not in "\u200f\u200e").replace("\xa0", " ").strip() == text


@given(money)
def test_json_holds_minor_units_and_currency(value: Money) -> None:
    text = Price(price=value).model_dump_json()
    assert text == f'{{"price":{{"minor":{value.minor},"currency":"{value.currency}"}}}}'
    assert Price.model_validate_json(text).price == value


@pytest.mark.parametrize(
    "price", ['{"minor":1.0,"currency":"SGD"}', '{"minor":"1","currency":"SGD"}', '{"minor":true,"currency":"SGD"}',
              '{"minor":1,"currency":"sgd"}', '{"minor":1}', "1.5", '{"minor":99999999999999999999,"currency":"SGD"}',
              '{"minor":1,"currency":"SGD","exponent":3}']
)  # fmt: skip
def test_json_that_is_not_money_is_a_validation_error(price: str) -> None:
    with pytest.raises(pydantic.ValidationError):
        Price.model_validate_json(f'{{"price":{price}}}')


def test_an_amount_fits_a_bigint() -> None:
    assert Money(2**63 - 1, "SGD").minor == 2**63 - 1
    with pytest.raises(ValueError, match="large"):
        Money(2**63, "SGD")


@given(money)
def test_money_is_a_value(value: Money) -> None:
    assume(value.minor)
    assert len({value, Money(value.minor, value.currency)}) == 1
    with pytest.raises(AttributeError):
        value.minor = 1  # type: ignore[misc]  # the point
