"""Several processes count as one."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import httpx2
import pytest

from nexuscore.kernel.testing_redis import RedisServer
from tests.docs.blocks import free_port
from tests.kernel.gate import LEFT
from tests.serving import ROOT, environment

pytestmark = pytest.mark.anyio
PROCESSES, CLIENTS, TRIES = 4, 100, 5


@pytest.fixture
def ports(redis_server: RedisServer) -> Iterator[list[int]]:
    environ = environment(
        NEXUS_REDIS_URL=redis_server.url,
        NEXUS_REDIS_TIMEOUT_MS="5000",  # two cores may be busy with others; that it is in time is not the subject
        NEXUS_LIMITS="user=1000000/h",
        NEXUS_LOG_LEVEL="error",
    )
    found = [free_port() for _ in range(PROCESSES)]
    command = [sys.executable, "-m", "tests.kernel.gate", *map(str, found)]
    first = subprocess.Popen(command, cwd=ROOT, env=environ, start_new_session=True)
    try:
        yield found
    finally:
        os.killpg(first.pid, signal.SIGTERM)
        first.wait(timeout=30)


async def test_four_processes_and_a_hundred_clients_admit_exactly_so_many(ports: list[int]) -> None:
    """Seen red when each process counted for itself: four times as many got in."""
    async with httpx2.AsyncClient(headers={"authorization": "Bearer alice"}, timeout=30) as http:
        await asyncio.gather(*(_ready(http, port) for port in ports))

        async def client(number: int) -> list[httpx2.Response]:
            places = [f"http://127.0.0.1:{ports[(number + turn) % PROCESSES]}/api/v1/gate" for turn in range(TRIES)]
            return [await http.post(place) for place in places]

        answers = [answer for each in await asyncio.gather(*map(client, range(CLIENTS))) for answer in each]
    assert Counter(answer.status_code for answer in answers) == {200: LEFT, 429: CLIENTS * TRIES - LEFT}
    left = [int(answer.headers["x-ratelimit-remaining"]) for answer in answers if answer.status_code == 200]
    assert sorted(left) == list(range(LEFT)), "each was told its own place"
    assert all(3500 < int(answer.headers["retry-after"]) <= 3600 for answer in answers if answer.status_code == 429)


async def _ready(http: httpx2.AsyncClient, port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await http.get(f"http://127.0.0.1:{port}/health/live")
            except httpx2.TransportError:
                await asyncio.sleep(0.05)
            else:
                return
