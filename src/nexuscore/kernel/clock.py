"""The time, in one place, so that tests can set it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from time import time

_fakes: list[FakeClock] = []


class FakeClock:
    """A clock that stands still until told otherwise. `at` must be aware; it is kept in UTC."""

    def __init__(self, at: datetime) -> None:
        self._now = _utc(at)

    def now(self) -> datetime:
        """The time this clock shows."""
        return self._now

    def set(self, at: datetime) -> None:
        """Jump to a moment, backwards too."""
        self._now = _utc(at)

    def advance(self, **span: float) -> None:
        """Move forward by a span given as to `timedelta`: `advance(minutes=5)`."""
        self._now += timedelta(**span)


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return _fakes[-1].now() if _fakes else datetime.now(UTC)


def seconds() -> float:
    """The present moment as seconds since 1970: quicker, where only that is needed."""
    return _fakes[-1].now().timestamp() if _fakes else time()


@contextmanager
def fake(at: datetime) -> Iterator[FakeClock]:
    """Replace the clock of the whole process, tasks already running included, until the block ends."""
    clock = FakeClock(at)
    _fakes.append(clock)
    try:
        yield clock
    finally:
        _fakes.remove(clock)


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a moment without a time zone is ambiguous; pass an aware datetime")
    return at.astimezone(UTC)
