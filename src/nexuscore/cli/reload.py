"""`nexus serve --reload`: one database and one socket that stay, and a server that starts again when a file changes."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from pathlib import Path

from watchfiles import Change, DefaultFilter, awatch
from watchfiles.main import FileChange

from nexuscore.kernel import log, process
from nexuscore.kernel.settings import KernelSettings

PATIENCE = 5.0  # seconds a server may take to stop before it is killed
_log = log.get_logger(__name__)


class _Watched(DefaultFilter):
    """What a change of may change the app; nothing in hidden, cache or environment folders."""

    def __call__(self, change: Change, path: str) -> bool:
        return path.endswith((".py", ".html", ".po")) and super().__call__(change, path)


async def serve_reloading(settings: KernelSettings, listener: socket.socket, options: list[str]) -> None:
    """Run `nexus serve` with `options` as a child, anew after every change below this folder, until cancelled."""
    async with process.database(settings, "nexus serve --reload", alone=True) as urls:
        environment = {**os.environ, "DATABASE_URL": urls.app, "DATABASE_OWNER_URL": urls.owner}
        child = await _start(listener, environment, options)
        end = asyncio.create_task(_report_end(child))
        try:
            async for changes in _changes():
                _log.info("changed", files=sorted({os.path.relpath(path) for _, path in changes})[:5])
                end.cancel()
                await _stop(child)
                child = await _start(listener, environment, [*options, "--again"])
                end = asyncio.create_task(_report_end(child))
        except asyncio.CancelledError:
            _log.info("stopping")
        finally:
            end.cancel()
            await _stop(child)


def _changes() -> AsyncGenerator[set[FileChange], None]:
    return awatch(Path.cwd(), watch_filter=_Watched(), debounce=300, ignore_permission_denied=True)


async def _start(listener: socket.socket, environment: dict[str, str], options: list[str]) -> Process:
    kept = listener.fileno()
    command = [sys.executable, "-m", "nexuscore.cli", "serve", "--inherited", str(kept), *options]
    return await asyncio.create_subprocess_exec(*command, env=environment, pass_fds=[kept])


async def _stop(child: Process) -> None:
    if child.returncode is None:
        child.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(PATIENCE):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()


async def _report_end(child: Process) -> None:
    code = await child.wait()
    _log.warning("server_ended", exit_code=code, next="it starts again when a file changes")
