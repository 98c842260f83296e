"""The cache of one process: bounded, one maker per key at a time, and a wall between organisations."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import TypeVar

from pydantic_core import from_json, to_json

from nexuscore.kernel import clock

T = TypeVar("T")
Ttl = float | timedelta
Key = tuple[str, str]  # scope, name: two fields, so that no name can reach into another scope


@dataclass(frozen=True, slots=True)
class CacheStats:
    """How often the cache had the answer, and how many entries it holds."""

    hits: int
    misses: int
    entries: int


@dataclass(slots=True)
class _Making:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0
    stale: bool = False


@dataclass(slots=True)
class _Store:
    most: int
    entries: OrderedDict[Key, tuple[float, bytes | str]] = field(default_factory=OrderedDict)
    making: dict[Key, _Making] = field(default_factory=dict)
    hits: int = 0
    misses: int = 0


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
        found = self._live((self._scope, key))
        if found is None:
            self._store.misses += 1
            return None
        self._store.hits += 1
        return _open(found)

    async def set(self, key: str, value: object, ttl: Ttl) -> None:
        """Keep a JSON-able value (or bytes) for `ttl` seconds; the least recently used entries make room."""
        self._put((self._scope, key), _pack(value), ttl)

    async def delete(self, key: str) -> None:
        """Forget a key. A value being made for it right now is not kept either."""
        self._forget((self._scope, key))

    async def delete_match(self, pattern: str) -> int:
        """Forget this scope's keys that match a shell pattern ("fees:*"); how many there were."""
        store = self._store
        known = {*store.entries, *store.making}
        matching = [key for key in known if key[0] == self._scope and fnmatchcase(key[1], pattern)]
        held = sum(key in store.entries for key in matching)
        for key in matching:
            self._forget(key)
        return held

    async def remember(self, key: str, ttl: Ttl, make: Callable[[], Awaitable[T]]) -> T:
        """The cached value, or what `make` returns, kept. Of many who ask at once, one makes and the others wait."""
        where = (self._scope, key)
        with self._making(where) as making:
            async with making.lock:
                found = self._live(where)
                if found is not None:
                    self._store.hits += 1
                    return _open(found)  # type: ignore[return-value]  # what `make` returned, by way of JSON
                self._store.misses += 1
                making.stale = False
                value = await make()
                packed = _pack(value)
                if not making.stale:
                    self._put(where, packed, ttl)
                return _open(packed)  # type: ignore[return-value]  # as above

    def stats(self) -> CacheStats:
        """Counters over all scopes since the start."""
        return CacheStats(self._store.hits, self._store.misses, len(self._store.entries))

    def _live(self, key: Key) -> bytes | str | None:
        entry = self._store.entries.get(key)
        if entry is None:
            return None
        until, packed = entry
        if until <= clock.now().timestamp():
            del self._store.entries[key]
            return None
        self._store.entries.move_to_end(key)
        return packed

    def _put(self, key: Key, packed: bytes | str, ttl: Ttl) -> None:
        seconds = ttl.total_seconds() if isinstance(ttl, timedelta) else ttl
        entries = self._store.entries
        entries[key] = (clock.now().timestamp() + seconds, packed)
        entries.move_to_end(key)
        while len(entries) > self._store.most:
            entries.popitem(last=False)

    def _forget(self, key: Key) -> None:
        self._store.entries.pop(key, None)
        making = self._store.making.get(key)
        if making is not None:
            making.stale = True

    @contextmanager
    def _making(self, key: Key) -> Iterator[_Making]:
        making = self._store.making.setdefault(key, _Making())
        making.users += 1
        try:
            yield making
        finally:
            making.users -= 1
            if not making.users:
                self._store.making.pop(key, None)


def _pack(value: object) -> bytes | str:
    """Bytes stay bytes; everything else becomes JSON text, which tells the two apart."""
    return value if isinstance(value, bytes) else to_json(value).decode()


def _open(packed: bytes | str) -> object:
    return packed if isinstance(packed, bytes) else from_json(packed)
