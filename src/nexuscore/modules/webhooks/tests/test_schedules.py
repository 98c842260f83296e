"""When the next try comes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from nexuscore.modules.webhooks.schedules import SCHEDULES, next_wait, retry_after

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "seconds"),
    [
        ("standard", [5, 300, 1800, 7200, 18_000, 36_000, 36_000]),
        ("exponential-5", [1, 2, 4, 8, 16]),
        ("three", [300, 1800]),
    ],
)
def test_the_schedules_are_as_decided(schedule: str, seconds: list[int]) -> None:
    assert [wait.total_seconds() for wait in SCHEDULES[schedule]] == seconds


@given(schedule=st.sampled_from(sorted(SCHEDULES)), tries=st.integers(1, 12), wish=st.none() | st.integers(0, 10**7))
def test_a_wait_is_near_the_schedule_never_shorter_than_wished_and_there_is_a_last(
    schedule: str, tries: int, wish: int | None
) -> None:
    waits = SCHEDULES[schedule]
    wait = next_wait(schedule, tries, None if wish is None else timedelta(seconds=wish))
    if tries > len(waits):
        assert wait is None
        return
    assert wait is not None
    planned = waits[tries - 1]
    asked = min(timedelta(seconds=wish or 0), timedelta(hours=24))
    assert max(planned * 0.79, asked) <= wait <= max(planned * 1.21, asked)


def test_no_two_wait_alike() -> None:
    assert len({next_wait("standard", 2) for _ in range(50)}) > 40


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120),
        (" 0 ", 0),
        ("99999999999999999999", 10**8),
        ("Fri, 20 Nov 2026 12:01:00 GMT", 60),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: int | None) -> None:
    wanted = None if seconds is None else timedelta(seconds=seconds)
    assert retry_after(header, NOW) == wanted
