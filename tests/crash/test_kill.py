"""`kill -9` at any moment loses no committed row, fact or job, and runs no job to its end twice.

Six rounds here; `make soak` runs a hundred (NEXUS_CRASH_ROUNDS). Every third round PostgreSQL is
killed as well. Seen red with the job's completion moved out of its transaction (tallied twice), and
with jobs queued after the commit (acknowledged notes that are never tallied).
"""

import asyncio
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import httpx2
import psutil
import pytest

from nexuscore.kernel import postgres

ROOT = Path(__file__).parents[2]
ROUNDS = int(os.environ.get("NEXUS_CRASH_ROUNDS", "6"))


@pytest.fixture
def data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="nexus-crash-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "data"
        yield path
        asyncio.run(_end(path))


async def _end(data: Path) -> None:
    server = await postgres.start(data)
    await server.stop()


def _start(data: Path, port: int) -> subprocess.Popen[bytes]:
    environ = {
        **os.environ,
        "NEXUS_DATA": str(data),
        "NEXUS_DEV_TOKEN": "tok",
        "NEXUS_LIMITS": "off",
        "NEXUS_WORKER_LEASE_S": "2",
        "NEXUS_LOG_LEVEL": "error",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
    }
    command = [sys.executable, "-m", "nexuscore.cli", "--app", "tests.crash.app:app", "serve", "--port", str(port)]
    return subprocess.Popen(command, env=environ, cwd=ROOT, stdout=subprocess.DEVNULL)


def _wait(client: httpx2.Client, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended by itself"
        with suppress(httpx2.TransportError):
            if client.get("/health/ready").status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError("the server did not become ready")


def _write_until_killed(client: httpx2.Client, process: subprocess.Popen[bytes], moment: float, say: list[str]) -> None:
    """Write notes as fast as one client can; at `moment`, whatever it is doing, the server is killed."""
    killer = threading.Timer(moment, process.kill)
    killer.start()
    with suppress(httpx2.TransportError):
        while True:
            answer = client.post("/api/v1/notes", json={"title": f"note {len(say)}", "body": "one two three"})
            if answer.status_code == 201:
                say.append(answer.json()["id"])
    killer.join()
    process.wait()


def _kill_postgres(data: Path) -> None:
    pid = int((data / "pg" / "postmaster.pid").read_text().splitlines()[0])
    family = [psutil.Process(pid), *psutil.Process(pid).children()]
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=10)


def test_killed_at_random_moments_nothing_is_lost_or_done_twice(data: Path, free_tcp_port: int) -> None:
    chance = random.Random(20261120)  # noqa: S311 - moments, not secrets
    acknowledged: list[str] = []
    headers = {"authorization": "Bearer tok"}
    with httpx2.Client(base_url=f"http://127.0.0.1:{free_tcp_port}", headers=headers, timeout=10) as client:
        for round in range(ROUNDS):
            process = _start(data, free_tcp_port)
            _wait(client, process)
            _write_until_killed(client, process, chance.uniform(0.05, 0.8), acknowledged)
            if round % 3 == 2:
                _kill_postgres(data)
        process = _start(data, free_tcp_port)
        try:
            _wait(client, process)
            notes, facts, tallies, parked = asyncio.run(_settle(data))
        finally:
            process.terminate()
            assert process.wait(30) == 0
    assert len(acknowledged) > ROUNDS
    assert set(acknowledged) <= set(notes), "an acknowledged note is lost"
    assert sorted(facts) == sorted(notes), "every note and its fact were written together, once"
    assert sorted(tallies) == sorted(notes), "every note's job ran to its end, once"
    assert parked == 0


async def _settle(data: Path) -> tuple[list[str], list[str], list[str], int]:
    """Wait until the queue is empty; what stands in the tables then."""
    server = await postgres.attach(data)
    assert server is not None
    connection = await asyncpg.connect(server.dsn())
    try:
        async with asyncio.timeout(120):
            while await connection.fetchval("SELECT count(*) FROM pgqueuer WHERE status <> 'failed'"):
                await asyncio.sleep(0.2)
        notes = await connection.fetch("SELECT id::text AS id FROM notes")
        created = await connection.fetch("SELECT subject AS id FROM events WHERE type = 'note.created'")
        tallied = await connection.fetch("SELECT subject AS id FROM events WHERE type = 'tally.tallied'")
        parked = await connection.fetchval("SELECT count(*) FROM pgqueuer")
        return [r["id"] for r in notes], [r["id"] for r in created], [r["id"] for r in tallied], parked
    finally:
        await connection.close()
