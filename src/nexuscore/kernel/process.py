"""One process: its database, its workers, its server, started in order and stopped in reverse."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from nexuscore.kernel import log, migrate, postgres
from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.module import Greeting
from nexuscore.kernel.queue import run_workers
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
async def database(app: "App", command: str, *, alone: bool = False) -> AsyncIterator[Urls]:
    """The database of this app while the block runs: the one the settings name, or the embedded one.

    A running embedded server is shared, unless `alone`: then whoever holds it is named in the error.
    """
    settings = app.kernel
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
        await server.stop()


@asynccontextmanager
async def running(app: "App", urls: Urls) -> AsyncIterator[None]:
    """The app started on a database whose migrations are all there; one clear sentence otherwise."""
    pending = [each for each in await migrate.status(app, urls.owner) if each.pending]
    if pending:
        waiting = ", ".join(name for each in pending for name in each.pending)
        raise ConfigurationError(f"the database lacks migrations: {waiting}. Run `nexus migrate`.")
    await app.start(urls.app)
    try:
        yield
    finally:
        await app.stop()


async def work(app: "App", *, stop: asyncio.Event | None = None) -> None:
    """Run workers alone until told to stop."""
    stop = stop or asyncio.Event()
    async with database(app, "nexus worker") as urls, running(app, urls):
        with _signals(stop):
            _log.info("worker_ready", concurrency=app.kernel.worker_concurrency)
            await _run_workers(app, stop)


async def serve(app: "App", listener: socket.socket, *, workers: bool, migrated: bool) -> None:
    """Serve requests on `listener`, with workers beside it unless told otherwise, until a signal."""
    async with database(app, "nexus serve", alone=True) as urls:
        if migrated:
            for revision in await migrate.upgrade(app, urls.owner):
                _log.info("migrated", revision=revision)
        async with running(app, urls):
            for greeting in app.fillers(Greeting):  # type: ignore[type-abstract]  # asked for, not made
                sys.stdout.writelines(f"{line}\n" for line in await greeting.lines(app))
            await _serve(app, listener, workers=workers)


async def _serve(app: "App", listener: socket.socket, *, workers: bool) -> None:
    server = _Server(
        uvicorn.Config(
            app,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            date_header=True,
            timeout_graceful_shutdown=int(app.kernel.shutdown_grace_s) or None,
        )
    )
    stop = app.stopping
    jobs = asyncio.create_task(_run_workers(app, stop)) if workers else None
    stopper = asyncio.create_task(_stop_server(stop, server))
    try:
        with _signals(stop):
            await server.serve(sockets=[listener])
    finally:
        stop.set()
        stopper.cancel()
        if jobs is not None:
            await jobs


async def _run_workers(app: "App", stop: asyncio.Event) -> None:
    """Workers until `stop`; jobs still running after the grace are left for others to take over."""
    workers = asyncio.create_task(run_workers(app, stop, concurrency=app.kernel.worker_concurrency))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({workers, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    done, _ = await asyncio.wait({workers}, timeout=app.kernel.shutdown_grace_s)
    if not done:
        workers.cancel()
    with suppress(asyncio.CancelledError):
        await workers


class _Server(uvicorn.Server):
    """Signals are ours: readiness drops first, then the server drains, then the workers."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _stop_server(stop: asyncio.Event, server: uvicorn.Server) -> None:
    await stop.wait()
    server.should_exit = True


@contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, or one clear sentence about why there is none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # else no TCP_NODELAY
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {error.strerror}. Stop what uses it, or choose another with --port."
        ) from error
    return listener
