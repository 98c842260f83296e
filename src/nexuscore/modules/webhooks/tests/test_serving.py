"""Many events, many endpoints, many workers: nothing is left lying, nobody waits for somebody else's server."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import pytest

from nexuscore.kernel.jobs import Leased
from nexuscore.kernel.queue import run_workers, work
from nexuscore.kernel.testing import ALICE, Client, House
from nexuscore.modules.webhooks import sending, waking
from nexuscore.modules.webhooks.jobs import fan_out, wake_the_forgotten
from nexuscore.modules.webhooks.testing import Receiver, Say, hurry
from nexuscore.modules.webhooks.tests.shop import InvoicePaid, add, listed, pay
from nexuscore.modules.webhooks.waking import Deliver

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings() -> dict[str, str]:
    return {"NEXUS_WEBHOOKS_MOST_ENDPOINTS": "100"}


@asynccontextmanager
async def working(house: House, workers: int = 1) -> AsyncIterator[None]:
    stop = asyncio.Event()
    tasks = [asyncio.create_task(run_workers(house.app, stop, concurrency=10)) for _ in range(workers)]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def until(count: int, receiver: Receiver, path: str | None = None) -> None:
    async with asyncio.timeout(60):
        while sum(path is None or each.path == path for each in receiver.heard) < count:
            await asyncio.sleep(0.05)


async def test_one_endpoint_that_hangs_does_not_hold_up_the_others(committed_house: House, receiver: Receiver) -> None:
    """A hundred endpoints, one of which never answers, and ten jobs at a time: it takes up one of the ten."""
    alice = committed_house.client(ALICE)
    receiver.say = lambda heard: Say(after=3600 if heard.path.endswith("/hangs") else 0)
    await add(alice, f"{receiver.url}/hangs")
    for number in range(99):
        await add(alice, f"{receiver.url}/{number}")
    async with working(committed_house):
        for _ in range(3):
            await pay(committed_house)
        await until(99 * 3 + 1, receiver)
        async with committed_house.context() as ctx:
            [row] = await ctx.db.raw("SELECT count(*) AS ended FROM webhook_attempts WHERE state <> 'running'")
        heard = Counter(each.path for each in receiver.heard)
        receiver.hang_up()
    assert all(heard[f"/hook/{number}"] == 3 for number in range(99))
    assert row.ended <= 99 * 3, "the one that hangs has still not answered"


async def test_an_endpoint_that_hangs_is_given_a_rest_and_then_one_call_to_see(
    house: House, alice: Client, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_SLOW_MS", 50)
    receiver.say = lambda heard: Say(500, after=0.1)
    endpoint = await add(alice, receiver.url, schedule="exponential-5")
    path = f"/webhooks/endpoints/{endpoint['id']}"
    await pay(house, count=5)
    await house.drain()
    assert len(receiver.heard) == 5
    assert (await alice.get(path)).json()["rest_until"] is not None
    async with house.context(ALICE) as ctx:
        await ctx.db.raw("UPDATE webhook_deliveries SET next_try_at = '2000-01-01'")
        await waking.wake(ctx, UUID(endpoint["id"]))
    await house.drain()
    assert len(receiver.heard) == 5, "at rest"
    await hurry(house)
    assert len(receiver.heard) == 6, "one to see"
    receiver.say = lambda heard: Say()
    for _ in range(2):
        await hurry(house)
    assert [each["state"] for each in await listed(alice)] == ["delivered"] * 5
    assert (await alice.get(path)).json()["rest_until"] is None


async def test_no_more_calls_are_under_way_than_the_bound(house: House, alice: Client, receiver: Receiver) -> None:
    under_way = most = 0

    def say(heard: object) -> Say:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        asyncio.get_running_loop().call_later(0.02, ended)
        return Say(after=0.02)

    def ended() -> None:
        nonlocal under_way
        under_way -= 1

    receiver.say = say
    await add(alice, receiver.url)
    await pay(house, count=50)
    await house.drain()
    assert len(receiver.heard) == 50
    assert 1 < most <= 16


async def test_three_workers_deliver_everything_once(committed_house: House, receiver: Receiver) -> None:
    alice = committed_house.client(ALICE)
    for number in range(3):
        await add(alice, f"{receiver.url}/{number}")
    async with working(committed_house, workers=3):
        for _ in range(20):
            await asyncio.gather(*(pay(committed_house, count=2) for _ in range(5)))
        await until(600, receiver)
        async with asyncio.timeout(30):
            while await listed(alice, state="pending"):
                await asyncio.sleep(0.05)
    assert len(receiver.heard) == 600
    assert len({each.id for each in receiver.heard}) == 600
    assert len({(each.path, each.json["id"]) for each in receiver.heard}) == 600


@pytest.mark.parametrize("locked", [True, False])
async def test_a_delivery_added_while_the_last_look_is_taken_is_not_left_lying(
    committed_house: House, receiver: Receiver, locked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job ends just as an event is added that counts on it. Without the lock (False) it is forgotten."""
    if not locked:
        monkeypatch.setattr(waking, "_HOLD_ALONE", "SELECT $1::uuid")
    house, alice = committed_house, committed_house.client(ALICE)
    endpoint = UUID((await add(alice, receiver.url))["id"])
    await house.drain()
    holder = uuid4()
    async with house.context() as ctx:
        await waking.wake(ctx, endpoint)
    async with house.context() as ctx:
        [row] = await ctx.db.raw(
            "UPDATE pgqueuer SET status = 'picked', queue_manager_id = $1 RETURNING id, payload, headers", holder
        )
    leased = Leased(row.id, Deliver.name, row.payload, row.headers, 0, holder)
    async with house.context() as ctx:
        event_id = ctx.emit(InvoicePaid(invoice_id=endpoint, amount=1))
    fact = next(each for each in await house.facts(InvoicePaid) if each.id == event_id)
    async with house.context() as ctx:
        await fan_out.run(ctx, fact)
        await ctx.flush()  # its job is dropped: there is one, which is running
        ending = asyncio.create_task(work(house.app, leased))
        await asyncio.sleep(0.5)
        assert ending.done() is not locked
    await ending
    async with house.context() as ctx:
        await ctx.db.raw("DELETE FROM pgqueuer WHERE entrypoint = 'kernel.listen'")
    await house.drain()
    assert len(receiver.heard) == (1 if locked else 0)


async def test_what_was_forgotten_all_the_same_is_found_by_the_clock(
    house: House, alice: Client, receiver: Receiver
) -> None:
    await add(alice, receiver.url)
    await pay(house)
    await house.drain()
    async with house.context() as ctx:  # due, and no job knows
        await ctx.db.raw("UPDATE webhook_deliveries SET state = 'pending', next_try_at = '2000-01-01'")
    await house.drain()
    assert len(receiver.heard) == 1
    async with house.app.context() as ctx:
        await wake_the_forgotten.run(ctx)
    await house.drain()
    assert len(receiver.heard) == 2
