"""The time can be set, for tasks that were already running too."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from nexuscore.kernel import clock

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_now_is_the_real_time_in_utc() -> None:
    before = datetime.now(UTC)
    now = clock.now()
    assert now.tzinfo is UTC
    assert before <= now <= datetime.now(UTC)


def test_a_fake_stands_still_and_moves_when_told() -> None:
    with clock.fake(NOON) as fake:
        assert clock.now() == clock.now() == NOON
        fake.advance(hours=1, minutes=30)
        assert clock.now() == NOON + timedelta(minutes=90)
        fake.set(NOON - timedelta(days=1))
        assert clock.now() == NOON - timedelta(days=1)
    assert clock.now() > NOON


def test_fakes_nest_and_the_outer_one_comes_back() -> None:
    with clock.fake(NOON):
        with clock.fake(NOON + timedelta(days=1)):
            assert clock.now().day == 1
        assert clock.now() == NOON


def test_another_time_zone_is_turned_into_utc() -> None:
    singapore = timezone(timedelta(hours=8))
    with clock.fake(datetime(2026, 1, 31, 20, tzinfo=singapore)) as fake:
        assert clock.now() == NOON
        assert clock.now().tzinfo is UTC
        with pytest.raises(ValueError, match="time zone"):
            fake.set(datetime(2026, 1, 31))  # noqa: DTZ001 - the point


@pytest.mark.anyio
async def test_a_task_started_before_the_fake_sees_it() -> None:
    asked, answers = asyncio.Event(), asyncio.Queue[datetime]()

    async def wait_and_look() -> None:
        await asked.wait()
        await answers.put(clock.now())

    task = asyncio.create_task(wait_and_look())
    await asyncio.sleep(0)
    with clock.fake(NOON):
        asked.set()
        assert await answers.get() == NOON
    await task
