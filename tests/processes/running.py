"""`nexus serve` as it runs elsewhere: started, signalled, and asked from many sides at once."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import httpx2
import psutil

from tests.serving import ROOT, environment

APP = "tests.processes.app:app"
TOKEN = "a-token-for-the-process-tests"
HEADERS = {"authorization": f"Bearer {TOKEN}"}
PATIENCE = 60.0


@dataclass(slots=True)
class Server:
    """A `nexus serve` and where it answers."""

    process: "subprocess.Popen[str]"
    port: int
    said: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self) -> None:
        """Until /health/ready says yes."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            assert self.process.poll() is None, "".join(self.said)
            with suppress(httpx2.TransportError):
                if httpx2.get(f"{self.address}/health/ready", timeout=5).status_code == 200:
                    return
            time.sleep(0.05)
        raise AssertionError("it did not become ready\n" + "".join(self.said))

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait_for(self, words: str, times: int = 1) -> None:
        """Until its log has said it so often."""
        until = time.monotonic() + PATIENCE
        while "".join(self.said).count(words) < times:
            assert time.monotonic() < until, f"it never said {words!r}\n" + "".join(self.said)
            time.sleep(0.02)


def start(port: int, *options: str, **settings: str) -> Server:
    """One, on its way."""
    own = {"NEXUS_LOG_LEVEL": "info", "NEXUS_LIMITS": "off", "NEXUS_DEV_TOKEN": TOKEN, **settings}
    process = subprocess.Popen(
        [sys.executable, "-m", "nexuscore.cli", "--app", APP, "serve", "--port", str(port), *options],
        cwd=ROOT,
        env=environment(**own) | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    server = Server(process, port)
    threading.Thread(target=_listen, args=(server,), daemon=True).start()
    return server


def _listen(server: Server) -> None:
    assert server.process.stdout is not None
    with server.process.stdout as lines:
        for line in lines:
            if "request_id=" not in line:
                server.said.append(line)


@contextmanager
def running(port: int, *options: str, **settings: str) -> Iterator[Server]:
    """One that is ready, and ended when the block does."""
    server = start(port, *options, **settings)
    try:
        server.wait_until_ready()
        yield server
    finally:
        end(server)


def end(server: Server) -> int:
    """Stop it in order; its exit code."""
    if server.process.poll() is None:
        server.tell(signal.SIGTERM)
    try:
        return server.process.wait(60)
    except subprocess.TimeoutExpired:
        server.process.kill()
        raise


@dataclass(slots=True)
class Load:
    """People who go on reading and writing notes, each on a connection of their own that stays open."""

    address: str
    statuses: Counter[str] = field(default_factory=Counter)
    pids: set[int] = field(default_factory=set)
    _over: bool = False

    async def until(self, work: "asyncio.Future[None]", people: int = 8) -> None:
        """Until `work` is done."""
        tasks = [asyncio.create_task(self._person()) for _ in range(people)]
        try:
            await work
        finally:
            self._over = True
            await asyncio.gather(*tasks)

    async def _person(self) -> None:
        async with httpx2.AsyncClient(base_url=self.address, headers=HEADERS, timeout=30) as client:
            number = 0
            while not self._over:
                number += 1
                await self._ask(client, number)

    async def _ask(self, client: httpx2.AsyncClient, number: int) -> None:
        try:
            if number % 3 == 0:
                answer = await client.post("/api/v1/notes", json={"title": f"note {number}"})
            elif number % 3 == 1:
                answer = await client.get("/api/v1/slow", params={"seconds": 0.01})
                self.pids.add(answer.json()["pid"])
            else:
                answer = await client.get("/api/v1/notes", params={"limit": 5})
            self.statuses[str(answer.status_code)] += 1
        except httpx2.TransportError as error:
            self.statuses[f"{type(error).__name__}: {error}"] += 1


class RoundRobin:
    """A proxy that hands each connection to the next server that says it is ready."""

    def __init__(self, ports: list[int]) -> None:
        self._ports = ports
        self._ready: list[int] = list(ports)
        self._turn = 0

    async def serve(self, port: int) -> None:
        """Until cancelled."""
        async with await asyncio.start_server(self._carry, "127.0.0.1", port), httpx2.AsyncClient() as client:
            while True:
                self._ready = [each for each in self._ports if await _is_ready(client, each)]
                await asyncio.sleep(0.1)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._turn += 1
        port = self._ready[self._turn % len(self._ready)]
        theirs, ours = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pump(reader, ours), _pump(theirs, writer))


async def _is_ready(client: httpx2.AsyncClient, port: int) -> bool:
    try:
        answer = await client.get(f"http://127.0.0.1:{port}/health/ready", timeout=1)
    except httpx2.TransportError:
        return False
    return answer.status_code == 200


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    with suppress(OSError):
        writer.close()


def children(server: Server) -> list[int]:
    """The process ids below a server's that serve."""
    found = psutil.Process(server.process.pid).children()
    return [child.pid for child in found if "--line" in child.cmdline()]
