"""The processes of one installation on one machine, so that whichever is asked for figures tells those of all: what it
counts since it began, and its last hour.

Each takes the first free number below `processes` in the data folder and answers there on a Unix socket. The number is
the `process` label: it stays few, and a process that ends leaves it to its successor.
"""

import asyncio
import fcntl
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import astuple
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from nexuscore.kernel import clock, metrics, windows
from nexuscore.kernel.log import get_logger
from nexuscore.kernel.windows import Bucket

if TYPE_CHECKING:
    from nexuscore.kernel.app import App

MOST = 256
PATIENCE = 1.0  # seconds a sibling may take to answer
_HOUR = b"hour\n"  # what is asked; whoever asks nothing, as processes of older versions do, is told the counts
_LISTENS = 0.1
_LONGEST = 100  # characters of a Unix socket's path
_log = get_logger(__name__)
_numbers: "WeakKeyDictionary[App, str]" = WeakKeyDictionary()


@asynccontextmanager
async def joined(app: "App") -> AsyncIterator[None]:
    """Tell siblings our figures while the block runs. Where there is no folder for it, each process tells its own."""
    folder = _folder(app)
    taken = _take(folder)
    if taken is None:
        yield
        return
    number, lock = taken
    path = folder / f"{number}.sock"
    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(partial(_tell, app), str(path))
    path.chmod(0o600)
    _numbers[app] = number
    try:
        yield
    finally:
        del _numbers[app]
        server.close()
        path.unlink(missing_ok=True)
        os.close(lock)


async def figures(app: "App") -> str:
    """The figures of this process and of its siblings, each with a `process` label."""
    ours = _numbers.get(app, "0")
    others = _others(app)
    told = await asyncio.gather(*(_ask(path) for path in others))
    parts = {ours: metrics.of_process()}
    parts.update((path.stem, text) for path, text in zip(others, told, strict=True) if text)
    return metrics.merged(dict(sorted(parts.items(), key=lambda part: int(part[0]))))


async def hour(app: "App") -> list[Bucket]:
    """The last hour of this process and of its siblings together, oldest first."""
    told = await asyncio.gather(*(_ask(path, _HOUR) for path in _others(app)))
    theirs = [bucket for text in told for bucket in _buckets(text)]
    return windows.last_hour([*app.watch.windows.buckets(), *theirs], clock.seconds())


def _buckets(text: str) -> list[Bucket]:
    """A sibling's buckets; nothing when it speaks of something else, as one of another version may."""
    try:
        return [Bucket(*each) for each in json.loads(text)]
    except (ValueError, TypeError):
        return []


def _others(app: "App") -> list[Path]:
    if app not in _numbers:
        return []
    return [path for path in _folder(app).glob("*.sock") if path.stem != _numbers[app]]


def _folder(app: "App") -> Path:
    return app.kernel.data.absolute() / "processes"


def _take(folder: Path) -> tuple[str, int] | None:
    """The first number nobody holds, and the file whose lock says that we do."""
    if len(str(folder)) > _LONGEST:
        _log.warning("siblings_apart", reason="the path of the data folder is too long for a socket")
        return None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(MOST):
            lock = os.open(folder / f"{number}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            return str(number), lock
    except OSError as error:
        _log.warning("siblings_apart", reason=str(error))
    return None


async def _tell(app: "App", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    asked = b""
    with suppress(TimeoutError, OSError, ValueError):
        async with asyncio.timeout(_LISTENS):
            asked = await reader.readline()
    with suppress(OSError):
        if asked == _HOUR:
            writer.write(json.dumps([astuple(bucket) for bucket in app.watch.windows.buckets()]).encode())
        else:
            writer.write(metrics.of_process().encode())
        writer.close()
        await writer.wait_closed()


async def _ask(path: Path, what: bytes = b"\n") -> str:
    """What a sibling tells; nothing when it has gone or is too busy."""
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_unix_connection(str(path), limit=2**24)
            try:
                writer.write(what)
                return (await reader.read()).decode()
            finally:
                writer.close()
                await writer.wait_closed()
    except (OSError, TimeoutError):
        return ""
