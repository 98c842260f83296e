"""The code blocks of a page, and how a page is followed step by step.

What stands behind the language says what a block is:

    ```python examples/notes/events.py         that file, whole
    ```python part of examples/notes/jobs.py   consecutive lines of that file
    ```python                                  an example: it must parse, and what it imports must be there
    ```sh run                                  done by whoever follows the page, and must succeed
    ```sh serve                                left running; a comment `<!-- stop -->` says when it is stopped
    ```text said                               lines of what the last command said; … stands for anything
    ```sh                                      shown only
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w*) *([^\n]*)\n(.*?)^ *```$|^<!-- (stop) -->$", re.MULTILINE | re.DOTALL)
OURS = re.compile(r"(NEXUS_|DATABASE_|PYTEST_|CI$)")


@dataclass(frozen=True)
class Block:
    """One block of a page; `kind` is what stands behind the language."""

    page: Path
    line: int
    language: str
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file it is, or is a part of."""
        path = self.kind.removeprefix("part of ")
        return path if "/" in path or "." in path else None


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page, from top to bottom."""
    text = page.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        language, kind, body, stop = found.groups()
        yield Block(page, line, language or "", kind if stop is None else stop, body or "")


@dataclass
class Follower:
    """Somebody who does what a page says, in an empty folder."""

    folder: Path
    port: int
    said: str = ""
    exported: list[str] = field(default_factory=list)
    server: "subprocess.Popen[str] | None" = None

    def follow(self, page: Path) -> None:
        """Do it all, in order; an AssertionError names the block that does not work."""
        try:
            for block in blocks(page):
                self._do(block)
        finally:
            self._stop()

    def _do(self, block: Block) -> None:
        match block.language, block.kind:
            case "sh", "run":
                self._run(block)
            case "sh", "serve":
                self._serve(block)
            case "", "stop":
                self._stop()
            case "text", "said":
                for line in filter(None, map(str.strip, re.split(r"\n|…", block.text))):
                    assert line in self.said, f"{block}: {line!r} was not said, but:\n{self.said}"
            case "python" | "html", kind if block.file == kind:
                path = self.folder / kind
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text)

    def _run(self, block: Block) -> None:
        script = self._here("\n".join([*self.exported, block.text]))
        done = subprocess.run(
            [shutil.which("bash") or "bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self._environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        self.said = done.stdout.replace(f":{self.port}", ":8000")
        assert done.returncode == 0, f"{block} ended with {done.returncode}:\n{done.stdout}"
        self.exported += re.findall(r"^export .*", block.text, re.MULTILINE)

    def _serve(self, block: Block) -> None:
        self._stop()
        log = self.folder / "data" / "served.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("w") as out:
            command = self._here(block.text).split()
            self.server = subprocess.Popen(
                command, cwd=self.folder, env=self._environ(), stdout=out, stderr=out, text=True
            )
        until = monotonic() + 60
        while "Ctrl-C stops it" not in log.read_text() or "\n\n" not in log.read_text():
            assert self.server.poll() is None, f"{block} ended:\n{log.read_text()}"
            assert monotonic() < until, f"{block} did not become ready:\n{log.read_text()}"
            sleep(0.1)
        sleep(0.2)
        self.said = log.read_text().replace(f":{self.port}", ":8000")

    def _stop(self) -> None:
        if self.server is not None:
            self.server.terminate()
            assert self.server.wait(timeout=60) == 0, "the server did not stop in order"
            self.server = None

    def _here(self, text: str) -> str:
        return text.replace(":8000", f":{self.port}")

    def _environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not OURS.match(name)}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**kept, "PATH": path, "NEXUS_PORT": str(self.port)}


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
