"""`nexus serve` in a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import pytest

ROOT = Path(__file__).parents[1]
OURS = re.compile(r"(NEXUS_|DATABASE_)")


def environment(**settings: str) -> dict[str, str]:
    """The environment without what it says of us, and with these settings."""
    environ = {name: value for name, value in os.environ.items() if not OURS.match(name)}
    return environ | {"NEXUS_ENV": "test", "NEXUS_LOG_LEVEL": "warning", "NEXUS_LIMITS": "off", **settings}


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers at `address`, and the lines it has said in the terminal so far."""

    address: str
    said: list[str] = field(default_factory=list)

    def first_link(self) -> str:
        """The link it prints while nobody can administer the platform."""
        until = monotonic() + 10
        while not (found := re.search(r"open (http\S+/console/bootstrap\?token=\S+)", "".join(self.said))):
            assert monotonic() < until, "".join(self.said)
            sleep(0.05)
        return found[1]


@contextmanager
def served(app: str, data: Path, port: int = 0, **settings: str) -> Iterator[str]:
    """Where `nexus serve` answers, on an empty database."""
    with serving(data, port, "--app", app, **settings) as server:
        yield server.address


@contextmanager
def serving(data: Path, port: int, *options: str, **settings: str) -> Iterator[Server]:
    """`nexus serve` on an empty database: without options, as somebody starts it who has just installed it."""
    server = subprocess.Popen(
        [sys.executable, "-m", "nexuscore.cli", "serve", *options, "--port", str(port), "--data", str(data)],
        cwd=ROOT,
        env=environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said: list[str] = []
    assert server.stdout is not None
    rest = Thread(
        target=said.extend, args=(server.stdout,)
    )  # a pipe nobody reads would stop the server when it is full
    try:
        for line in server.stdout:
            said.append(line)
            if found := re.search(r"^  address +(http://\S+)", line):
                rest.start()
                yield Server(found[1], said)
                return
        pytest.fail(f"nexus serve did not start:\n{''.join(said)}")
    finally:
        server.terminate()
        server.wait(timeout=60)
        if rest.is_alive():
            rest.join(timeout=60)
        server.stdout.close()
