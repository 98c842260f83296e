"""For tests: a Redis of one's own, that can be killed, stopped and started again.

Name this file in the top `conftest.py`, beside `nexuscore.kernel.testing`. A test takes `redis_server` and
gives its app `{"NEXUS_REDIS_URL": redis_server.url}`.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

READY_WITHIN = 10.0


class RedisServer:
    """A `redis-server` on a free port, its data in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = int(listener.getsockname()[1])
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self._folder}
        program = _program() or "redis-server"
        command = [program, *(str(word) for name, value in options.items() for word in (f"--{name}", value))]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + READY_WITHIN
        while self.ask("PING") != b"+PONG\r\n":
            if time.monotonic() > until:
                raise RuntimeError("redis-server did not answer")
            time.sleep(0.01)

    def ask(self, *words: str) -> bytes:
        """The first bytes of what it answers, as they are on the wire; none when nobody is there."""
        packed = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(f"*{len(words)}\r\n{packed}".encode())
            return connection.recv(65_536)
        return b""

    def pause(self) -> None:
        """Stop it where it stands: connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            os.kill(self._process.pid, number)


def _program() -> str | None:
    return shutil.which("redis-server") or shutil.which("valkey-server")


@pytest.fixture(scope="session")
def _redis_of_the_run() -> Iterator[RedisServer]:
    if _program() is None:
        if os.environ.get("CI") == "true":
            pytest.fail("redis-server is not installed")
        pytest.skip("redis-server is not installed")
    with tempfile.TemporaryDirectory(prefix="nexus-redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()


@pytest.fixture
def redis_server(_redis_of_the_run: RedisServer) -> RedisServer:
    """The Redis of this run, empty and awake, whatever the test before did to it."""
    server = _redis_of_the_run
    server.resume()
    if server.ask("FLUSHALL") != b"+OK\r\n":
        server.kill()
        server.start()
    return server
