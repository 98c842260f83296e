"""A terminal: the `nexus` command run in a folder, to its end or beside the test."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx2
import psutil

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("NEXUS_", "DATABASE_"))}

WARM = """
import json, os, sys
from importlib import import_module
from nexuscore.cli import COMMANDS, main

for place, _ in COMMANDS.values():
    import_module(f"nexuscore.cli.{place}")
import_module("nexuscore.main")
for line in sys.stdin:
    told = json.loads(line)
    pid = os.fork()
    if pid == 0:
        os.chdir(told["folder"])
        os.environ.clear()
        os.environ.update(told["environment"])
        for place, number in ((os.devnull, 0), (told["output"], 1), (told["output"], 2)):
            os.dup2(os.open(place, os.O_RDWR | os.O_CREAT | os.O_APPEND), number)
        sys.argv = ["nexus", *told["arguments"]]
        main()
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class Warm:
    """A process that has read all of ours, and forks one of its own for every command: a second less for each."""

    process: "subprocess.Popen[str]"

    @classmethod
    def up(cls) -> Self:
        """Start it."""
        pipe = subprocess.PIPE
        return cls(subprocess.Popen([sys.executable, "-c", WARM], stdin=pipe, stdout=pipe, text=True, env=ENVIRONMENT))

    def run(self, folder: Path, arguments: Sequence[str], environment: dict[str, str]) -> tuple[int, str]:
        """Run `nexus` in a folder; its exit code and what it printed."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        with tempfile.NamedTemporaryFile() as output:
            told = {"folder": str(folder), "arguments": arguments, "environment": environment, "output": output.name}
            stdin.write(json.dumps(told) + "\n")
            stdin.flush()
            return int(stdout.readline()), Path(output.name).read_text()

    def down(self) -> None:
        """End it."""
        self.process.communicate(timeout=10)


@dataclass(frozen=True)
class Project:
    """A folder and the `nexus` command in it."""

    folder: Path
    warm: Warm

    def nexus(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """Run it to its end and see its exit code; all it printed."""
        exit_code, output = self.warm.run(self.folder, arguments, {**ENVIRONMENT, **environment})
        assert exit_code == code, output
        assert "Traceback" not in output
        return output

    @contextlib.contextmanager
    def running(self, *arguments: str, **environment: str) -> Iterator["Running"]:
        """Run it beside us, and end it whatever happens."""
        log = self.folder / f"{'-'.join(arguments).strip('-')}.log"
        with open(log, "wb") as output:
            command = [sys.executable, "-m", "nexuscore.cli", *arguments]
            process = subprocess.Popen(
                command, cwd=self.folder, env={**ENVIRONMENT, **environment}, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            yield Running(process, log)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()

    def servers(self) -> list[int]:
        """The PostgreSQL servers that run on this project's data."""
        return [
            process.pid
            for process in psutil.process_iter(["cmdline"])
            if any(str(self.folder) in part and part.endswith("/pg") for part in process.info["cmdline"] or [])
        ]


@dataclass(frozen=True)
class Running:
    """A command that runs."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def output(self) -> str:
        """What it printed so far."""
        return self.log.read_text()

    def wait_for(self, text: str, *, times: int = 1) -> str:
        """Wait until it has printed `text`; all it printed."""
        eventually(lambda: self.output.count(text) >= times or self.process.poll() is not None)
        assert self.output.count(text) >= times, self.output
        return self.output

    def address(self) -> str:
        """Where it answers, once it does."""
        found = re.search(r"address +(http\S+)", self.wait_for("  token "))
        assert found is not None, self.output
        return found[1]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(20)


def eventually(is_so: Callable[[], bool], within: float = 20) -> None:
    """Wait until it is so, or go on to the assertion that will say it is not."""
    until = time.monotonic() + within
    while not is_so() and time.monotonic() < until:
        time.sleep(0.05)


def can_answer(url: str) -> bool:
    with contextlib.suppress(httpx2.HTTPError):
        return httpx2.get(url).status_code == 200
    return False
