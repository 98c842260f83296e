"""What it costs to see: counting, figures, windows and the log line of a request; and what it costs to pack answers."""

import asyncio
import io
import json
import random
from collections.abc import Awaitable, Callable, MutableMapping
from time import process_time
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from starlette.middleware.gzip import GZipMiddleware

from bench.figures import Figure, Target
from bench.row import Row, Run
from nexuscore.kernel import log, metrics, sight
from nexuscore.kernel.http.answers import Reply
from nexuscore.kernel.http.sending import send_reply
from nexuscore.kernel.settings import KernelSettings, load
from nexuscore.kernel.tracing import Tracing
from nexuscore.kernel.watch import Watch

SEEING, PACKING = "What seeing costs, per request", "Packing a list of 50 notes"
ROUTE, PATH = "/api/v1/notes/{id}", "/api/v1/notes/0a000000-0000-7000-8000-00000000000a"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
USUAL = sight.Thresholds(slow_ms=1000, queries=10, too_many=50)


def _micros(run: Run, work: Callable[[], object], times: int = 5000) -> tuple[float, ...]:
    """CPU µs of one call, in each round."""
    found = []
    for _ in range(run.rounds + 1):
        started = process_time()
        for _ in range(times):
            work()
        found.append((process_time() - started) / times * 1e6)
    return tuple(found[1:])


async def _seeing(run: Run) -> list[Figure]:
    kernel = load([KernelSettings], environ={}, env_file=None)[KernelSettings]
    app: Any = SimpleNamespace(kernel=kernel, redis=None, fillers=lambda kind: ())
    watch = Watch(app)
    log.configure(level="info", format="json", stream=io.BytesIO())

    def counted() -> sight.Tally:
        tally, token = sight.begin(log.new_traceparent())
        for _ in range(3):
            sight.query(tally, "SELECT 1", 0.001)
        sight.cache_hit()
        tally.counted()
        sight.end(token)
        return tally

    tally = counted()

    def figured() -> None:
        metrics.observe_request("GET", ROUTE, 200, 0.004)
        USUAL.notices(tally, 0.004)

    def watched() -> None:
        watch.request(ROUTE, 200, 0.004, tally, None, "r-1")

    def told() -> None:
        log.request_line(
            method="GET", route=ROUTE, path=PATH, status=200, duration_ms=4.2, size=512, request_id="r-1",
            trace_id=TRACEPARENT[3:35], org=UUID(int=1), actor=UUID(int=2), client="10.0.0.1", agent="curl/8",
            spent=tally.spent(),
        )  # fmt: skip

    def everything() -> None:
        counted()
        figured()
        watched()
        told()

    parts = {
        "counting three statements and a cache look, and a trace id": _micros(run, counted),
        "figures and thresholds": _micros(run, figured),
        "windows and alert rules": _micros(run, watched),
        "the log line": _micros(run, told),
    }
    figures = [Figure(name, "CPU µs", values) for name, values in parts.items()]
    figures.append(Figure("all of it", "CPU µs", _micros(run, everything), Target(40)))
    return [*figures, *_traced(run)]


def _traced(run: Run) -> list[Figure]:
    try:
        from opentelemetry.sdk.trace import TracerProvider
    except ImportError:
        return []
    tracing = Tracing(TracerProvider())

    def spans() -> None:
        span = tracing.begin("server", TRACEPARENT)
        for _ in range(3):
            span.query("SELECT 1", 1_000_000_000, 0.001)
        span.end(ROUTE, {"http.request.method": "GET", "http.response.status_code": 200}, None)

    return [Figure("a span and three statements', when traces are on", "CPU µs", _micros(run, spans, 1000))]


# --- packing --------------------------------------------------------------------------------------


def notes() -> bytes:
    """Fifty notes, as the list of the example answers them."""
    rand = random.Random(7)  # noqa: S311 - the same notes every time
    words = ["".join(rand.choices("abcdefghijklmnopqrstuvwxyz", k=rand.randint(3, 9))) for _ in range(2000)]
    return json.dumps(
        [
            {
                "id": str(UUID(int=rand.getrandbits(128))),
                "title": " ".join(rand.choices(words, k=4)),
                "body": " ".join(rand.choices(words, k=40)),
                "tags": ["work", "play"],
                "created_at": "2026-11-20T12:00:00Z",
            }
            for _ in range(50)
        ]
    ).encode()


async def _packing(run: Run) -> list[Figure]:
    body = notes()

    async def plain(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    theirs = GZipMiddleware(plain)
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"accept-encoding", b"gzip")]}
    reference = await _answer(run, lambda send: theirs(scope, _nothing, send))
    name = "Starlette's GZipMiddleware, gzip"
    figures = [_size(name, reference[1], len(body)), Figure(name, "CPU µs", reference[0])]
    for coding in ("gzip", "br", "zstd"):
        exchange: Any = SimpleNamespace(secret=False, headers={"accept-encoding": coding}, method="GET", etags_asked="")

        async def ours(send: Any, exchange: Any = exchange) -> None:
            await send_reply(exchange, Reply(body=body), [], send, stall=60)

        found = await _answer(run, ours)
        name = f"NexusCore, {coding}"
        figures += [_size(name, found[1], len(body)), Figure(name, "CPU µs", found[0])]
        ratios = tuple(mine / other for mine, other in zip(found[0], reference[0], strict=True))
        figures.append(Figure(name, "times Starlette's", ratios, Target(0.6)))
    return figures


def _size(name: str, size: int, plain: int) -> Figure:
    return Figure(name, "share of the plain bytes", (size / plain,))


async def _answer(run: Run, work: Callable[[Any], Awaitable[None]]) -> tuple[tuple[float, ...], int]:
    """CPU µs of an answer in each round, and its bytes."""
    sizes: list[int] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sizes.append(len(message.get("body", b"")))

    found = []
    for _ in range(run.rounds + 1):
        started = process_time()
        for _ in range(500):
            await work(send)
        found.append((process_time() - started) / 500 * 1e6)
    return tuple(found[1:]), max(sizes)


async def _nothing() -> MutableMapping[str, Any]:
    await asyncio.sleep(0)
    return {"type": "http.request", "body": b""}


ROWS = [Row("sight", SEEING, _seeing), Row("packing", PACKING, _packing)]
