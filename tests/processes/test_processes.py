"""Servers that are stopped, replaced and killed while people use them.

Seen red: without draining, 4 of 3,363 requests failed while a family was replaced.
"""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx2
import psutil
import pytest

from nexuscore.kernel import migrate, postgres
from nexuscore.kernel.tables import APP_ROLE
from nexuscore.kernel.testing_redis import RedisServer
from tests.processes.app import app
from tests.processes.running import HEADERS, Load, RoundRobin, Server, children, end, running, start

pytestmark = pytest.mark.anyio
LONG = pytest.mark.skipif(not os.environ.get("NEXUS_SOAK"), reason="starts six servers: NEXUS_SOAK=1")


@pytest.fixture
async def database(tmp_path: Path, anyio_backend: str) -> AsyncIterator[dict[str, str]]:
    """A database that several servers share, as their settings name it."""
    server = await postgres.start(tmp_path / "data", durable=False)
    try:
        await migrate.upgrade(app, server.dsn())
        yield {
            "DATABASE_URL": server.dsn(user=APP_ROLE),
            "DATABASE_OWNER_URL": server.dsn(),
            "NEXUS_DATA": str(tmp_path / "data"),
        }
    finally:
        await server.stop()


def ports(count: int) -> list[int]:
    return [_free() for _ in range(count)]


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_several_without_redis_are_refused_and_told_why(tmp_path: Path) -> None:
    server = start(0, "--processes", "2", "--data", str(tmp_path / "data"))
    assert server.process.wait(60) == 1
    server.wait_for("2 processes need Redis.")
    assert "NEXUS_REDIS_URL=redis://" in "".join(server.said)
    assert not (tmp_path / "data" / "pg").exists(), "it did not begin anything"


@LONG
async def test_two_behind_a_balancer_are_replaced_and_no_request_fails(database: dict[str, str]) -> None:
    settings = {**database, "NEXUS_DRAIN_S": "0.7"}
    first, second, front = ports(3)
    options = ("--no-migrate", "--no-workers")
    servers = {port: start(port, *options, **settings) for port in (first, second)}
    for server in servers.values():
        await asyncio.to_thread(server.wait_until_ready)
    proxy = asyncio.create_task(RoundRobin([first, second]).serve(front))
    await asyncio.sleep(0.3)
    load = Load(f"http://127.0.0.1:{front}")

    async def roll() -> None:
        for port in (first, second):
            assert await asyncio.to_thread(end, servers[port]) == 0
            servers[port] = start(port, *options, **settings)
            await asyncio.to_thread(servers[port].wait_until_ready)
            await asyncio.sleep(0.4)

    try:
        await load.until(asyncio.ensure_future(roll()))
    finally:
        proxy.cancel()
        for server in servers.values():
            await asyncio.to_thread(end, server)
    assert load.statuses.keys() == {"200", "201"}, load.statuses
    assert load.statuses.total() > 200
    assert len(load.pids) >= 3, "they were replaced under load"


async def test_a_family_is_replaced_healed_and_ended(database: dict[str, str], redis_server: RedisServer) -> None:
    [port] = ports(1)
    settings = {**database, "NEXUS_REDIS_URL": redis_server.url}
    with running(port, "--processes", "2", "--no-workers", **settings) as server:
        before = children(server)
        assert len(before) == 2
        load = Load(server.address)

        async def replace() -> None:
            server.tell(signal.SIGHUP)
            await asyncio.to_thread(server.wait_for, "servers_replaced")

        await load.until(asyncio.ensure_future(replace()))
        assert load.statuses.keys() == {"200", "201"}, load.statuses
        after = children(server)
        assert len(after) == 2
        assert not set(before) & set(after)
        os.kill(after[0], signal.SIGKILL)
        await asyncio.to_thread(server.wait_for, "server_ended")
        assert httpx2.get(f"{server.address}/api/v1/notes", headers=HEADERS).status_code == 200, "the other answers"
        await until(lambda: len(children(server)) == 2)
        last = children(server)
        assert end(server) == 0
        assert [pid for pid in last if psutil.pid_exists(pid)] == []


@LONG
async def test_an_orphan_stops_by_itself(database: dict[str, str], redis_server: RedisServer) -> None:
    [port] = ports(1)
    settings = {**database, "NEXUS_REDIS_URL": redis_server.url}
    with running(port, "--processes", "2", "--no-workers", **settings) as server:
        orphans = children(server)
        server.process.kill()
        server.process.wait()
        await until(lambda: not any(psutil.pid_exists(pid) for pid in orphans))


async def until(holds: Callable[[], bool]) -> None:
    """Wait for it."""
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.05)


@pytest.fixture
def draining(database: dict[str, str]) -> Iterator[Server]:
    """A server that goes on for a second after it was told to stop."""
    settings = {**database, "NEXUS_DRAIN_S": "1"}
    with running(ports(1)[0], "--no-migrate", **settings) as server:
        yield server


async def test_readiness_drops_first_then_requests_finish_then_jobs(draining: Server) -> None:
    async with httpx2.AsyncClient(base_url=draining.address, headers=HEADERS, timeout=30) as client:
        slow = asyncio.create_task(client.get("/api/v1/slow", params={"seconds": 2}))
        await asyncio.sleep(0.2)
        draining.tell(signal.SIGTERM)
        await asyncio.to_thread(draining.wait_for, "draining")
        assert (await client.get("/health/ready")).status_code == 503
        written = await client.post("/api/v1/notes", json={"title": "Milk"})
        assert (written.status_code, written.headers["connection"]) == (201, "close")
        assert (await slow).status_code == 200, "what had begun is finished"
    assert await asyncio.to_thread(draining.process.wait, 30) == 0
    said = "".join(draining.said)
    assert said.index("draining") < said.index("stopping") < said.index("stopped")


async def test_a_second_signal_hurries(draining: Server) -> None:
    async with httpx2.AsyncClient(base_url=draining.address, timeout=60) as client:
        slow = asyncio.create_task(client.get("/api/v1/slow", params={"seconds": 40}))
        await asyncio.sleep(0.3)
        draining.tell(signal.SIGTERM)
        await asyncio.to_thread(draining.wait_for, "draining")
        began = time.monotonic()
        draining.tell(signal.SIGTERM)
        assert await asyncio.to_thread(draining.process.wait, 30) == 0
        assert time.monotonic() - began < 15, "nobody waited for a request of forty seconds"
        await asyncio.gather(slow, return_exceptions=True)
