"""Calendar arithmetic and proration: pure, exact, rounded once.

A period ends a whole number of months after an anchor, never a month after the period before: who begins on 31 January
is renewed on 28 February and again on 31 March.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Literal

from nexuscore.kernel.money import Money

Unit = Literal["month", "year"]
MONTHS: dict[str, int] = {"month": 1, "year": 12}


def add_months(anchor: datetime, months: int) -> datetime:
    """So many months later, at the same time on the same day, or on the last day of a month that has no such day."""
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    month += 1
    return anchor.replace(year=year, month=month, day=min(anchor.day, monthrange(year, month)[1]))


def boundary(anchor: datetime, unit: str, number: int) -> datetime:
    """The end of the `number`th period after an anchor; the anchor itself for 0."""
    return add_months(anchor, number * MONTHS[unit])


@dataclass(frozen=True, slots=True)
class Terms:
    """A price for a period."""

    price: Money
    unit: str


@dataclass(frozen=True, slots=True)
class Proration:
    """What a change comes to. `credit` is the unused part of what was paid, `charge` what the new plan costs instead.

    Made at once only when nothing would have to be paid back: `due` is never negative. Otherwise it waits for the
    period's end and costs nothing now.
    """

    at_once: bool
    credit: Money
    charge: Money
    due: Money
    restarts: bool  # the new plan's period begins now, since it is of another length


def unused(start: datetime, end: datetime, now: datetime) -> Fraction:
    """The part of a period that is still to come, between 0 and 1."""
    whole = _microseconds(end, start)
    left = min(max(_microseconds(end, now), 0), whole)
    return Fraction(left, whole)


def prorate(old: Terms, new: Terms, start: datetime, end: datetime, now: datetime) -> Proration:
    """What it costs to go from one plan to another in the middle of a period."""
    left = unused(start, end, now)
    restarts = old.unit != new.unit
    credit = old.price.times(left)
    charge = new.price if restarts else new.price.times(left)
    if charge < credit or (not restarts and new.price < old.price):
        zero = Money.zero(old.price.currency)
        return Proration(at_once=False, credit=zero, charge=zero, due=zero, restarts=restarts)
    return Proration(at_once=True, credit=credit, charge=charge, due=charge - credit, restarts=restarts)


def _microseconds(later: datetime, earlier: datetime) -> int:
    span = later - earlier
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds
