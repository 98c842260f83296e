"""The cache: time, room, single flight, walls between organisations, and copies instead of the thing itself."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings, strategies as st

from nexuscore.kernel import clock
from nexuscore.kernel.cache import Cache, store

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Maker:
    """Makes a value slowly and counts how often."""

    def __init__(self, value: object = "made") -> None:
        self.value = value
        self.times = 0
        self.started = asyncio.Event()
        self.may_end = asyncio.Event()

    async def __call__(self) -> object:
        self.times += 1
        self.started.set()
        await self.may_end.wait()
        return self.value


async def test_a_value_is_kept_for_its_time() -> None:
    cache = Cache()
    with clock.fake(NOON) as now:
        await cache.set("a", 1, 60)
        await cache.set("b", 2, timedelta(minutes=2))
        now.advance(seconds=59)
        assert (await cache.get("a"), await cache.get("b")) == (1, 2)
        now.advance(seconds=1)
        assert (await cache.get("a"), await cache.get("b")) == (None, 2)
    assert cache.stats().entries == 1


@pytest.mark.parametrize("value", [None, 0, "", [], {"a": [1, {"b": None}]}, "שלום", b"", b"\xff{}", 1.5, True])
async def test_json_and_bytes_come_back_as_they_went_in(value: object) -> None:
    cache = Cache()
    await cache.set("a", value, 60)
    back = await cache.get("a")
    assert back == value
    assert type(back) is type(value)


async def test_nobody_can_change_what_is_cached() -> None:
    cache = Cache()
    given = {"tags": ["a"]}
    await cache.set("note", given, 60)
    given["tags"].append("mine")
    got = await cache.get("note")
    assert got == {"tags": ["a"]}
    got["tags"].append("theirs")
    assert await cache.get("note") == {"tags": ["a"]}

    async def make() -> dict[str, list[str]]:
        return {"tags": ["a"]}

    made = await cache.remember("other", 60, make)
    made["tags"].append("mine")
    assert await cache.remember("other", 60, make) == {"tags": ["a"]}


async def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="serialize"):
        await Cache().set("a", object(), 60)


async def test_the_least_recently_used_makes_room() -> None:
    cache = Cache(most=2)
    await cache.set("a", 1, 60)
    await cache.set("b", 2, 60)
    await cache.get("a")
    await cache.set("c", 3, 60)
    assert [await cache.get(key) for key in "abc"] == [1, None, 3]
    assert cache.stats().entries == 2


async def test_organisations_cannot_meet() -> None:
    cache = Cache()
    acme, globex = cache.scoped("acme"), cache.scoped("globex")
    await cache.set("fee", "everyone", 60)
    await acme.set("fee", "acme", 60)
    assert await globex.get("fee") is None
    await globex.set("fee", "globex", 60)
    assert [await each.get("fee") for each in (cache, acme, globex)] == ["everyone", "acme", "globex"]
    for forged in ("org:globex", "globex:fee", "../globex/fee", "org:globex:fee"):
        assert await acme.get(forged) is None
        assert await cache.get(forged) is None
    await acme.delete("fee")
    assert await acme.delete_match("*") == 0
    assert await globex.get("fee") == "globex"
    assert await cache.scoped("acme").get("fee") is None
    assert await cache.scoped("globex").get("fee") == "globex"


async def test_delete_match_forgets_by_pattern_in_its_own_scope() -> None:
    cache = Cache()
    for key in ("fees:1", "fees:2", "flags:1"):
        await cache.set(key, 1, 60)
        await cache.scoped("acme").set(key, 1, 60)
    assert await cache.delete_match("fees:*") == 2
    assert [await cache.get(key) for key in ("fees:1", "fees:2", "flags:1")] == [None, None, 1]
    assert await cache.scoped("acme").get("fees:1") == 1


async def test_one_makes_and_the_others_wait() -> None:
    cache, make = Cache(), Maker()
    asked = [asyncio.create_task(cache.remember("a", 60, make)) for _ in range(20)]
    await make.started.wait()
    make.may_end.set()
    assert await asyncio.gather(*asked) == ["made"] * 20
    assert make.times == 1
    assert (cache.stats().misses, cache.stats().hits) == (1, 19)


async def test_none_is_remembered_too() -> None:
    cache, make = Cache(), Maker(None)
    make.may_end.set()
    await cache.remember("a", 60, make)
    await cache.remember("a", 60, make)
    assert make.times == 1


async def test_scopes_and_keys_are_made_side_by_side() -> None:
    cache = Cache()
    slow, quick = Maker("slow"), Maker("quick")
    quick.may_end.set()
    waiting = asyncio.create_task(cache.scoped("acme").remember("a", 60, slow))
    await slow.started.wait()
    assert await cache.scoped("globex").remember("a", 60, quick) == "quick"
    slow.may_end.set()
    assert await waiting == "slow"


async def test_a_failure_is_not_cached_and_the_next_one_tries() -> None:
    cache = Cache()
    outcomes: list[object] = [RuntimeError("down"), "up"]

    async def make() -> object:
        await asyncio.sleep(0)
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    first, second = await asyncio.gather(
        cache.remember("a", 60, make), cache.remember("a", 60, make), return_exceptions=True
    )
    assert isinstance(first, RuntimeError)
    assert second == "up"


async def test_who_gives_up_does_not_stop_the_others() -> None:
    cache, make = Cache(), Maker()
    impatient = asyncio.create_task(cache.remember("a", 60, make))
    await make.started.wait()
    patient = asyncio.create_task(cache.remember("a", 60, make))
    await asyncio.sleep(0)
    impatient.cancel()
    make.may_end.set()
    assert await patient == "made"
    assert make.times == 2


@pytest.mark.parametrize("by_pattern", [False, True])
async def test_a_value_made_before_a_delete_is_not_kept_after_it(by_pattern: bool) -> None:
    cache, make = Cache(), Maker("old")
    reading = asyncio.create_task(cache.remember("fee", 60, make))
    await make.started.wait()
    await (cache.delete_match("fe*") if by_pattern else cache.delete("fee"))
    make.may_end.set()
    assert await reading == "old"
    make.value = "new"
    assert await cache.remember("fee", 60, make) == "new"


async def test_who_waited_through_a_delete_makes_anew_and_keeps_it() -> None:
    cache, make = Cache(), Maker("old")
    first = asyncio.create_task(cache.remember("fee", 60, make))
    await make.started.wait()
    second = asyncio.create_task(cache.remember("fee", 60, make))
    await asyncio.sleep(0)
    await cache.delete("fee")
    make.may_end.set()
    assert await first == "old"
    assert await second == "old"
    assert make.times == 2
    assert await cache.get("fee") == "old", "the second value was made after the delete"


@settings(max_examples=100)
@given(
    ttl=st.floats(0.1, 10_000),
    steps=st.lists(st.tuples(st.sampled_from(["look", "keep"]), st.floats(0, 3_000)), max_size=20),
)
def test_property_35_nothing_outlives_its_time(ttl: float, steps: list[tuple[str, float]]) -> None:
    """Property P35: an entry is there until its time is over, and not after."""

    async def run() -> None:
        cache, kept_at = Cache(), None
        with clock.fake(NOON) as now:
            for step, pause in steps:
                now.advance(seconds=pause)
                if step == "keep":
                    await cache.set("a", 1, ttl)
                    kept_at = clock.seconds()
                elif kept_at is None or clock.seconds() >= kept_at + ttl:
                    assert await cache.get("a") is None
                else:
                    assert await cache.get("a") == 1

    asyncio.run(run())


async def test_a_tag_forgets_its_entries_and_what_is_being_made_under_it() -> None:
    cache, make = Cache(), Maker("old")
    await cache.set("a:1", 1, 60, tags=("money", "eu"))
    await cache.set("a:2", 2, 60, tags=("eu",))
    await cache.scoped("acme").set("a:1", 1, 60, tags=("money",))
    making = asyncio.create_task(cache.remember("a:3", 60, make, tags=("money",)))
    await make.started.wait()
    assert await cache.delete_tag("money") == 1
    make.may_end.set()
    await making
    assert [await cache.get(key) for key in ("a:1", "a:2", "a:3")] == [None, 2, None]
    assert await cache.scoped("acme").get("a:1") == 1


async def test_shortly_before_its_end_one_makes_it_anew_and_the_others_get_the_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Seen red without it: everybody who asks at the end waits for the one who makes it."""
    cache, make = Cache(), Maker("old")
    make.may_end.set()
    with clock.fake(NOON) as now:
        await cache.remember("rates", 60, make)
        cache._store.entries["", "rates"] = cache._store.entries["", "rates"]._replace(cost=1.0)
        monkeypatch.setattr(store, "random", lambda: 0.9)  # 2.3 times its cost before the end
        now.advance(seconds=57)
        assert await cache.remember("rates", 60, make) == "old"
        assert make.times == 1
        now.advance(seconds=1)
        again = Maker("new")
        early = asyncio.create_task(cache.remember("rates", 60, again))
        await asyncio.wait_for(again.started.wait(), 5)
        assert await cache.remember("rates", 60, again) == "old", "nobody waits"
        again.may_end.set()
        assert await early == "new"
        assert (await cache.remember("rates", 60, again), again.times) == ("new", 1)
        assert await cache.remember("rates", 60, again, early=0) == "new"


async def test_an_early_try_that_fails_costs_nobody_the_value_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails() -> str:
        raise RuntimeError("no rates today")

    cache, make = Cache(), Maker("old")
    make.may_end.set()
    with clock.fake(NOON) as now:
        await cache.remember("rates", 60, make)
        cache._store.entries["", "rates"] = cache._store.entries["", "rates"]._replace(cost=1.0)
        monkeypatch.setattr(store, "random", lambda: 0.9)
        now.advance(seconds=59)
        assert await cache.remember("rates", 60, fails) == "old"
        now.advance(seconds=1)
        with pytest.raises(RuntimeError):
            await cache.remember("rates", 60, fails)


async def test_nothing_is_left_behind_by_makers() -> None:
    cache, make = Cache(), Maker()
    make.may_end.set()
    for number in range(50):
        await cache.remember(f"key:{number}", 60, make)
    assert not cache._store.making


async def test_hits_and_misses_are_counted_over_all_scopes() -> None:
    cache = Cache()
    await cache.get("a")
    await cache.scoped("acme").set("a", 1, 60)
    await cache.scoped("acme").get("a")
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.entries) == (1, 1, 1)
