"""What a limit and a look into the cache cost, beside other libraries; and what is left when Redis or places are gone.

The first two tables are CPU of the process that looks. The others are a server of ours: its worst answers while Redis
is away, and who is served when five times as many ask as it can take.
"""

import asyncio
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from time import perf_counter, process_time
from types import SimpleNamespace
from typing import Any

from pydantic import SecretStr

from bench.figures import Figure, Target
from bench.gates.main import WORK
from bench.peers import HERE, KEEPERS, NotInstalled, install_keepers
from bench.row import Row, Run
from bench.stage import StageError, free_port, running, say, wait_for
from nexuscore.kernel.cache import Cache, cached
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http.load import SHARES
from nexuscore.kernel.limits import Asked, Limit, Limits
from nexuscore.kernel.redis import Redis
from nexuscore.kernel.testing_redis import RedisServer

Look = Callable[[], Awaitable[Any]]
WIDE = Limit("user", "999999999/h + 999999999/min")
VALUE = {"name": "Milk", "price": 199, "tags": ["a", "b"]}
CONNECTIONS, ASKS_PER_SECOND = 16, 200
PLACES, OVERLOAD, CRITICAL_SHARE = 100, 5, 0.05
CAPACITY = PLACES * SHARES["normal"] / WORK  # normal requests a second
STORM, CALM = 8.0, 30.0


@cached("bench:{number}", ttl=3600)
async def kept(ctx: Ctx, number: int) -> dict[str, Any]:
    """What is kept."""
    return VALUE


# --- what a look costs ------------------------------------------------------------------------------------------------


async def _costs(run: Run, ours: dict[str, Look], theirs: dict[str, str], url: str) -> dict[str, list[float]]:
    """CPU microseconds of each look, a slice each in turns."""
    found: dict[str, list[float]] = {name: [] for name in (*ours, *theirs)}
    with _peer(url) if theirs else _nobody() as ask:
        for _ in range(run.rounds):
            for name, look in ours.items():
                found[name].append(await _slice(look, run.seconds / 2))
            for name, word in theirs.items():
                found[name].append(await asyncio.to_thread(ask, word, run.seconds / 2))
    return found


async def _slice(look: Look, seconds: float) -> float:
    until, times, before = perf_counter() + seconds, 0, process_time()
    while perf_counter() < until:
        for _ in range(50):
            await look()
        times += 50
    return (process_time() - before) / times * 1e6


@contextmanager
def _peer(url: str) -> Iterator[Callable[[str, float], float]]:
    command = [str(KEEPERS / "bin" / "python"), str(HERE / "keepers" / "costs.py"), url]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(word: str, seconds: float) -> float:
        if process.stdin is None or process.stdout is None:
            raise StageError("no pipes")
        process.stdin.write(f"{word} {seconds}\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    try:
        yield ask
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def _nobody() -> Iterator[Callable[[str, float], float]]:
    yield lambda word, seconds: 0.0


def _installed(peers: dict[str, str]) -> dict[str, str]:
    try:
        install_keepers()
    except NotInstalled as reason:
        say(f"skipped: {', '.join(peers)} ({reason})")
        return {}
    return peers


async def _limits(run: Run) -> list[Figure]:
    with _redis() as server:
        redis = Redis(SecretStr(server.url), prefix="bench", timeout=1, retry=1) if server else None
        if redis is not None:
            await redis.start()
        asked = [Asked(WIDE, "person:1")]
        here, there = Limits([WIDE], {}, None), Limits([WIDE], {}, redis)
        ours: dict[str, Look] = {"NexusCore, in memory": lambda: here.take(asked)}
        theirs = {f"limits, {kind} window, in memory": f"limits-{kind}" for kind in ("moving", "fixed")}
        if redis is not None:
            ours["NexusCore, in Redis"] = lambda: there.take(asked)
            theirs["limits, fixed window, in Redis"] = "limits-redis-fixed"
        found = await _costs(run, ours, _installed(theirs), server.url if server else "-")
        if redis is not None:
            await redis.stop()
    targets = {"NexusCore, in memory": Target(10)}
    return [Figure(name, "µs for two quotas", tuple(values), targets.get(name)) for name, values in found.items()]


async def _cache(run: Run) -> list[Figure]:
    cache = Cache()
    ctx: Any = SimpleNamespace(org=None, app=SimpleNamespace(cache=cache), db=SimpleNamespace(
        scope=SimpleNamespace(across=False), forgets=False, lagging=False))  # fmt: skip
    await cache.set("notes:1", VALUE, 3600)

    async def never() -> object:
        raise StageError("it is kept")

    ours: dict[str, Look] = {
        "NexusCore, get": lambda: cache.get("notes:1"),
        "NexusCore, remember": lambda: cache.remember("notes:1", 3600, never),
        "NexusCore, @cached": lambda: kept(ctx, 1),
    }
    found = await _costs(run, ours, _installed({"cashews, get": "cashews", "aiocache, get": "aiocache"}), "-")
    return [
        Figure(name, "µs a hit", tuple(values), Target(10) if name.startswith("Nexus") else None)
        for name, values in found.items()
    ]


# --- what is left when Redis is away ----------------------------------------------------------------------------------


@contextmanager
def _redis() -> Iterator[RedisServer | None]:
    if shutil.which("redis-server") is None:
        say("skipped: what needs redis-server, which is not installed")
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="nexus-bench-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()


@asynccontextmanager
async def _gates(**settings: str) -> AsyncIterator[int]:
    port = free_port()
    quiet = {"NEXUS_LOG_LEVEL": "error", **settings}
    with running([sys.executable, "-m", "bench.gates.main", str(port)], quiet) as process:
        wait_for(process, port, "/health/live")
        yield port


async def _away(run: Run) -> list[Figure]:
    """The 99th percentile of answers, at a steady pace: with Redis, and with its circuit open."""
    with _redis() as server:
        if server is None:
            return []
        wide = "anonymous=999999999/h"
        async with _gates(NEXUS_REDIS_URL=server.url, NEXUS_LIMITS=wide, NEXUS_REDIS_RETRY_S="2") as port:
            seconds = run.seconds * run.rounds
            figures = [await _paced(port, "with Redis", seconds, None)]
            healthy = figures[0][0].median
            for what, break_it in (
                ("Redis stopped (SIGSTOP)", server.pause),
                ("Redis killed", server.kill),
                ("Redis 5 s late", lambda: _late(server)),
            ):
                break_it()
                await _paced(port, what, 1.0, None)  # until the circuit is open
                figures.append(await _paced(port, what, seconds, Target(healthy + 50)))
                server.resume()
    return [figure for pair in figures for figure in pair]


def _late(server: RedisServer) -> None:
    server.start()
    server.ask("CLIENT", "PAUSE", "600000", "ALL")


async def _paced(port: int, subject: str, seconds: float, target: Target | None) -> list[Figure]:
    took: list[float] = []
    found: Counter[int] = Counter()

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        loop, pause = asyncio.get_running_loop(), CONNECTIONS / ASKS_PER_SECOND
        at = loop.time() + pause * number / CONNECTIONS
        until = loop.time() + seconds
        while at < until:
            await asyncio.sleep(max(0.0, at - loop.time()))
            started = perf_counter()
            found[await _ask(reader, writer, "/api/v1/gates/quick")] += 1
            took.append((perf_counter() - started) * 1000)
            at += pause
        writer.close()

    await asyncio.gather(*(client(number) for number in range(CONNECTIONS)))
    worst = sorted(took)[int(len(took) * 0.99)]
    errors = sum(count for status, count in found.items() if status >= 500)
    return [
        Figure(subject, "p99 in ms", (worst,), target),
        Figure(subject, "answers 5xx", (float(errors),), Target(0)),
    ]


# --- who is served when there is too much -----------------------------------------------------------------------------


async def _overload(run: Run) -> list[Figure]:
    """Five times what the server can take, one in twenty of it critical; then what it can take again."""
    async with _gates(NEXUS_LIMITS="off", NEXUS_MAX_IN_FLIGHT=str(PLACES)) as port:
        before, _ = await _offered(port, CAPACITY * 0.5, STORM / 2)
        storm, _ = await _offered(port, CAPACITY * OVERLOAD, STORM)
        _, recovered = await _offered(port, CAPACITY * 0.5, STORM / 2)
    normal, critical = storm["normal"], storm["critical"]
    of_capacity = normal[200] / STORM / CAPACITY * 100
    return [
        Figure("before", "normal served, %", (_served(before["normal"]),)),
        Figure("5 times too much", "critical served, %", (_served(critical),), Target(99.9, at_least=True)),
        Figure("5 times too much", "normal served, % of what it can", (of_capacity,)),
        Figure("after", "s until all are served", (recovered,), Target(CALM)),
    ]


def _served(found: Counter[int]) -> float:
    return found[200] / max(1, sum(found.values())) * 100


async def _offered(port: int, rate: float, seconds: float) -> tuple[dict[str, Counter[int]], float]:
    """Ask at a rate, whether or not the last were answered; and when the last was that was not served."""
    found: dict[str, Counter[int]] = {"normal": Counter(), "critical": Counter()}
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    last_refused = 0.0
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def one(kind: str) -> None:
        nonlocal last_refused
        place = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port)
        status = await _ask(*place, f"/api/v1/gates/{kind}")
        idle.append(place)
        found[kind][status] += 1
        if status != 200:
            last_refused = loop.time() - began

    tasks = []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began + number / rate - loop.time()))
        tasks.append(asyncio.create_task(one("critical" if number % round(1 / CRITICAL_SHARE) == 0 else "normal")))
    await asyncio.gather(*tasks)
    for _, writer in idle:
        writer.close()
    return found, last_refused


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> int:
    writer.write(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            await reader.readexactly(int(value))
    return int(head.split(b" ", 2)[1])


ROWS = [
    Row("limits", "What a limit costs", _limits),
    Row("cache", "What a hit costs", _cache),
    Row("redis", "Answers while Redis is away", _away),
    Row("overload", "Five times too much", _overload),
]
