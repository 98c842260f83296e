"""The three reads: no database after the first, the new fee from the commit on, and never one that was taken back."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from nexuscore.kernel import process, sight
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.module import Warming
from nexuscore.kernel.money import Money
from nexuscore.kernel.testing import House
from nexuscore.modules import fees
from nexuscore.modules.fees import service
from nexuscore.modules.fees.schemas import FeeChangeIn
from nexuscore.modules.identity.testing import person

pytestmark = pytest.mark.anyio
SGD100 = Money(10_000, "SGD")


async def read_all(ctx: Ctx) -> tuple[str, str, str]:
    configured = await fees.configuration(ctx)
    return str(configured.fee_percentage), str(await fees.percentage(ctx)), str(await fees.decimal(ctx))


async def test_after_the_first_read_no_read_asks_the_database(house: House) -> None:
    async with house.app.context() as ctx:
        cold = sight.tally().queries
        await read_all(ctx)
        warm = sight.tally().queries
        for _ in range(100):
            await read_all(ctx)
            await fees.order(ctx, SGD100, 5)
            await fees.fee_on(ctx, SGD100, 5)
            await fees.final_price(ctx, SGD100)
        assert sight.tally().queries == warm
        assert warm == cold + 3


async def test_a_server_has_read_them_before_it_serves(house: House) -> None:
    await process.warm(house.app)
    async with house.app.context() as ctx:
        before = sight.tally().queries
        await read_all(ctx)
        await fees.order(ctx, SGD100, 5)
        assert sight.tally().queries == before


async def test_what_cannot_be_warmed_keeps_nobody_from_serving(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(ctx: Ctx) -> None:
        raise RuntimeError("no such table")

    fillers = type(house.app).fillers
    monkeypatch.setattr(
        type(house.app),
        "fillers",
        lambda app, kind: (Warming("broken", broken),) if kind is Warming else fillers(app, kind),
    )
    await process.warm(house.app)


async def test_an_hour_later_it_is_read_once_more(house: House, fake_clock: Any) -> None:
    async with house.app.context() as ctx:
        await read_all(ctx)
        fake_clock.advance(minutes=59)
        before = sight.tally().queries
        await read_all(ctx)
        assert sight.tally().queries == before
        fake_clock.advance(minutes=2)
        await read_all(ctx)
        assert sight.tally().queries == before + 3


async def change(house: House, percentage: str) -> None:
    async with house.app.context() as ctx:
        await service.change(ctx, FeeChangeIn(fee_percentage=Decimal(percentage), reason="a test"))


async def test_all_three_are_the_new_ones_after_the_commit(committed_house: House) -> None:
    house = committed_house
    async with house.app.context() as ctx:
        assert await read_all(ctx) == ("10.00", "10.00", "0.1000")
    root = await person(house, "root@example.com", platform_role="admin")
    changed = await root.client.patch(
        "/platform-fee", {"fee_percentage": "12.50", "reason": "x"}, headers={"idempotency-key": uuid4().hex}
    )
    assert changed.status_code == 200
    async with house.app.context() as ctx:
        assert await read_all(ctx) == ("12.50", "12.50", "0.1250")


async def test_a_change_that_is_taken_back_is_in_no_cache(committed_house: House) -> None:
    """Without a look at `ctx.db.forgets` and `is_own` the reader below kept 99.00 for an hour; everybody paid it."""
    house = committed_house

    async def mistake() -> None:
        async with house.app.context() as ctx:
            await service.change(ctx, FeeChangeIn(fee_percentage=Decimal("99.00"), reason="a mistake"))
            assert await read_all(ctx) == ("99.00", "99.00", "0.9900")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await mistake()
    async with house.app.context() as ctx:
        assert await read_all(ctx) == ("10.00", "10.00", "0.1000")


async def test_who_reads_while_it_is_changed_does_not_keep_the_old_one(committed_house: House) -> None:
    """The old fee, read between the change and its commit, must not outlive the commit."""
    house = committed_house
    async with house.app.context() as changing:
        await service.change(changing, FeeChangeIn(fee_percentage=Decimal("12.50"), reason="x"))
        async with house.app.context() as reading:
            assert (await read_all(reading))[1] == "10.00"
    async with house.app.context() as ctx:
        assert await read_all(ctx) == ("12.50", "12.50", "0.1250")


async def test_readers_and_changes_at_once_end_with_the_last_change(committed_house: House) -> None:
    house = committed_house
    stop = asyncio.Event()

    async def reader() -> None:
        while not stop.is_set():
            async with house.app.context() as ctx:
                await read_all(ctx)

    readers = [asyncio.create_task(reader()) for _ in range(4)]
    for n in range(1, 16):
        await change(house, f"{n}.25")
        async with house.app.context() as ctx:
            assert (await read_all(ctx))[0] == f"{n}.25"
    stop.set()
    await asyncio.gather(*readers)
    assert await concurrent_changes(house) == 10


async def concurrent_changes(house: House) -> int:
    """Ten at once: each is a version of its own."""
    await asyncio.gather(*(change(house, f"{n}.75") for n in range(10)))
    async with house.app.context() as ctx:
        rows = await ctx.db.raw("SELECT version FROM core_platform_fee_history ORDER BY version")
        assert [row.version for row in rows] == list(range(1, len(rows) + 1))
        assert (await fees.configuration(ctx)).version == len(rows)
    return len(rows) - 16
