"""The database of one process: its pool of connections, and the transactions that requests and jobs run in."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from time import monotonic, perf_counter
from typing import Any

import asyncpg

from nexuscore.kernel import log, metrics
from nexuscore.kernel.connections import Terms, options, prepare
from nexuscore.kernel.crypto import Keyring
from nexuscore.kernel.db import Connection, Db, Row, Scope, no_keyring
from nexuscore.kernel.errors import DatabaseError
from nexuscore.kernel.tables import APP_ROLE

REPLICA_REST = 5.0  # seconds the primary reads for a replica that failed
_FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
DEFAULT = Terms()
_EVERYBODYS = Scope()
_SEE = "SET nexus.org = '{}'"
_UNKNOWN = object()
_LOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InterfaceError,
    asyncpg.SerializationError,
)
_log = log.get_logger(__name__)


class Database:
    """The pool of connections of one process, and that of its replica if there is one."""

    def __init__(self, dsn: str, terms: Terms = DEFAULT) -> None:
        self._dsn = dsn
        self._terms = terms
        self.keyring: Callable[[], Keyring] = no_keyring  # the app's, which signs cursors
        self._opening = terms.opening
        self._pool: asyncpg.Pool[Row] | None = None
        self.only_reading = terms.opening.replace("READ WRITE", "READ ONLY")
        self._replica: asyncpg.Pool[Row] | None = None
        self._replica_rests_until = 0.0

    @property
    def pool(self) -> "asyncpg.Pool[Row]":
        """The open pool; using it before `start` is a mistake of ours."""
        if self._pool is None:
            raise RuntimeError("the database is not started")
        return self._pool

    @property
    def replica(self) -> "asyncpg.Pool[Row]":
        """The replica's pool, the primary's when there is none."""
        return self._replica or self.pool

    async def start(self) -> None:
        """Open the pool; `DatabaseError` when nothing answers there. A replica may come later."""
        try:
            self._pool = await self._open(self._dsn, self._terms.minimum)
            if self._terms.replica is not None:
                self._replica = await self._open(self._terms.replica, 0)
        except asyncpg.InsufficientPrivilegeError as error:
            raise DatabaseError(
                f"the database refuses us the role {APP_ROLE}: {error}. As its owner, GRANT {APP_ROLE} TO the login"
                " in DATABASE_URL. `nexus doctor` shows what else is missing."
            ) from error
        except (ValueError, *_FAILURES) as error:
            raise DatabaseError(f"cannot reach the database: {error or type(error).__name__}") from error

    async def _open(self, dsn: str, minimum: int) -> "asyncpg.Pool[Row]":
        return await asyncpg.create_pool(
            dsn,
            min_size=minimum,
            max_size=self._terms.maximum,
            record_class=Row,
            connection_class=_PooledConnection,
            init=prepare,
            max_inactive_connection_lifetime=300,
            **options(self._terms, dsn, guarded=True),
        )

    async def stop(self) -> None:
        """Close every connection."""
        for pool in (self._pool, self._replica):
            if pool is not None:
                await pool.close()
        self._pool = self._replica = None

    async def connect(self) -> Connection:
        """A connection of its own, outside the pool and past a pooler: for LISTEN and for the job queue."""
        dsn = self._terms.direct or self._dsn
        unhurried = replace(self._terms, statement_timeout_ms=0, lock_timeout_ms=0, pooled=False)
        connection: Connection = await asyncpg.connect(dsn, record_class=Row, **options(unhurried, dsn))
        await prepare(connection)
        return connection

    def transaction(self, scope: Scope = _EVERYBODYS, *, replica: bool = False) -> AbstractAsyncContextManager[Db]:
        """One transaction in `scope`: committed when the block ends, rolled back when it raises.

        With `replica`, one that only reads, from the replica while there is one that answers.
        """
        if replica and self._reads_replica:
            return _ReplicaTransaction(self, scope)
        return _Transaction(self.pool, scope, self._opening, self.keyring)

    def reading(self, scope: Scope) -> AbstractAsyncContextManager[Db]:
        """For a request that reads: each statement for itself, which saves two round trips of three.

        The first that is more than a plain read begins the transaction there would have been. A pooler gives every
        statement another connection, so there it is a transaction from the start.
        """
        if self._terms.pooled or scope.across:
            return self.transaction(scope)
        return _Reading(self.pool, scope, self._opening, self.keyring)

    @property
    def _reads_replica(self) -> bool:
        return self._replica is not None and monotonic() >= self._replica_rests_until

    def lost_replica(self, error: BaseException) -> bool:
        """Whether a read failed for want of the replica, so that the primary may be asked instead.

        One that cannot be reached is left alone for a while.
        """
        if not self._reads_replica or not isinstance(error, _LOST):
            return False
        if not isinstance(error, asyncpg.SerializationError):  # that is a row its primary has removed meanwhile
            self._replica_rests_until = monotonic() + REPLICA_REST
        _log.warning("replica_lost", reason=type(error).__name__)
        return True


class _Transaction(AbstractAsyncContextManager[Db, None]):
    """`BEGIN` to `COMMIT`. A class, since every request runs in one and a generator costs it 6 µs more."""

    __slots__ = ("_connection", "_db", "_keyring", "_opening", "_pool", "_scope")

    def __init__(self, pool: "asyncpg.Pool[Row]", scope: Scope, opening: str, keyring: Callable[[], Keyring]) -> None:
        self._pool = pool
        self._scope = scope
        self._opening = opening
        self._keyring = keyring
        self._connection: Any = None

    async def __aenter__(self) -> Db:
        started = perf_counter()
        try:
            self._connection = await self._pool.acquire()
        except OSError as error:
            raise DatabaseError from error
        metrics.waited_for_connection(perf_counter() - started)
        try:
            await self._open()
        except BaseException as error:
            await self._give_up(error)
            raise
        return self._db

    async def _open(self) -> None:
        await self._connection.execute(self._opening + self._scope.after_begin)
        self._db = Db(self._connection._con, self._scope, self._keyring)

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            await self._give_up(error)
            return
        try:
            if await self._connection.execute("COMMIT") != "COMMIT":
                raise RuntimeError("a statement failed and the error was swallowed: use ctx.db.savepoint()")
        except BaseException as failure:
            await self._give_up(failure)
            raise
        await self._end()

    async def _end(self) -> None:
        if self._db.forgets:
            self._db.committed()
        # `pool.release` makes a task to survive a cancellation; here nothing waits, so none can come in between.
        await self._connection._holder.release(None)

    async def _give_up(self, error: BaseException) -> None:
        try:
            await _abandon(self._connection, error)
        finally:
            await asyncio.shield(self._pool.release(self._connection))


class _Reading(_Transaction):
    """Statements for themselves, in a scope the connection keeps for whoever reads next in the same organisation."""

    __slots__ = ()

    async def _open(self) -> None:
        connection, org = self._connection._con, self._scope.org
        if connection.sees != org:
            connection.sees = _UNKNOWN  # until PostgreSQL has said so
            await connection.execute(_SEE.format(org or ""))
            connection.sees = org
        self._db = Db(self._connection, self._scope, self._keyring, opening=self._opening + self._scope.after_begin)

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None and self._db.opening is not None:
            await self._end()
        else:
            await super().__aexit__(kind, error, trace)


class _ReplicaTransaction(_Transaction):
    """The same on the replica, and on the primary when the replica cannot begin one."""

    __slots__ = ("_database",)

    def __init__(self, database: Database, scope: Scope) -> None:
        super().__init__(database.replica, scope, database.only_reading, database.keyring)
        self._database = database

    async def __aenter__(self) -> Db:
        try:
            db = await super().__aenter__()
        except (DatabaseError, *_LOST) as error:
            if not self._database.lost_replica(error.__cause__ or error):
                raise
            self._pool, self._opening = self._database.pool, self._database.only_reading
            return await super().__aenter__()
        db.lagging = True
        return db


async def _abandon(connection: Connection, error: BaseException) -> None:
    """Roll back what has begun. A cancelled request's connection may still owe an answer, so it is not used again."""
    if isinstance(error, asyncio.CancelledError | TimeoutError):
        connection.terminate()
        return
    try:
        if connection.is_in_transaction():
            await connection.execute("ROLLBACK")
    except _FAILURES:
        connection.terminate()


class _PooledConnection(Connection):
    """Nothing to reset between transactions: all our settings are local to one, but for the organisation that reads
    see, and every transaction says its own."""

    sees: object = None  # the organisation of the session, see `_Reading`

    async def reset(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the signature is asyncpg's
        """Nothing; but a transaction that is still open, whyever it is, ends here."""
        if self.is_in_transaction():
            await super().reset(timeout=timeout)
