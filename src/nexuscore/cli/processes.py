"""`nexus serve --processes N`: one database, one socket, and N servers on it that are started again when they end.

SIGTERM and Ctrl-C stop all of them in order, a second one does not wait; SIGHUP replaces one after the other, each only
once its successor answers, so that no request fails.
"""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from nexuscore.kernel import log, process
from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.presence import may_be_several

if TYPE_CHECKING:
    from nexuscore.kernel.app import App

LONGEST_PAUSE = 30.0  # seconds before a server that keeps ending is started again
SETTLED_AFTER = 30.0
LEAST_DRAIN = 1.0  # seconds in which open connections are told, with an answer, to go to another server
_log = log.get_logger(__name__)


@dataclass(slots=True)
class Child:
    """One server: its process, and the socket over which it says that it is ready and hears that we live."""

    process: Process
    line: socket.socket

    async def ready(self) -> bool:
        """Whether it answers requests by now; False when it ended instead."""
        said = asyncio.create_task(asyncio.get_running_loop().sock_recv(self.line, 1))
        ended = asyncio.create_task(self.process.wait())
        await asyncio.wait({said, ended}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not said.done():
            said.cancel()
            return False
        with suppress(OSError):
            return said.result() == b"r"
        return False

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)


class Line:
    """The other end, in the child."""

    def __init__(self, number: int) -> None:
        self._socket = socket.socket(fileno=number)
        self._socket.setblocking(False)

    def say_ready(self, greetings: list[str]) -> None:
        """Tell the parent that requests are answered; what there is to tell a person, the log gets."""
        with suppress(OSError):
            self._socket.send(b"r")
        for line in greetings:
            _log.info("greeting", said=line)

    async def while_it_lives(self, serving: Coroutine[Any, Any, None]) -> None:
        """Serve, and stop in order when the parent is gone without a word."""
        serves = asyncio.ensure_future(serving)
        loop = asyncio.get_running_loop()

        def orphaned() -> None:
            loop.remove_reader(self._socket.fileno())
            _log.warning("parent_gone")
            serves.cancel()

        loop.add_reader(self._socket.fileno(), orphaned)
        try:
            await serves
        finally:
            loop.remove_reader(self._socket.fileno())


class Family:
    """N servers that live as long as we do."""

    def __init__(self, app: "App", listener: socket.socket, environment: dict[str, str], options: list[str]) -> None:
        self._listener = listener
        self._environment = environment
        self._options = options
        self._patience = max(app.kernel.drain_s, LEAST_DRAIN) + 2 * app.kernel.shutdown_grace_s + 5
        self._children: list[Child] = []
        self._turn = asyncio.Lock()

    async def start(self, count: int) -> None:
        """The first ones; an error when one of them cannot start, which it has explained itself."""
        async with self._turn:
            self._children = [await self._born() for _ in range(count)]
            if not all([await child.ready() for child in self._children]):
                raise ConfigurationError("A server could not start; what it said stands above.")

    async def keep(self) -> None:
        """Start again what ends, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for place in range(len(self._children)):
                group.create_task(self._keep(place))

    async def _keep(self, place: int) -> None:
        pause = 0.1
        while True:
            child, since = self._children[place], monotonic()
            code = await child.process.wait()
            async with self._turn:
                if self._children[place] is not child:
                    continue  # replaced on purpose
            _log.error("server_ended", exit_code=code, pid=child.process.pid, again_in_s=pause)
            await asyncio.sleep(pause)
            pause = 0.1 if monotonic() - since > SETTLED_AFTER else min(pause * 2, LONGEST_PAUSE)
            self._children[place] = await self._born(again=True)

    async def replace(self) -> None:
        """New servers for old ones, one by one."""
        async with self._turn:
            for place, old in enumerate(self._children):
                new = await self._born(again=True)
                if not await new.ready():
                    _log.error("server_not_replaced", pid=old.process.pid, reason="its successor did not start")
                    return
                self._children[place] = new
                await self._end([old])
        _log.info("servers_replaced", count=len(self._children))

    async def stop(self) -> None:
        """All of them, in order; told again, at once."""
        try:
            await self._end(self._children)
        except asyncio.CancelledError:
            await self._end(self._children, hurry=True)

    async def _end(self, children: list[Child], *, hurry: bool = False) -> None:
        for child in children:
            child.tell(signal.SIGTERM)
        ends = [asyncio.create_task(child.process.wait()) for child in children]
        await asyncio.wait(ends, timeout=5 if hurry else self._patience)
        for child in children:
            if child.process.returncode is None:
                child.tell(signal.SIGKILL)
                await child.process.wait()
            child.line.close()

    async def _born(self, *, again: bool = False) -> Child:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        kept = [self._listener.fileno(), theirs.fileno()]
        command = [sys.executable, "-m", "nexuscore.cli", "serve", "--inherited", str(kept[0]), "--line", str(kept[1])]
        command += [*self._options, *(["--again"] if again else [])]
        try:
            child = await asyncio.create_subprocess_exec(
                *command,
                env=self._environment,
                pass_fds=kept,
                start_new_session=True,  # Ctrl-C is for us; we stop them in order
            )
        finally:
            theirs.close()
        return Child(child, ours)


async def serve_many(
    app: "App",
    listener: socket.socket,
    count: int,
    options: list[str],
    *,
    migrated: bool,
    ready: Callable[[], None],
) -> None:
    """Run `nexus serve` with `options` as `count` children on `listener`, until cancelled."""
    may_be_several(app, count)
    async with process.database(app.kernel, "nexus serve", alone=True) as urls:
        if migrated:
            await process.migrate_first(app, urls)
        environment = {
            **os.environ,
            "DATABASE_URL": urls.app,
            "DATABASE_OWNER_URL": urls.owner,
            "NEXUS_DRAIN_S": str(max(app.kernel.drain_s, LEAST_DRAIN)),
        }
        family = Family(app, listener, environment, options)
        loop = asyncio.get_running_loop()
        replacing: set[asyncio.Task[None]] = set()

        def replace() -> None:
            task = loop.create_task(family.replace())
            replacing.add(task)
            task.add_done_callback(replacing.discard)

        try:
            loop.add_signal_handler(signal.SIGHUP, replace)
            await family.start(count)
            ready()
            await family.keep()
        except asyncio.CancelledError:
            _log.info("stopping", servers=count)
        finally:
            for task in replacing:
                task.cancel()
            await family.stop()
