"""The cache of several processes: two nodes on one Redis. What one forgets the other does not serve."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import SecretStr

from nexuscore.kernel import clock
from nexuscore.kernel.cache import Cache
from nexuscore.kernel.cache.shared import News, Shared
from nexuscore.kernel.redis import Redis
from nexuscore.kernel.testing_redis import RedisServer

pytestmark = pytest.mark.anyio
WORDS = st.text(alphabet=":=-%3Aa", max_size=4)


@dataclass
class Node:
    """One process's cache."""

    cache: Cache
    redis: Redis

    @property
    def shared(self) -> Shared:
        found = self.cache._store.shared
        assert found is not None
        return found

    def forgets_everything_here(self) -> None:
        """As a process that has just started."""
        self.cache._store.entries.clear()


@asynccontextmanager
async def node(server: RedisServer) -> AsyncIterator[Node]:
    found = Node(Cache(), Redis(SecretStr(server.url), prefix="test", timeout=0.5, retry=0.2))
    await found.redis.start()
    await found.cache.start(found.redis)
    try:
        await until(lambda: not found.cache._store.may_miss_news)
        yield found
    finally:
        await found.cache.stop()
        await found.redis.stop()


@pytest.fixture
async def nodes(redis_server: RedisServer, anyio_backend: str) -> AsyncIterator[tuple[Node, Node]]:
    async with AsyncExitStack() as stack:
        yield (
            await stack.enter_async_context(node(redis_server)),
            await stack.enter_async_context(node(redis_server)),
        )


async def until(is_so: Callable[[], bool | Awaitable[bool]], within: float = 5) -> None:
    """Five seconds are the promise: what is forgotten here is not served there after them."""
    async with asyncio.timeout(within):
        while True:
            found = is_so()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.01)


def makes(*values: object) -> Callable[[], Awaitable[object]]:
    waiting = list(values)

    async def make() -> object:
        return waiting.pop(0)

    return make


async def test_what_one_makes_the_other_gets(nodes: tuple[Node, Node]) -> None:
    here, there = nodes
    for value in ("text", {"a": [1, None]}, b"\xff\n\x00 {}", None):
        key = f"made:{type(value).__name__}"
        assert await here.cache.remember(key, 60, makes(value)) == value
        assert await there.cache.remember(key, 60, makes()) == value
    await here.cache.set("set:1", 1, 60)
    assert await there.cache.get("set:1") == 1
    assert there.cache.stats().misses == 0


@pytest.mark.parametrize("how", ["key", "match", "tag", "set"])
async def test_property_47_what_is_forgotten_is_not_served_elsewhere(nodes: tuple[Node, Node], how: str) -> None:
    """Property P47. Seen red without the news (the other memory), and without the stamps (what Redis holds)."""
    here, there = nodes
    await here.cache.remember("fees:1", 60, makes("old"), tags=("money",))
    assert await there.cache.remember("fees:1", 60, makes(), tags=("money",)) == "old"
    match how:
        case "key":
            await here.cache.delete("fees:1")
        case "match":
            await here.cache.delete_match("fees:*")
        case "tag":
            await here.cache.delete_tag("money")
        case "set":
            await here.cache.set("fees:1", "new", 60)
    await until(lambda: ("", "fees:1") not in there.cache._store.entries)
    assert await there.cache.remember("fees:1", 60, makes("new"), tags=("money",)) == "new"
    here.forgets_everything_here()
    assert await here.cache.get("fees:1") == "new"


@pytest.mark.parametrize("how", ["key", "match", "tag"])
async def test_what_was_read_before_is_not_stored_after(nodes: tuple[Node, Node], how: str) -> None:
    """A slow maker read the old row; then it was changed and forgotten. Seen red with a plain SET."""
    here, there = nodes
    read, go = asyncio.Event(), asyncio.Event()

    async def slow() -> str:
        read.set()
        await go.wait()
        return "old"

    # the other's news are lost on the way: what Redis holds must be right all the same
    there.shared._forget = lambda news: 0
    making = asyncio.create_task(there.cache.remember("fees:1", 60, slow, tags=("money",)))
    await read.wait()
    forget = {"key": here.cache.delete, "match": here.cache.delete_match, "tag": here.cache.delete_tag}[how]
    await forget({"key": "fees:1", "match": "fees:*", "tag": "money"}[how])
    go.set()
    assert await making == "old"
    assert await here.cache.remember("fees:1", 60, makes("new"), tags=("money",)) == "new"
    there.forgets_everything_here()
    assert await there.cache.get("fees:1") == "new"


async def test_organisations_cannot_meet_in_redis(nodes: tuple[Node, Node]) -> None:
    """Seen red when the stamps knew no scope and the key was the name alone."""
    here, there = nodes
    await here.cache.scoped("globex").set("fee", "globex's", 60)
    await here.cache.scoped("globex").set("x:fee", "globex's", 60)
    acme = there.cache.scoped("acme")
    for scope in ("acme", "globex:x", "globex%3A", "-", "=globex"):
        for name in ("fee", "org:globex:fee", "globex:fee", ":fee", "=org%3Aglobex:fee", "../=org%3Aglobex/fee"):
            assert await there.cache.scoped(scope).get(name) is None
            assert await there.cache.get(name) is None
    await acme.delete("fee")
    await acme.delete_match("*")
    await acme.delete_tag("fee")
    await there.cache.delete_match("*")
    here.forgets_everything_here()
    assert await there.cache.scoped("globex").get("fee") == "globex's"


async def test_forgetting_by_pattern_walks_through_nothing(nodes: tuple[Node, Node], redis_server: RedisServer) -> None:
    here, there = nodes
    await here.redis.call("SET", "of somebody else", "stays")
    for number in range(5):
        await here.cache.set(f"fees:{number}", number, 60)
        await here.cache.set(f"flags:{number}", number, 60)
    redis_server.ask("CONFIG", "RESETSTAT")
    await here.cache.delete_match("fees:*")
    there.forgets_everything_here()
    assert [await there.cache.get(f"fees:{number}") for number in range(5)] == [None] * 5
    assert [await there.cache.get(f"flags:{number}") for number in range(5)] == list(range(5))
    assert await here.redis.call("GET", "of somebody else") == b"stays"
    used = redis_server.ask("INFO", "commandstats")
    assert b"cmdstat_evalsha" in used
    assert not any(f"cmdstat_{name}:".encode() in used for name in ("keys", "scan", "flushdb", "flushall"))


async def test_of_all_processes_one_makes_what_is_dear(nodes: tuple[Node, Node]) -> None:
    times = 0

    async def dear() -> str:
        nonlocal times
        times += 1
        await asyncio.sleep(0.1)
        return "made"

    asked = [each.cache.remember("rates:1", 60, dear, alone=True) for each in nodes for _ in range(5)]
    assert await asyncio.gather(*asked) == ["made"] * 10
    assert times == 1
    assert await nodes[0].redis.call("EXISTS", nodes[0].shared._lock(("", "rates:1"))) == 0


async def test_a_maker_that_fails_does_not_keep_the_others_waiting(nodes: tuple[Node, Node]) -> None:
    async def fails() -> str:
        raise RuntimeError("no rates today")

    with pytest.raises(RuntimeError):
        await nodes[0].cache.remember("rates:1", 60, fails, alone=True)
    assert await nodes[1].cache.remember("rates:1", 60, makes("made"), alone=True) == "made"


async def test_without_redis_each_goes_on_alone_and_believes_less(
    nodes: tuple[Node, Node], redis_server: RedisServer
) -> None:
    """What is in memory is forgotten when news may be missed, and what is kept then is kept for two seconds."""
    here, there = nodes
    await here.cache.remember("fees:1", 3600, makes("old"))
    assert await there.cache.get("fees:1") == "old"
    redis_server.pause()
    await until(lambda: there.cache._store.may_miss_news)
    assert ("", "fees:1") not in there.cache._store.entries
    assert await there.cache.remember("fees:2", 3600, makes("alone")) == "alone"
    assert there.cache._store.entries[("", "fees:2")].until <= clock.seconds() + 2
    here.cache.forget_now(News("key", "", "fees:1"))
    redis_server.resume()

    async def heard() -> bool:
        return await there.cache.get("fees:1") is None and not there.cache._store.may_miss_news

    await until(heard)
    assert await there.cache.remember("fees:1", 60, makes("new")) == "new"


async def test_entries_end_in_redis_too(nodes: tuple[Node, Node]) -> None:
    """Property P35, where the entry is shared."""
    here, there = nodes
    await here.cache.set("short:1", 1, 0.05)
    assert 0 < await here.redis.call("PTTL", here.shared._entry(("", "short:1"))) <= 50
    await asyncio.sleep(0.06)
    assert await there.cache.get("short:1") is None


@settings(max_examples=100, deadline=None)
@given(parts=st.lists(WORDS, min_size=3, max_size=5), cut=st.integers(1, 2))
def test_two_scopes_never_share_a_key(parts: list[str], cut: int) -> None:
    """Seen red when a scope was put before the name as it is: "fee" of "globex:x" was "x:fee" of "globex"."""
    shared = Shared(Redis(SecretStr("redis://nowhere"), prefix="test", timeout=1, retry=1), lambda _: 0, lambda _: None)
    one, other = ((":".join(parts[:at]), ":".join(parts[at:])) for at in (cut, cut + 1))
    assert one[0] != other[0]
    assert shared._entry(one) != shared._entry(other)
    assert not set(shared._stamps(one, ("tag",))) & set(shared._stamps(other, ("tag",)))
