"""What micro-units come to in whole cents: nothing is lost or invented between the lines and the total."""

from fractions import Fraction
from types import SimpleNamespace

from hypothesis import given, strategies as st

from nexuscore.kernel.money import Money
from nexuscore.modules.usage.bills import lines_of, minor_of

COSTS = st.lists(st.integers(1, 10**12), max_size=12)


@given(COSTS, st.sampled_from(["SGD", "JPY", "KWD"]))
def test_lines_add_up_to_the_sum_rounded_once(costs: list[int], currency: str) -> None:
    rows = [SimpleNamespace(reason=str(n), entries=1, units=1, cost_micro=cost) for n, cost in enumerate(costs)]
    lines = lines_of(rows, currency)
    total = sum((line.amount for line in lines), Money.zero(currency))
    assert total == minor_of(sum(costs), currency)
    assert all(line.amount.minor >= 0 for line in lines)
    scale = {"SGD": 10_000, "JPY": 1_000_000, "KWD": 1_000}[currency]
    assert abs(Fraction(sum(costs), scale) - total.minor) <= Fraction(1, 2)
    assert all(abs(Fraction(line.cost_micro, scale) - line.amount.minor) < Fraction(3, 2) for line in lines)


def test_halves_go_up() -> None:
    assert minor_of(5_000, "SGD") == Money(1, "SGD")
    assert minor_of(4_999, "SGD") == Money(0, "SGD")
    assert minor_of(1_000_000, "SGD") == Money(100, "SGD")
