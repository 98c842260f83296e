"""The cache: bounded, one maker per key at a time, a wall between organisations; copies, never the thing itself."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from random import random
from time import perf_counter
from typing import TypeVar

from pydantic_core import from_json, to_json

from nexuscore.kernel import clock, sight
from nexuscore.kernel.cache.shared import Entry, Key, News, Packed, Shared, Ticket
from nexuscore.kernel.log import get_logger
from nexuscore.kernel.redis import Redis

T = TypeVar("T")
Ttl = float | timedelta
_log = get_logger(__name__)
UNHEARD = 2.0  # seconds an entry is believed at most while we may not hear that it was forgotten elsewhere


@dataclass(frozen=True, slots=True)
class CacheStats:
    """How often the cache had the answer, and how many entries it holds."""

    hits: int
    misses: int
    entries: int


@dataclass(slots=True)
class _Making:
    tags: Sequence[str] = ()
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0
    stale: bool = False


class _Store:
    """What one process holds, for all scopes."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.entries: OrderedDict[Key, Entry] = OrderedDict()
        self.making: dict[Key, _Making] = {}
        self.hits = 0
        self.misses = 0
        self.shared: Shared | None = None
        self.may_miss_news = False

    def live(self, key: Key) -> Entry | None:
        entry = self.entries.get(key)
        if entry is None:
            return None
        if entry.until <= clock.seconds():
            del self.entries[key]
            return None
        self.entries.move_to_end(key)
        return entry

    def put(self, key: Key, entry: Entry) -> None:
        if self.may_miss_news:
            entry = entry._replace(until=min(entry.until, clock.seconds() + UNHEARD))
        self.entries[key] = entry
        self.entries.move_to_end(key)
        while len(self.entries) > self.most:
            self.entries.popitem(last=False)

    def forget(self, news: News) -> int:
        """Drop what the news are about, made or being made; how many entries that were."""
        if news.kind == "key":
            matching = [(news.scope, news.name)]
        else:
            tags: dict[Key, Sequence[str]] = {
                key: entry.tags for key, entry in self.entries.items() if key[0] == news.scope
            }
            tags |= {key: making.tags for key, making in self.making.items() if key[0] == news.scope}
            matching = [key for key, tagged in tags.items() if _means(news, key, tagged)]
        for key in matching:
            if key in self.making:
                self.making[key].stale = True
        return sum(self.entries.pop(key, None) is not None for key in matching)

    def hear_of(self, connected: bool) -> None:
        """From now on news arrive, or may not; what may have been missed is forgotten."""
        if connected or not self.may_miss_news:
            self.entries.clear()
            for making in self.making.values():
                making.stale = True
        self.may_miss_news = not connected


def _means(news: News, key: Key, tags: Sequence[str]) -> bool:
    return news.name in tags if news.kind == "tag" else fnmatchcase(key[1], news.name)


class Cache:
    """Values by key for a while. Holds JSON (or bytes), so what a caller gets or gave is never the cached thing itself.

    `Cache()` is the part that belongs to no organisation; `scoped(org)` is an organisation's own.
    """

    def __init__(self, *, most: int = 10_000) -> None:
        self._store = _Store(most)
        self._scope = ""

    def scoped(self, org: object) -> Cache:
        """The part of this cache that belongs to an organisation; its keys meet no one else's."""
        part = Cache.__new__(Cache)
        part._store = self._store
        part._scope = f"org:{org}"
        return part

    async def get(self, key: str) -> object | None:
        """The value, or None when there is none or its time is over."""
        started, where, store = perf_counter(), (self._scope, key), self._store
        entry = store.live(where)
        if entry is None and store.shared is not None:
            with self._making(where, ()) as making:
                async with making.lock:
                    making.stale = False
                    entry = store.live(where) or await self._shared_entry(store.shared, where, making)
        self._count(entry is not None, started)
        return None if entry is None else _open(entry.packed)

    async def _shared_entry(self, shared: Shared, where: Key, making: _Making) -> Entry | None:
        """What Redis has, kept here too unless it was forgotten while we asked."""
        found = await shared.look(where)
        if not isinstance(found, Entry):
            return None
        if not making.stale:
            self._store.put(where, found)
        return found

    async def set(self, key: str, value: object, ttl: Ttl, *, tags: Sequence[str] = ()) -> None:
        """Keep a JSON-able value (or bytes) for `ttl` seconds; the least recently used entries make room."""
        where, entry = (self._scope, key), _entry(_pack(value), ttl, 0.0, tags)
        self._store.put(where, entry)
        if self._store.shared is not None:
            await self._store.shared.replace(where, entry)

    async def delete(self, key: str) -> None:
        """Forget a key, here and now; in other processes a moment later. A value being made for it is not kept."""
        await self._forget(News("key", self._scope, key))

    async def delete_match(self, pattern: str) -> int:
        """Forget this scope's keys that match a shell pattern ("fees:*"); how many there were in this process."""
        return await self._forget(News("match", self._scope, pattern))

    async def delete_tag(self, tag: str) -> int:
        """Forget this scope's entries with a tag; how many there were in this process."""
        return await self._forget(News("tag", self._scope, tag))

    async def remember(
        self,
        key: str,
        ttl: Ttl,
        make: Callable[[], Awaitable[T]],
        *,
        tags: Sequence[str] = (),
        early: float = 1.0,
        alone: bool = False,
    ) -> T:
        """The cached value, or what `make` returns, kept. Of many who ask at once, one makes and the others wait.

        Shortly before its time is over one of those who ask may make it anew while the others still get the old one,
        the sooner the longer it takes to make; `early=0` for never. With `alone`, one of all processes makes it.
        """

        async def packed() -> Packed:
            return _pack(await make())

        found = await self.remember_packed(key, ttl, packed, tags=tags, early=early, alone=alone)
        return _open(found)  # type: ignore[return-value]  # what `make` returned, by way of JSON

    async def remember_packed(
        self,
        key: str,
        ttl: Ttl,
        make: Callable[[], Awaitable[Packed]],
        *,
        tags: Sequence[str] = (),
        early: float = 1.0,
        alone: bool = False,
    ) -> Packed:
        """`remember`, for who packs and opens values themselves."""
        started, where, store = perf_counter(), (self._scope, key), self._store
        threshold = clock.seconds()
        entry = store.live(where)
        if entry is not None:
            threshold = _early(entry, early)
            if entry.until > threshold or where in store.making:
                self._count(True, started)
                return entry.packed
        with self._making(where, tags) as making:
            async with making.lock:
                again = store.live(where)
                if again is not None and again is not entry and again.until > threshold:
                    self._count(True, started)
                    return again.packed
                making.stale = False
                ticket = None
                if store.shared is not None:
                    alone = alone and entry is None
                    found = await store.shared.look(where, tags, alone=alone, newer_than=threshold)
                    if isinstance(found, Entry):
                        if not making.stale:
                            store.put(where, found)
                        self._count(True, started)
                        return found.packed
                    ticket = found
                self._count(False, started)
                try:
                    return await self._make(where, ttl, make, making, ticket)
                except Exception:
                    if entry is None or making.stale:
                        raise
                    _log.warning("early_refresh_failed", key=key, exc_info=True)
                    return entry.packed

    async def _make(
        self, where: Key, ttl: Ttl, make: Callable[[], Awaitable[Packed]], making: _Making, ticket: Ticket | None
    ) -> Packed:
        store, started = self._store, perf_counter()
        try:
            packed = await make()
            entry = _entry(packed, ttl, perf_counter() - started, making.tags)
            if not making.stale:
                store.put(where, entry)
                if ticket is not None and store.shared is not None:
                    await store.shared.put(where, entry, ticket)
            return packed
        finally:
            if ticket is not None and store.shared is not None:
                await store.shared.give_up(where, ticket)

    def forget_now(self, news: News) -> int:
        """Forget in this process at once, and have the others told; never fails, never waits."""
        dropped = self._store.forget(news)
        if self._store.shared is not None:
            self._store.shared.tell(news)
        return dropped

    async def _forget(self, news: News) -> int:
        dropped = self.forget_now(news)
        if self._store.shared is not None:
            await self._store.shared.told()
        return dropped

    def stats(self) -> CacheStats:
        """Counters over all scopes since the start."""
        return CacheStats(self._store.hits, self._store.misses, len(self._store.entries))

    async def start(self, redis: Redis | None) -> None:
        """Share it through Redis from now on, when there is one."""
        if redis is not None:
            self._store.may_miss_news = True
            self._store.shared = Shared(redis, self._store.forget, self._store.hear_of)
            self._store.shared.start()

    async def stop(self) -> None:
        """Share it no more; what others have not been told yet is told now, if Redis listens."""
        if self._store.shared is not None:
            await self._store.shared.stop()
            self._store.shared = None

    def _count(self, hit: bool, started: float) -> None:
        seconds = perf_counter() - started
        if hit:
            self._store.hits += 1
            sight.cache_hit(seconds)
        else:
            self._store.misses += 1
            sight.cache_miss(seconds)

    @contextmanager
    def _making(self, key: Key, tags: Sequence[str]) -> Iterator[_Making]:
        making = self._store.making.setdefault(key, _Making(tags))
        making.users += 1
        try:
            yield making
        finally:
            making.users -= 1
            if not making.users:
                self._store.making.pop(key, None)


def _early(entry: Entry, eagerness: float) -> float:
    """Until when an entry must live to be taken as it is: now, or a little later by chance (XFetch)."""
    now = clock.seconds()
    if not eagerness or entry.until - now > entry.cost * eagerness * 40:
        return now
    return now - entry.cost * eagerness * math.log(1 - random())  # noqa: S311 - chance, not a secret


def _entry(packed: Packed, ttl: Ttl, cost: float, tags: Sequence[str]) -> Entry:
    seconds = ttl.total_seconds() if isinstance(ttl, timedelta) else ttl
    return Entry(clock.seconds() + seconds, cost, packed, tuple(tags))


def _pack(value: object) -> Packed:
    """Bytes stay bytes; everything else becomes JSON text, which tells the two apart."""
    return value if isinstance(value, bytes) else to_json(value).decode()


def _open(packed: Packed) -> object:
    return packed if isinstance(packed, bytes) else from_json(packed)
