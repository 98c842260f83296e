"""Patience ends, and only for those who ran out of it."""

import asyncio

import pytest

from nexuscore.kernel.http.deadlines import Deadlines

pytestmark = pytest.mark.anyio


async def sleep(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "slept"


async def test_only_what_is_slow_is_stopped() -> None:
    deadlines = Deadlines()
    runs = [deadlines.run(sleep(seconds), patience) for seconds, patience in ((0, 5), (5, 0.05), (0.3, 5), (5, 0.1))]
    quick, slow, middling, slower = await asyncio.gather(*runs, return_exceptions=True)
    assert (quick, middling) == ("slept", "slept")
    assert isinstance(slow, TimeoutError)
    assert isinstance(slower, TimeoutError)


async def test_it_is_noticed_soon_and_the_task_goes_on() -> None:
    deadlines = Deadlines()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(deadlines.run(sleep(5), 0.01), 2)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert await deadlines.run(sleep(0), 5) == "slept"


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    deadlines = Deadlines()
    task = asyncio.create_task(deadlines.run(sleep(5), 5))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_both_at_once_is_a_cancellation() -> None:
    deadlines = Deadlines()

    async def stubborn() -> None:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            await asyncio.sleep(5)

    task = asyncio.create_task(deadlines.run(stubborn(), 0.01))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_ends_well_after_all_has_ended_well() -> None:
    deadlines = Deadlines()

    async def shrugs() -> str:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            return "done anyway"
        return "never"

    assert await deadlines.run(shrugs(), 0.01) == "done anyway"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_nobody_looks_while_nothing_runs() -> None:
    deadlines = Deadlines()
    await deadlines.run(sleep(0), 5)
    await asyncio.sleep(0.25)
    assert deadlines._looking_in is None
