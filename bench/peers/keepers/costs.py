"""What one look costs in other libraries, in CPU microseconds of their process: a slice for each line of input.

`python costs.py <redis url or ->`, then on standard input: "name seconds". The answer is a number.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from time import perf_counter, process_time
from typing import Any

from aiocache import SimpleMemoryCache  # type: ignore[import-not-found]  # installed for this peer alone
from cashews import Cache  # type: ignore[import-not-found]  # installed for this peer alone
from limits import RateLimitItemPerHour, RateLimitItemPerMinute  # type: ignore[import-not-found]  # installed for this peer alone
from limits.aio.storage import MemoryStorage, RedisStorage  # type: ignore[import-not-found]  # installed for this peer alone
from limits.aio.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter  # type: ignore[import-not-found]  # installed for this peer alone

HOUR, MINUTE = RateLimitItemPerHour(999_999_999), RateLimitItemPerMinute(999_999_999)
VALUE = {"name": "Milk", "price": 199, "tags": ["a", "b"]}


def limiter(strategy: Any, storage: Any) -> Callable[[], Awaitable[Any]]:
    found = strategy(storage)

    async def look() -> None:
        await found.hit(HOUR, "person:1")
        await found.hit(MINUTE, "person:1")

    return look


async def looks(url: str) -> dict[str, Callable[[], Awaitable[Any]]]:
    cashews = Cache()
    cashews.setup("mem://")
    await cashews.set("notes:1", VALUE, expire=3600)
    aiocache = SimpleMemoryCache()
    await aiocache.set("notes:1", VALUE, ttl=3600)
    found = {
        "limits-moving": limiter(MovingWindowRateLimiter, MemoryStorage()),
        "limits-fixed": limiter(FixedWindowRateLimiter, MemoryStorage()),
        "cashews": lambda: cashews.get("notes:1"),
        "aiocache": lambda: aiocache.get("notes:1"),
    }
    if url != "-":
        storage = RedisStorage(url.replace("redis://", "async+redis://"), implementation="redispy")
        found["limits-redis-fixed"] = limiter(FixedWindowRateLimiter, storage)
    return found


async def main() -> None:
    known = await looks(sys.argv[1])
    while line := sys.stdin.readline():
        name, seconds = line.split()
        look, until, times = known[name], perf_counter() + float(seconds), 0
        before = process_time()
        while perf_counter() < until:
            for _ in range(50):
                await look()
            times += 50
        print((process_time() - before) / times * 1e6, flush=True)


asyncio.run(main())
