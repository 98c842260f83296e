"""Statements to rows: one connection, one transaction, one organisation's view of the data.

Nobody commits: `Database.transaction` opens the transaction a request or a job runs in, and ends it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, cast, overload
from uuid import UUID

import asyncpg
from pydantic_core import from_json
from sqlalchemy import Select, select
from sqlalchemy.sql.expression import Executable
from sqlalchemy.sql.selectable import TypedReturnsRows

from nexuscore.kernel import metrics, rowjson, sight
from nexuscore.kernel.crypto import Keyring
from nexuscore.kernel.errors import (
    AuthorizationError,
    ConflictError,
    DatabaseError,
    Fault,
    NexusError,
    NotFoundError,
    ValidationError,
)
from nexuscore.kernel.paging import Listing, PageJson, PageQuery, as_page
from nexuscore.kernel.rowjson import as_array, shown
from nexuscore.kernel.statements import prepare
from nexuscore.kernel.tables import ACROSS_ROLE, APP_ROLE, Table

T = TypeVar("T")
M = TypeVar("M", bound=Table)
Ts = TypeVarTuple("Ts")
Json = rowjson.Json


class Row(asyncpg.Record):
    """A read-only row with its columns as attributes; typed as the model it was selected from."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the row has no column {name!r}") from None


if TYPE_CHECKING:
    Connection = asyncpg.Connection[Row]
else:
    Connection = asyncpg.Connection


@dataclass(frozen=True, slots=True)
class Scope:
    """What a transaction may see: one organisation, none, or (said aloud) all of them."""

    org: UUID | None = None
    across: bool = False

    @property
    def sql(self) -> str:
        """The settings that open this scope, for the transaction alone."""
        role = f"SET LOCAL ROLE {ACROSS_ROLE if self.across else APP_ROLE}"
        return f"{role}; SET LOCAL nexus.org = '{self.org or ''}'"

    @property
    def begin(self) -> str:
        """`BEGIN` and the scope in one round trip; the connection's own role is the closed one."""
        if self.across:
            return f"BEGIN; {self.sql}"
        return f"BEGIN; SET LOCAL nexus.org = '{self.org}'" if self.org else "BEGIN"


class Db:
    """The statements of one transaction, counted for the request or job it belongs to."""

    __slots__ = ("_tally", "connection", "keyring", "scope")

    def __init__(self, connection: Connection, scope: Scope, keyring: Callable[[], Keyring]) -> None:
        self.connection = connection
        self.scope = scope
        self._tally = sight.tally()
        self.keyring = keyring

    @overload
    async def first(self, statement: TypedReturnsRows[M], /, **given: Any) -> M | None: ...
    @overload
    async def first(self, statement: TypedReturnsRows[*Ts], /, **given: Any) -> Any: ...
    async def first(self, statement: Executable, /, **given: Any) -> Any:
        """The first row, or None."""
        sql, arguments = prepare(statement, given)
        started = perf_counter()
        try:
            return await self.connection.fetchrow(sql, *arguments)
        finally:
            sight.query(self._tally, sql, perf_counter() - started)

    @overload
    async def one(self, statement: TypedReturnsRows[M], /, **given: Any) -> M: ...
    @overload
    async def one(self, statement: TypedReturnsRows[*Ts], /, **given: Any) -> Any: ...
    async def one(self, statement: Any, /, **given: Any) -> Any:
        """The row; `NotFoundError` when there is none, which is what another tenant's id gives."""
        row = await self.first(statement, **given)
        if row is None:
            raise NotFoundError
        return row

    @overload
    async def all(self, statement: TypedReturnsRows[M], /, **given: Any) -> list[M]: ...
    @overload
    async def all(self, statement: TypedReturnsRows[*Ts], /, **given: Any) -> list[Any]: ...
    async def all(self, statement: Any, /, **given: Any) -> list[Any]:
        """Every row. For what may grow without bound, use `page`."""
        sql, arguments = prepare(statement, given)
        started = perf_counter()
        try:
            return cast(list[Any], await self.connection.fetch(sql, *arguments))
        finally:
            sight.query(self._tally, sql, perf_counter() - started)

    async def value(self, statement: TypedReturnsRows[T], /, **given: Any) -> T:
        """The first column of the first row; None when there is no row."""
        sql, arguments = prepare(statement, given)
        started = perf_counter()
        try:
            return cast(T, await self.connection.fetchval(sql, *arguments))
        finally:
            sight.query(self._tally, sql, perf_counter() - started)

    async def execute(self, statement: Executable, /, **given: Any) -> int:
        """Run it; the number of rows it touched."""
        sql, arguments = prepare(statement, given)
        started = perf_counter()
        try:
            status = await self.connection.execute(sql, *arguments)
        finally:
            sight.query(self._tally, sql, perf_counter() - started)
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def json(self, statement: Select[Any], /, **given: Any) -> Json:
        """Every row as one JSON array, built by PostgreSQL."""
        sql, arguments = prepare(statement, given, wrap=_as_array)
        started = perf_counter()
        try:
            return Json((await self.connection.fetchval(sql, *arguments)).encode())
        finally:
            sight.query(self._tally, sql, perf_counter() - started)

    async def page(self, listing: Listing, query: PageQuery, /, **given: Any) -> PageJson:
        """One page of a list, as it is answered. `given` are the values of its select's own parameters."""
        keyring = self.keyring()
        place = listing.place(query, keyring)
        return as_page(await self.one(place.statement, **place.given, **given), query, place, keyring)

    async def raw(self, sql: str, *arguments: Any) -> list[Row]:
        """A statement as text, for what SQLAlchemy cannot say. Never built from input."""
        started = perf_counter()
        try:
            return await self.connection.fetch(sql, *arguments)
        finally:
            sight.query(self._tally, sql, perf_counter() - started)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A part of the transaction that may fail by itself: catch its error outside the block."""
        await self.connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            await self.connection.execute("ROLLBACK TO part; RELEASE part")
            raise
        await self.connection.execute("RELEASE part")

    async def enter(self, scope: Scope) -> None:
        """Change what the rest of this transaction sees."""
        await self.connection.execute(scope.sql)
        self.scope = scope

    async def restore(self, scope: Scope) -> None:
        """`enter` after an error: a transaction that is already broken stays as it is."""
        try:
            await self.enter(scope)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self.scope = scope


def _as_array(statement: Select[Any]) -> Select[Any]:
    """`statement` wrapped so that PostgreSQL answers one JSON array."""
    rows = select(*map(shown, statement.subquery().c)).subquery("r")
    return select(as_array(rows)).select_from(rows)


class Database:
    """The pool of connections of one process."""

    def __init__(self, dsn: str, *, minimum: int, maximum: int, statement_timeout_ms: int) -> None:
        self._dsn = dsn
        self._sizes = (minimum, maximum)
        self._timeout = statement_timeout_ms
        self._pool: asyncpg.Pool[Row] | None = None
        self.keyring: Callable[[], Keyring] = _no_keyring  # the app's, which signs cursors

    @property
    def pool(self) -> "asyncpg.Pool[Row]":
        """The open pool; using it before `start` is a mistake of ours."""
        if self._pool is None:
            raise RuntimeError("the database is not started")
        return self._pool

    async def start(self) -> None:
        """Open the pool; `DatabaseError` when nothing answers there."""
        minimum, maximum = self._sizes
        try:
            self._pool = await asyncpg.create_pool(
                self._dsn,
                min_size=minimum,
                max_size=maximum,
                record_class=Row,
                connection_class=_PooledConnection,
                init=prepare_connection,
                server_settings=server_settings(self._timeout),
                statement_cache_size=1000,
                max_inactive_connection_lifetime=300,
            )
        except asyncpg.InsufficientPrivilegeError as error:
            raise DatabaseError(
                f"the database refuses us the role {APP_ROLE}: {error}. As its owner, GRANT {APP_ROLE} TO the login"
                " in DATABASE_URL. `nexus doctor` shows what else is missing."
            ) from error
        except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise DatabaseError(f"cannot reach the database: {error or type(error).__name__}") from error

    async def stop(self) -> None:
        """Close every connection."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    async def connect(self) -> Connection:
        """A connection of its own, outside the pool: for LISTEN and for the job queue."""
        connection = await asyncpg.connect(self._dsn, record_class=Row, server_settings=server_settings(0))
        await prepare_connection(connection)
        return connection

    def transaction(self, scope: Scope = Scope()) -> AbstractAsyncContextManager[Db]:
        """One transaction in `scope`: committed when the block ends, rolled back when it raises."""
        return _Transaction(self.pool, scope, self.keyring)


def _no_keyring() -> Keyring:
    raise RuntimeError("there is no app to sign cursors with")


class _Transaction(AbstractAsyncContextManager[Db, None]):
    """`BEGIN` to `COMMIT`. A class, since every request runs in one and a generator costs it 6 µs more."""

    __slots__ = ("_connection", "_keyring", "_pool", "_scope")

    def __init__(self, pool: "asyncpg.Pool[Row]", scope: Scope, keyring: Callable[[], Keyring]) -> None:
        self._pool = pool
        self._scope = scope
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
            await self._connection.execute(self._scope.begin)
        except BaseException as error:
            await self._give_up(error)
            raise
        return Db(self._connection, self._scope, self._keyring)

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
        # `pool.release` makes a task to survive a cancellation; here nothing waits, so none can come in between.
        await self._connection._holder.release(None)

    async def _give_up(self, error: BaseException) -> None:
        try:
            await _abandon(self._connection, error)
        finally:
            await asyncio.shield(self._pool.release(self._connection))


async def _abandon(connection: Connection, error: BaseException) -> None:
    """Roll back. A cancelled request's connection may still owe an answer, so it is not used again."""
    if isinstance(error, asyncio.CancelledError | TimeoutError):
        connection.terminate()
        return
    try:
        await connection.execute("ROLLBACK")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()


class _PooledConnection(Connection):
    """Nothing to reset between transactions: all our settings are local to one."""

    async def reset(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the signature is asyncpg's
        """Nothing; but a transaction that is still open, whyever it is, ends here."""
        if self.is_in_transaction():
            await super().reset(timeout=timeout)


def server_settings(statement_timeout_ms: int) -> dict[str, str]:
    """How every connection of ours begins: in the closed role, in UTC, with bounded patience."""
    return {
        "role": APP_ROLE,
        "application_name": "nexuscore",
        "timezone": "UTC",
        "statement_timeout": str(statement_timeout_ms),
        "idle_in_transaction_session_timeout": "60000",
        "lock_timeout": str(min(statement_timeout_ms, 10_000)),
    }


async def prepare_connection(connection: Any) -> None:
    """Teach a connection that JSON comes back as Python values (SQLAlchemy writes it as text)."""
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, schema="pg_catalog", encoder=_json_text, decoder=from_json, format="text")


def _json_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def translated(error: Exception) -> NexusError | None:
    """What a driver's error means to a caller; None when it is a fault of ours."""
    match error:
        case asyncpg.DivisionByZeroError():
            return None
        case asyncpg.UniqueViolationError():
            return ConflictError(details={"constraint": error.constraint_name})
        case asyncpg.ForeignKeyViolationError():
            return ConflictError(code="still_referenced", details={"constraint": error.constraint_name})
        case asyncpg.CheckViolationError() | asyncpg.NotNullViolationError():
            field = str(error.column_name or error.constraint_name or "")
            return ValidationError.of([Fault(field, "not_allowed", "This value is not allowed.")])
        case asyncpg.InsufficientPrivilegeError():
            return AuthorizationError()
        case (
            asyncpg.CharacterNotInRepertoireError()
            | asyncpg.UntranslatableCharacterError()
            | asyncpg.NumericValueOutOfRangeError()
            | asyncpg.InvalidTextRepresentationError()
            | asyncpg.DataError()
        ):
            return ValidationError.of([Fault("", "not_storable", "The value cannot be stored.")])
        case (
            asyncpg.QueryCanceledError()
            | asyncpg.DeadlockDetectedError()
            | asyncpg.SerializationError()
            | asyncpg.LockNotAvailableError()
            | asyncpg.PostgresConnectionError()
            | asyncpg.TooManyConnectionsError()
            | asyncpg.CannotConnectNowError()
            | asyncpg.AdminShutdownError()
            | asyncpg.InterfaceError()
            | ConnectionError()
        ):
            return DatabaseError()
        case _:
            return None
