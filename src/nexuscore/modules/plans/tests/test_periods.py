"""Calendar months and proration: what holds for every day there is and every price."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from nexuscore.kernel.money import Money
from nexuscore.modules.plans.periods import Terms, add_months, boundary, prorate, unused

MOMENTS = st.integers(1_577_836_800, 2_208_902_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
PRICES = st.integers(0, 10**8).map(lambda minor: Money(minor, "SGD"))
UNITS = st.sampled_from(["month", "year"])
PARTS = st.fractions(0, 1)


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("anchor", "ends"),
    [
        ("2026-01-31", ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
        ("2027-12-31", ["2028-01-31", "2028-02-29", "2028-03-31"]),
        ("2026-11-20", ["2026-12-20", "2027-01-20"]),
    ],
)
def test_months_are_those_of_the_calendar(anchor: str, ends: list[str]) -> None:
    found = [boundary(day(anchor), "month", number) for number in range(1, len(ends) + 1)]
    assert found == [day(end) for end in ends]


def test_a_leap_day_is_renewed_on_the_28th_and_comes_back() -> None:
    found = [boundary(day("2028-02-29"), "year", number) for number in range(1, 5)]
    assert found == [day("2029-02-28"), day("2030-02-28"), day("2031-02-28"), day("2032-02-29")]


@given(MOMENTS, UNITS)
def test_periods_follow_each_other_and_never_drift(anchor: datetime, unit: str) -> None:
    ends = [boundary(anchor, unit, number) for number in range(25)]
    spans = [later - earlier for earlier, later in pairwise(ends)]
    least, most = (28, 31) if unit == "month" else (365, 366)
    assert all(timedelta(days=least) <= span <= timedelta(days=most) for span in spans)
    assert all(end.time() == anchor.time() and end.day <= anchor.day for end in ends)
    assert ends[12 if unit == "month" else 1].month == anchor.month
    assert ends[24].day == anchor.day or anchor.day == 29


@given(MOMENTS, st.integers(-240, 240))
def test_so_many_months_later_is_in_that_month(anchor: datetime, months: int) -> None:
    later = add_months(anchor, months)
    assert (later.year * 12 + later.month) - (anchor.year * 12 + anchor.month) == months


@given(PRICES, PRICES, UNITS, UNITS, MOMENTS, PARTS)
def test_a_change_never_costs_less_than_nothing(
    old: Money, new: Money, old_unit: str, new_unit: str, start: datetime, part: Fraction
) -> None:
    end = boundary(start, old_unit, 1)
    now = start + (end - start) * float(part)
    found = prorate(Terms(old, old_unit), Terms(new, new_unit), start, end, now)
    zero = Money.zero("SGD")
    assert found.due == found.charge - found.credit >= zero
    assert zero <= found.credit <= old
    assert found.charge <= new
    left = unused(start, end, now)
    if found.at_once:
        used = old - found.credit
        assert abs(Fraction(used.minor) - old.minor * (1 - left)) <= Fraction(1, 2)
        assert found.charge == (new if old_unit != new_unit else new.times(left))
    else:
        assert (found.credit, found.charge, found.due) == (zero, zero, zero)
        assert new < old or (old_unit != new_unit and new < old.times(left))


@given(st.lists(PRICES, min_size=2, max_size=6), MOMENTS, st.lists(PARTS, min_size=5, max_size=5))
def test_upgrade_after_upgrade_sums_to_what_was_used(
    prices: list[Money], start: datetime, parts: list[Fraction]
) -> None:
    """Paid in all: every plan for the part of the month it was there, within half a cent twice for each change."""
    prices.sort()
    end = boundary(start, "month", 1)
    moments = sorted(start + (end - start) * float(part) for part in parts)[: len(prices) - 1]
    paid, exact, since = prices[0], Fraction(0), start
    for (old, new), now in zip(pairwise(prices), moments, strict=True):
        paid += prorate(Terms(old, "month"), Terms(new, "month"), start, end, now).due
        exact += old.minor * (unused(start, end, since) - unused(start, end, now))
        since = now
    exact += prices[-1].minor * unused(start, end, since)
    assert abs(paid.minor - exact) <= len(moments)


def test_a_worked_figure() -> None:
    """From Starter to Professional in the middle of a month of thirty days: half of 99.00 less half of 49.00."""
    start, end = day("2026-11-01"), day("2026-12-01")
    found = prorate(
        Terms(Money(4900, "SGD"), "month"), Terms(Money(9900, "SGD"), "month"), start, end, day("2026-11-16")
    )
    assert (found.credit.minor, found.charge.minor, found.due.minor) == (2450, 4950, 2500)


def test_to_a_year_the_whole_year_is_charged_less_what_is_unused() -> None:
    start, end = day("2026-11-01"), day("2026-12-01")
    found = prorate(
        Terms(Money(4900, "SGD"), "month"), Terms(Money(46800, "SGD"), "year"), start, end, day("2026-11-16")
    )
    assert (found.at_once, found.restarts, found.due.minor) == (True, True, 46800 - 2450)


def test_from_a_year_to_a_month_waits_while_money_would_go_back() -> None:
    start, end = day("2026-11-01"), day("2027-11-01")
    found = prorate(
        Terms(Money(46800, "SGD"), "year"), Terms(Money(4900, "SGD"), "month"), start, end, day("2026-12-01")
    )
    assert (found.at_once, found.due.minor) == (False, 0)
