"""The part of the cache that processes share in Redis, and the news by which each hears what others forgot.

An entry is stored with the stamps it was made under: of its scope, of the first part of its name, of its tags. To
forget is to remove a stamp, which the next look writes anew; so an entry made of what was read before is worth nothing
after, however late it is stored, and nobody walks through keys. A single key leaves a tombstone, which whoever was
making a value for it does not overwrite.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from secrets import token_hex
from typing import Literal, NamedTuple
from urllib.parse import quote

from pydantic_core import from_json, to_json

from nexuscore.kernel import clock
from nexuscore.kernel.log import get_logger
from nexuscore.kernel.redis import Redis, RedisDown, Script

_log = get_logger(__name__)
Packed = bytes | str
Key = tuple[str, str]  # scope, name: two fields, so that no name can reach into another scope

STAMP_LIFE = 7 * 86_400_000  # milliseconds
LONGEST = 86_400.0  # seconds an entry stays in Redis at most
TOMBSTONE_LIFE = 120_000  # milliseconds: longer than anybody may take to make a value
ALONE_FOR = 30_000  # milliseconds: how long one process may take to make what the others wait for
WAIT_FOR_MAKER = 2.0
LOOK_EVERY = 0.02
RETRY = 0.5
PATIENCE = 0.1  # seconds somebody who deletes waits for the others to be told
MOST_UNTOLD = 1_000


class Entry(NamedTuple):
    """A packed value, until when it counts, how long it took to make, and its tags."""

    until: float
    cost: float
    packed: Packed
    tags: tuple[str, ...] = ()


class News(NamedTuple):
    """Something was forgotten: a key, the keys that match a pattern, those with a tag."""

    kind: Literal["key", "match", "tag"]
    scope: str
    name: str


class Ticket(NamedTuple):
    """What a maker saw before it began: it may store its value only if that is still so."""

    seen: bytes
    stamps: bytes
    alone: bool


_LOOK = Script(f"""
local stamps = {{}}
for i = 2, #KEYS do
  local stamp = redis.call('GET', KEYS[i])
  if not stamp then
    stamp = ARGV[1]
    redis.call('SET', KEYS[i], stamp, 'PX', {STAMP_LIFE})
  end
  stamps[i - 1] = stamp
end
return {{redis.call('GET', KEYS[1]), table.concat(stamps, ',')}}
""")
_PUT = Script("""
if redis.call('GETRANGE', KEYS[1], 0, 15) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
""")
_FORGET = Script(f"""
if ARGV[1] == 'key' then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', {TOMBSTONE_LIFE})
else
  redis.call('DEL', KEYS[1])
end
redis.call('PUBLISH', KEYS[2], ARGV[3])
return 1
""")


class Shared:
    """The cache's way to Redis. Nothing here fails: without Redis there is no entry, and news are told later."""

    def __init__(self, redis: Redis, forget: Callable[[News], int], connected: Callable[[bool], None]) -> None:
        self._redis = redis
        self._forget = forget
        self._connected = connected
        self._name = token_hex(8)
        self._channel = redis.key("cache-news")
        self._untold: deque[News] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Follow the news of others, and tell them ours."""
        self._tasks = [
            asyncio.create_task(self._redis.follow(self._channel, self._heard, self._connected)),
            asyncio.create_task(self._tell_untold()),
        ]

    async def stop(self) -> None:
        """Tell what is untold, if that is possible at once; then hear and tell no more."""
        await self.told()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    # --- entries ------------------------------------------------------------------------------------------------------

    async def look(
        self, where: Key, tags: Sequence[str] = (), *, alone: bool = False, newer_than: float | None = None
    ) -> Entry | Ticket | None:
        """The entry, or what to store one with; None while Redis is away or knows less than we."""
        waited = 0.0
        while True:
            found = await self._look(where, tags, newer_than)
            if not isinstance(found, Ticket) or not alone:
                return found
            if waited >= WAIT_FOR_MAKER or await self._may_make(where):
                return found._replace(alone=True)
            await asyncio.sleep(LOOK_EVERY)
            waited += LOOK_EVERY

    async def _look(self, where: Key, tags: Sequence[str], newer_than: float | None) -> Entry | Ticket | None:
        if self._untold:
            return None
        try:
            stored, stamps = await self._ask(where, tags)
            kept_under = _tags_of(stored)
            if kept_under is not None and kept_under != tuple(tags):
                tags = kept_under
                stored, stamps = await self._ask(where, tags)
        except RedisDown:
            return None
        least = clock.seconds() if newer_than is None else newer_than
        entry = _read(stored, stamps)
        if entry is not None and entry.until > least:
            return entry
        return Ticket(stored[:16], stamps, False)

    async def _ask(self, where: Key, tags: Sequence[str]) -> tuple[bytes, bytes]:
        """What is stored there, if only a tombstone, and the stamps of now."""
        stored, stamps = await self._redis.run(_LOOK, [self._entry(where), *self._stamps(where, tags)], [token_hex(8)])
        return stored or b"", stamps

    async def put(self, where: Key, entry: Entry, ticket: Ticket) -> None:
        """Store what was made, unless it was forgotten while it was."""
        if not self._untold:
            with suppress(RedisDown):
                await self._redis.run(
                    _PUT, [self._entry(where)], [ticket.seen, _written(entry, ticket.stamps), _life(entry)]
                )

    async def replace(self, where: Key, entry: Entry) -> None:
        """Store a value that somebody simply sets; memories of other processes forget theirs."""
        self.tell(News("key", *where))
        await self.told()
        if not self._untold:
            with suppress(RedisDown):
                _, stamps = await self._ask(where, entry.tags)
                await self._redis.call("SET", self._entry(where), _written(entry, stamps), "PX", _life(entry))

    async def _may_make(self, where: Key) -> bool:
        try:
            return await self._redis.call("SET", self._lock(where), self._name, "NX", "PX", ALONE_FOR) is not None
        except RedisDown:
            return True

    async def give_up(self, where: Key, ticket: Ticket) -> None:
        """Whoever waited for us to make it need not any more."""
        if ticket.alone:
            with suppress(RedisDown):
                await self._redis.call("DEL", self._lock(where))

    # --- news ---------------------------------------------------------------------------------------------------------

    def tell(self, news: News) -> None:
        """Have Redis and the other processes forget it too, now or as soon as they can be reached."""
        if len(self._untold) >= MOST_UNTOLD:
            scopes = {each.scope for each in self._untold} | {news.scope}
            self._untold = deque(News("match", scope, "*") for scope in scopes)
        else:
            self._untold.append(news)
        self._idle.clear()
        self._wake.set()

    async def told(self) -> None:
        """Wait a moment for the others to know."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._idle.wait()

    async def _tell_untold(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._untold:
                news = self._untold[0]
                try:
                    await self._redis.insist_on(_FORGET, [self._place(news), self._channel], self._told_as(news))
                except RedisDown:
                    await asyncio.sleep(RETRY)
                    continue
                if self._untold and self._untold[0] is news:
                    self._untold.popleft()
            self._idle.set()

    def _told_as(self, news: News) -> list[str | bytes]:
        return [news.kind, f"{token_hex(8)} forgotten", to_json([self._name, *news])]

    def _heard(self, message: bytes) -> None:
        sender, kind, scope, name = from_json(message)
        if sender != self._name:
            self._forget(News(kind, scope, name))

    # --- names --------------------------------------------------------------------------------------------------------

    def _entry(self, where: Key) -> str:
        return self._redis.key("cache", _part(where[0]), where[1])

    def _lock(self, where: Key) -> str:
        return self._redis.key("cache-lock", _part(where[0]), where[1])

    def _stamps(self, where: Key, tags: Sequence[str]) -> list[str]:
        scope, name = where
        return [
            self._stamp(scope, "all"),
            self._stamp(scope, "first", name.partition(":")[0]),
            *(self._stamp(scope, "tag", tag) for tag in tags),
        ]

    def _stamp(self, scope: str, *what: str) -> str:
        return self._redis.key("cache-stamp", _part(scope), *what)

    def _place(self, news: News) -> str:
        """The entry, or the stamp that stands for at least all that is to be forgotten."""
        if news.kind == "key":
            return self._entry((news.scope, news.name))
        if news.kind == "tag":
            return self._stamp(news.scope, "tag", news.name)
        first, more, _ = news.name.partition(":")
        if more and not any(sign in first for sign in "*?["):
            return self._stamp(news.scope, "first", first)
        return self._stamp(news.scope, "all")


def _part(scope: str) -> str:
    """A scope as one part of a key: what separates parts cannot be in it, and no scope is not "-"."""
    return f"={quote(scope, safe='')}" if scope else "-"


def _life(entry: Entry) -> int:
    return max(1, round(min(entry.until - clock.seconds(), LONGEST) * 1000))


def _written(entry: Entry, stamps: bytes) -> bytes:
    """An id of 16 characters, until, cost, kind, tags; the stamps; the value."""
    packed, kind = (entry.packed.encode(), "t") if isinstance(entry.packed, str) else (entry.packed, "b")
    head = f"{token_hex(8)} {entry.until!r} {entry.cost!r} {kind} {to_json(entry.tags).decode()}\n"
    return b"".join((head.encode(), stamps, b"\n", packed))


def _tags_of(stored: bytes) -> tuple[str, ...] | None:
    """The tags an entry was stored with; None for what is no entry."""
    head = stored.partition(b"\n")[0].split(b" ", 4)
    return None if len(head) < 5 else tuple(from_json(head[4]))


def _read(stored: bytes, stamps: bytes) -> Entry | None:
    """The entry, if nothing it depends on was forgotten since it was made."""
    head, _, rest = stored.partition(b"\n")
    under, _, body = rest.partition(b"\n")
    tags = _tags_of(stored)
    if tags is None or under != stamps:
        return None
    _, until, cost, kind, _ = head.split(b" ", 4)
    return Entry(float(until), float(cost), body.decode() if kind == b"t" else body, tags)
