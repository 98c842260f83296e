"""How many processes there are, and whether they may be so many: without Redis or Valkey, one.

Rate limits, counters and caches of a process alone are in its memory. A second process would count anew, and would
not hear what the first forgets. In production each process holds a lock in the database while it lives: a shared one
if it has Redis, else one for itself.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

import asyncpg

from nexuscore.kernel import log
from nexuscore.kernel.errors import ConfigurationError

if TYPE_CHECKING:
    from nexuscore.kernel.app import App

LOCK = 0x6E657870
PATIENCE = 30.0  # seconds; the session of a machine that died holds its lock until PostgreSQL misses it
_KEEP_ALIVE = (
    "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;"
    " SET application_name = 'nexuscore presence'"
)
_log = log.get_logger(__name__)

WHY = (
    "Rate limits, counters and caches are then shared; without, each process would count for itself and go on with what"
    " another has changed. Set NEXUS_REDIS_URL=redis://host:6379/0 for all of them (Valkey will do too)"
)


def may_be_several(app: "App", processes: int) -> None:
    """Refuse to start several processes that could not share what they must."""
    if processes > 1 and not has_shared_store(app):
        raise ConfigurationError(f"{processes} processes need Redis. {WHY}, or start one process.")


def has_shared_store(app: "App") -> bool:
    """Whether processes have a place to share what is not in the database."""
    return app.kernel.redis_url is not None


@asynccontextmanager
async def present(app: "App") -> AsyncIterator[None]:
    """Be known as a process of this installation while the block runs; refused where only one may be."""
    if app.kernel.env != "production":
        yield
        return
    held = [await _held(app, PATIENCE)]
    keeper = asyncio.create_task(_keep(app, held))
    try:
        yield
    finally:
        keeper.cancel()
        await asyncio.wait({keeper})
        await _close(held[0])


async def _held(app: "App", patience: float) -> Any:
    """A connection that holds the lock; an error that says what to do when others hold it for too long."""
    until = monotonic() + patience
    kind = "_shared" if has_shared_store(app) else ""
    connection: Any = await app.database.connect()
    try:
        await connection.execute(_KEEP_ALIVE)
        while not await connection.fetchval(f"SELECT pg_try_advisory_lock{kind}($1)", LOCK):
            if monotonic() > until:
                raise ConfigurationError(_refusal(app))
            await asyncio.sleep(0.25)
    except BaseException:
        await _close(connection)
        raise
    return connection


async def _close(connection: Any) -> None:
    with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        await connection.close(timeout=2)


def _refusal(app: "App") -> str:
    if has_shared_store(app):
        return f"Another process works on this database without Redis, so no second one may. {WHY}."
    return (
        f"Another process works on this database, and this one has no Redis to share with it. {WHY}, or stop the other."
    )


async def _keep(app: "App", held: list[Any]) -> None:
    """Hold the lock until cancelled, taking it again when the connection was lost."""
    while True:
        lost = asyncio.Event()
        held[0].add_termination_listener(lambda _, lost=lost: lost.set())
        await lost.wait()
        held[0] = await _again(app)


async def _again(app: "App") -> Any:
    while True:
        try:
            return await _held(app, PATIENCE)
        except ConfigurationError as error:
            _log.error("too_many_processes", reason=str(error))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await asyncio.sleep(1)
