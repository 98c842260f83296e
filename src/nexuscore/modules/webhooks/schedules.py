"""When the next try comes: three schedules, jitter, and what the receiver asks for."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from random import uniform

STANDARD = "standard"
# the waits before the second try, the third and so on; the first comes at once
SCHEDULES: dict[str, tuple[timedelta, ...]] = {
    STANDARD: tuple(timedelta(seconds=s) for s in (5, 300, 1800, 7200, 18_000, 36_000, 36_000)),
    "exponential-5": tuple(timedelta(seconds=s) for s in (1, 2, 4, 8, 16)),
    "three": (timedelta(minutes=5), timedelta(minutes=30)),
}
_LONGEST_WISH = timedelta(hours=24)


def next_wait(schedule: str, tries: int, wish: timedelta | None = None) -> timedelta | None:
    """How long to wait after so many tries; None when that was the last.

    Every wait is up to a fifth shorter or longer than written. A `Retry-After` makes it longer, never shorter.
    """
    waits = SCHEDULES[schedule]
    if tries > len(waits):
        return None
    wait = waits[tries - 1] * uniform(0.8, 1.2)  # noqa: S311 - jitter, not a secret
    return wait if wish is None else max(wait, min(wish, _LONGEST_WISH))


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """The wait a `Retry-After` header asks for, in seconds or as a date; None when it asks for none."""
    if header is None:
        return None
    if header.strip().isdigit():
        return timedelta(seconds=min(int(header.strip()[:9]), 10**8))
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max((at if at.tzinfo else at.replace(tzinfo=UTC)) - now, timedelta())
