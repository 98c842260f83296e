"""One process: its database, its workers, its server, started in order and stopped in reverse.

Whoever runs `serve` or `work` stops them by cancelling: a start is undone, running work is finished.
"""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import uvicorn

from nexuscore.kernel import log, migrate, postgres
from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.http.wire import Protocol
from nexuscore.kernel.module import Greeting, Warming
from nexuscore.kernel.presence import present
from nexuscore.kernel.queue import run_workers
from nexuscore.kernel.settings import KernelSettings
from nexuscore.kernel.tables import APP_ROLE

if TYPE_CHECKING:
    from nexuscore.kernel.app import App

_log = log.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Urls:
    """The database as the app uses it, and as its owner, who migrates."""

    app: str
    owner: str
    embedded: postgres.Server | None = None


@asynccontextmanager
async def database(settings: KernelSettings, command: str, *, alone: bool = False) -> AsyncIterator[Urls]:
    """The database while the block runs: the one the settings name, or the embedded one.

    A running embedded server is shared, unless `alone`: then whoever holds it is named in the error.
    """
    if settings.database_url is not None:
        owner = settings.database_owner_url or settings.database_url
        yield Urls(settings.database_url.get_secret_value(), owner.get_secret_value())
        return
    server = None if alone else await postgres.attach(settings.data)
    if server is None:
        server = await postgres.start(settings.data, owner=command, durable=settings.env != "test")
    try:
        yield Urls(server.dsn(user=APP_ROLE), server.dsn(), server)
    finally:
        await _surely(server.stop())


async def _surely(work: Coroutine[Any, Any, None]) -> None:
    """Finish it, however often we are cancelled meanwhile."""
    task = asyncio.create_task(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task})
    task.result()


@asynccontextmanager
async def running(app: "App", urls: Urls) -> AsyncIterator[None]:
    """The app started on a database whose migrations are all there; one clear sentence otherwise."""
    pending = [name for each in await migrate.status(app, urls.owner) for name in each.pending]
    if pending:
        raise ConfigurationError(f"The database lacks migrations: {', '.join(pending)}. Run `nexus migrate`.")
    await app.start(urls.app)
    try:
        yield
    finally:
        await app.stop()


@asynccontextmanager
async def opened(app: "App", command: str) -> AsyncIterator[Urls]:
    """The app started on its database, shared with a running server: for a command that does one thing."""
    async with database(app.kernel, command) as urls, running(app, urls):
        yield urls


async def work(app: "App") -> None:
    """Run workers alone until cancelled."""
    async with opened(app, "nexus worker"), present(app):
        _log.info("worker_ready", concurrency=app.kernel.worker_concurrency)
        await _until_stopped(app, _workers(app, app.stopping))


async def serve(
    app: "App",
    listener: socket.socket,
    *,
    workers: bool = True,
    migrated: bool = True,
    ready: Callable[[list[str]], None] = lambda _: None,
) -> None:
    """Serve requests on `listener`, with workers beside it unless told otherwise, until cancelled.

    `ready` is called once requests are answered, with what modules want to tell whoever started it.
    """
    async with database(app.kernel, "nexus serve", alone=True) as urls:
        if migrated:
            await migrate_first(app, urls)
        async with running(app, urls), present(app):
            await warm(app)
            served = asyncio.Event()
            parts = [_served(_Server(app, ready), listener, served)]
            parts += [_workers(app, served)] if workers else []
            await _until_stopped(app, *parts, drain_s=app.kernel.drain_s)


async def warm(app: "App") -> None:
    """Read what modules want read before the first request. What fails now is read when it is asked for."""
    for each in app.fillers(Warming):
        try:
            async with app.context() as ctx:
                await each.read(ctx)
        except Exception as error:  # noqa: BLE001 - nothing here is needed to serve
            _log.warning("not_warmed", name=each.name, reason=f"{type(error).__name__}: {error}")


async def migrate_first(app: "App", urls: Urls) -> None:
    """Bring the database to its newest shape, and say how."""
    for revision in await migrate.upgrade(app, urls.owner):
        _log.info("migrated", revision=revision)


async def _served(server: "_Server", listener: socket.socket, served: asyncio.Event) -> None:
    """Requests to their end; workers go on until then, for what the last of them queue."""
    try:
        await server.serve(sockets=[listener])
    finally:
        served.set()


class _Server(uvicorn.Server):
    """Stops with the app, says when it is ready, and leaves no request behind."""

    def __init__(self, app: "App", ready: Callable[[list[str]], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Protocol,
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                date_header=True,
                timeout_graceful_shutdown=ceil(app.kernel.shutdown_grace_s) or 1,
            )
        )
        self._app = app
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().serve(sockets)
        finally:
            for task in self.server_state.tasks:
                task.cancel()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        greetings = self._app.fillers(Greeting)  # type: ignore[type-abstract]  # asked for, not made
        self._ready([line for greeting in greetings for line in await greeting.lines(self._app)])

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._app.stopping.is_set()


async def _until_stopped(app: "App", *parts: Coroutine[Any, Any, None], drain_s: float = 0) -> None:
    """Run the parts of a process until it is told to stop or one of them ends; then all of them end.

    The first cancellation asks them to finish: the process says it is not ready, goes on for `drain_s` so that those
    who send requests hear of it, and finishes what it has within the grace. The second does not wait for that.
    """
    tasks = [asyncio.create_task(part) for part in parts]
    told = asyncio.create_task(app.stopping.wait())
    with suppress(asyncio.CancelledError):
        await asyncio.wait({*tasks, told}, return_when=asyncio.FIRST_COMPLETED)
    app.draining.set()
    try:
        if drain_s and not any(task.done() for task in (*tasks, told)):
            _log.info("draining", drain_s=drain_s)
            await asyncio.wait(tasks, timeout=drain_s, return_when=asyncio.FIRST_COMPLETED)
        _log.info("stopping", grace_s=app.kernel.shutdown_grace_s)
        app.stopping.set()
        await asyncio.wait(tasks)
    except asyncio.CancelledError:
        app.stopping.set()
    ended = [task for task in tasks if task.done()]
    for task in tasks:
        task.cancel()
    await asyncio.wait({*tasks, told})
    _log.info("stopped")
    for task in ended:
        task.result()


async def _workers(app: "App", stop: asyncio.Event) -> None:
    """Workers until told to stop; jobs still running after the grace are left for others to take over."""
    workers = asyncio.create_task(run_workers(app, stop, concurrency=app.kernel.worker_concurrency))
    told = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({workers, told}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({workers}, timeout=app.kernel.shutdown_grace_s)
    finally:
        told.cancel()
        workers.cancel()
        with suppress(asyncio.CancelledError):
            await workers


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, or one clear sentence about why there is none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # else no TCP_NODELAY
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)  # now: two sockets may bind one port, only one of them listens
    except OSError as error:
        listener.close()
        remedy = {
            errno.EADDRINUSE: "Stop what uses it, or choose another with --port.",
            errno.EACCES: "Choose a port above 1023 with --port.",
        }.get(error.errno or 0, "Name an address of this machine with --host.")
        raise ConfigurationError(f"Cannot listen on {host}:{port}: {error.strerror}. {remedy}") from error
    return listener
