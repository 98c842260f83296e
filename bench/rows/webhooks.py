"""Webhooks: deliveries a second of one worker, signed and logged, beside Celery with requests doing the same.

Both get the same deliveries to the same receiver, stored and queued while no worker runs. Then one worker starts, and
the clock runs from the first request that arrives until the last delivery is written down. They take turns.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import cast
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import psutil

from bench.figures import Figure, Target
from bench.peers import CELERY, HERE, NotInstalled, install_celery
from bench.row import Row, Run
from bench.stage import OURS, Server, Stage, StageError, family, running, say
from nexuscore.kernel import postgres
from nexuscore.kernel.http.auth import DEVELOPMENT_ORG

PEER = "Celery + requests"
ENDPOINTS = 10
PATIENCE_S = 300
MICROSECONDS = 1_000_000
BODY = json.dumps(
    {
        "id": str(uuid4()),
        "type": "note.created",
        "version": 1,
        "time": "2026-11-20T12:00:00Z",
        "org": str(DEVELOPMENT_ORG),
        "data": {"note_id": str(uuid4()), "title": "Note of a bench"},
    }
)
DELIVERIES = """
CREATE TABLE IF NOT EXISTS peer_deliveries (id uuid PRIMARY KEY, url text NOT NULL, secret text NOT NULL,
  body text NOT NULL, state text NOT NULL DEFAULT 'pending', attempts int NOT NULL DEFAULT 0,
  delivered_at timestamptz, created_at timestamptz NOT NULL DEFAULT now())
"""
ATTEMPTS = """
CREATE TABLE IF NOT EXISTS peer_attempts (delivery_id uuid NOT NULL REFERENCES peer_deliveries, number int NOT NULL,
  started_at timestamptz NOT NULL, status int, duration_ms int, answer text, headers jsonb,
  PRIMARY KEY (delivery_id, number))
"""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one worker needed for its deliveries."""

    seconds: float
    cpu: float


class Receiver(asyncio.Protocol):
    """Answers 200 to everything and counts; shared by both."""

    heard = 0
    first = 0.0

    def __init__(self) -> None:
        self._waiting = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._waiting += data
        while (end := self._waiting.find(b"\r\n\r\n")) >= 0:
            head = self._waiting[:end].lower()
            at = head.find(b"content-length:")
            size = int(head[at + 15 :].split(b"\r\n", 1)[0])
            if len(self._waiting) < end + 4 + size:
                return
            if b"webhook-signature: v1," not in head:
                raise StageError("a delivery is not signed")
            self._waiting = self._waiting[end + 4 + size :]
            Receiver.heard += 1
            Receiver.first = Receiver.first or perf_counter()
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok")


async def _measure(run: Run) -> list[Figure]:
    stage = await run.stage()
    for table in (DELIVERIES, ATTEMPTS):
        await stage.query(table)
    count = 1000 if run.rounds < 5 else 3000
    try:
        install_celery()
        peer = True
    except NotInstalled as reason:
        say(f"skipped: {PEER} ({reason})")
        peer = False
    ours, theirs = [], []
    async with _receiving() as url:
        endpoints = _endpoints(stage.servers[0], url)
        with tempfile.TemporaryDirectory(prefix="nexus-bench-") as folder:
            for _ in range(min(run.rounds, 5)):
                ours.append(await _ours(stage, endpoints, count))
                if peer:
                    theirs.append(await _theirs(stage, url, count, Path(folder)))
        for endpoint in endpoints:
            stage.servers[0].ask("POST", f"/api/v1/webhooks/endpoints/{endpoint}/disable")
    return _figures(ours, theirs, count)


def _figures(ours: list[Spent], theirs: list[Spent], count: int) -> list[Figure]:
    def of(name: str, all: list[Spent], target: Target | None) -> list[Figure]:
        rate = Figure(name, "deliveries/s", tuple(count / each.seconds for each in all), target)
        return [rate, Figure(name, "CPU µs per delivery", tuple(each.cpu / count * MICROSECONDS for each in all))]

    figures = of(OURS, ours, Target(400, at_least=True))
    if theirs:
        times = tuple(b.seconds / a.seconds for a, b in zip(ours, theirs, strict=True))
        figures += [*of(PEER, theirs, None), Figure(OURS, "times Celery's", times, Target(3, at_least=True))]
    return figures


@asynccontextmanager
async def _receiving() -> AsyncIterator[str]:
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def _endpoints(server: Server, url: str) -> list[str]:
    new = {"filters": ["webhook.test"], "description": "bench"}
    path = "/api/v1/webhooks/endpoints"
    return [server.ask("POST", path, {**new, "url": f"{url}/{number}"})["id"] for number in range(ENDPOINTS)]


async def _ours(stage: Stage, endpoints: list[str], count: int) -> Spent:
    """Deliveries that failed, recovered by their owner: stored, due and queued, as after an outage."""
    ids = ", ".join(f"'{each}'" for each in endpoints)
    await stage.query("TRUNCATE webhook_deliveries CASCADE")
    await stage.query(
        "INSERT INTO webhook_deliveries (org_id, id, endpoint_id, event_id, event_type, body, state, created_at)"
        f" SELECT '{DEVELOPMENT_ORG}', uuidv7(), (ARRAY[{ids}]::uuid[])[1 + n % {len(endpoints)}], uuidv7(),"
        f" 'note.created', '{BODY}', 'failed', now() FROM generate_series(1, {count}) n"
    )
    server = stage.servers[0]
    for endpoint in endpoints:
        server.ask("POST", f"/api/v1/webhooks/endpoints/{endpoint}/recover", {"since": "2020-01-01T00:00:00Z"})
    command = [sys.executable, "-m", "nexuscore.cli", "--app", "examples.main:app", "worker"]
    environment = {"DATABASE_URL": stage.dsn, "DATABASE_OWNER_URL": stage.dsn, "NEXUS_LOG_LEVEL": "warning"}
    with running(command, environment) as process:
        return await _until_logged(stage, process, "webhook", count)


async def _theirs(stage: Stage, url: str, count: int, folder: Path) -> Spent:
    await stage.query("TRUNCATE peer_attempts, peer_deliveries")
    rows = [
        {"id": str(uuid4()), "url": f"{url}/{number % ENDPOINTS}", "secret": "whsec_c2VjcmV0", "body": BODY}
        for number in range(count)
    ]
    path = folder / "deliveries.json"
    path.write_text(json.dumps(rows))
    environment = {**_postgres_of(stage), "BENCH_REDIS": str(folder / "redis.socket")}
    tasks = [str(CELERY / "bin" / "python"), str(HERE / "webhooks" / "tasks.py")]
    with running([*tasks, "redis"], environment), _socket(folder / "redis.socket"):
        filled = await asyncio.to_thread(
            subprocess.run,
            [*tasks, "fill", str(path)],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
        )
        if filled.returncode:
            raise StageError(f"{PEER} cannot be filled: {filled.stderr[-500:]}")
        with running([*tasks, "worker"], environment) as process:
            return await _until_logged(stage, process, "peer", count)


def _postgres_of(stage: Stage) -> Mapping[str, str]:
    return {
        "PGHOST": parse_qs(urlsplit(stage.dsn).query)["host"][0],
        "PGPORT": str(postgres.PORT),
        "PGUSER": "postgres",
        "PGDATABASE": postgres.DATABASE,
    }


@contextmanager
def _socket(path: Path) -> Iterator[None]:
    until = time.monotonic() + 10
    while not path.exists():
        if time.monotonic() > until:
            raise StageError("Redis does not start")
        time.sleep(0.02)
    yield


async def _until_logged(stage: Stage, process: psutil.Process, prefix: str, count: int) -> Spent:
    """From the first request until the last delivery is written down, each with its attempt."""
    Receiver.heard, Receiver.first = 0, 0.0
    until = time.monotonic() + PATIENCE_S
    before = 0.0
    while True:
        await asyncio.sleep(0.01)
        if Receiver.heard and not before:
            before = _cpu(process)
        if time.monotonic() > until:
            raise StageError(f"after {PATIENCE_S} s {Receiver.heard} of {count} deliveries were made")
        if Receiver.heard < count:
            continue
        done = await stage.query(f"SELECT count(*) FROM {prefix}_deliveries WHERE state = 'delivered'")
        if done == count:
            break
    spent = Spent(perf_counter() - Receiver.first, _cpu(process) - before)
    logged = await stage.query(f"SELECT count(*) FROM {prefix}_attempts")
    if logged != count or Receiver.heard != count:
        raise StageError(f"{count} deliveries, {Receiver.heard} requests, {logged} attempts logged")
    return spent


def _cpu(process: psutil.Process) -> float:
    return sum(sum(each.cpu_times()[:2]) for each in family(process))


ROWS = [Row("webhooks", "Webhooks, one worker", _measure)]
