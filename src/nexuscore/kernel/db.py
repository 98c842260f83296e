"""Statements to rows: one connection, one transaction, one organisation's view of the data.

Nobody commits: `Database.transaction` opens the transaction a request or a job runs in, and ends it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, cast, overload
from uuid import UUID

import asyncpg
from sqlalchemy import Select, select
from sqlalchemy.sql.expression import Executable
from sqlalchemy.sql.selectable import TypedReturnsRows

from nexuscore.kernel import rowjson, sight
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
from nexuscore.kernel.paging import Listing, PageJson, PageQuery, as_page, as_unchanged
from nexuscore.kernel.rowjson import as_array, shown
from nexuscore.kernel.statements import prepare, reads
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
    def after_begin(self) -> str:
        """What follows a transaction's opening, in the same round trip; its role is the closed one by then."""
        return f"; {self.sql}" if self.across else f"; SET LOCAL nexus.org = '{self.org or ''}'"


class Db:
    """The statements of one transaction, counted for the request or job it belongs to.

    With an `opening` it has not begun yet, and does with the first statement that is more than a plain read.
    """

    __slots__ = ("_after", "_tally", "connection", "keyring", "known", "lagging", "opening", "scope")

    def __init__(
        self, connection: Connection, scope: Scope, keyring: Callable[[], Keyring], *, opening: str | None = None
    ) -> None:
        self.connection = connection
        self.scope = scope
        self.opening = opening
        self._tally = sight.tally()
        self.keyring = keyring
        self.known: frozenset[str] = frozenset()  # tags of pages the caller has, and need not be sent
        self.lagging = False  # a replica: what it reads may be older than what was forgotten
        self._after: list[Callable[[], object]] | None = None

    @property
    def forgets(self) -> bool:
        """Whether something waits for the commit: until then what is cached may be older than what is read here."""
        return self._after is not None

    async def begin(self) -> None:
        """Begin the transaction now, if it has not: for what a plain read would not keep, like a lock."""
        if self.opening is not None:
            opening, self.opening = self.opening, None
            await self.connection.execute(opening)

    def after_commit(self, act: Callable[[], object]) -> None:
        """Do it right after the commit, and not at all without one. It must neither wait nor fail."""
        if self._after is None:
            self._after = []
        self._after.append(act)

    def committed(self) -> None:
        """Do what waited for the commit."""
        acts, self._after = self._after or [], None
        for act in acts:
            act()

    @overload
    async def first(self, statement: TypedReturnsRows[M], /, **given: Any) -> M | None: ...
    @overload
    async def first(self, statement: TypedReturnsRows[*Ts], /, **given: Any) -> Any: ...
    async def first(self, statement: Executable, /, **given: Any) -> Any:
        """The first row, or None."""
        return await self._ask(self.connection.fetchrow, *prepare(statement, given))

    @overload
    async def one(self, statement: TypedReturnsRows[M], /, **given: Any) -> M: ...
    @overload
    async def one(self, statement: TypedReturnsRows[*Ts], /, **given: Any) -> Any: ...
    async def one(self, statement: Any, /, **given: Any) -> Any:
        """The row; `NotFoundError` when there is none, which is what another tenant's id gives."""
        row = await self._ask(self.connection.fetchrow, *prepare(statement, given))
        if row is None:
            raise NotFoundError
        return row

    @overload
    async def all(self, statement: TypedReturnsRows[M], /, **given: Any) -> list[M]: ...
    @overload
    async def all(self, statement: TypedReturnsRows[*Ts], /, **given: Any) -> list[Any]: ...
    async def all(self, statement: Any, /, **given: Any) -> list[Any]:
        """Every row. For what may grow without bound, use `page`."""
        return cast(list[Any], await self._ask(self.connection.fetch, *prepare(statement, given)))

    async def value(self, statement: TypedReturnsRows[T], /, **given: Any) -> T:
        """The first column of the first row; None when there is no row."""
        return cast(T, await self._ask(self.connection.fetchval, *prepare(statement, given)))

    async def execute(self, statement: Executable, /, **given: Any) -> int:
        """Run it; the number of rows it touched."""
        count = (await self._ask(self.connection.execute, *prepare(statement, given))).rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def json(self, statement: Select[Any], /, **given: Any) -> Json:
        """Every row as one JSON array, built by PostgreSQL."""
        return Json(await self._ask(self.connection.fetchval, *prepare(statement, given, wrap=_as_array)))

    async def page(self, listing: Listing, query: PageQuery, /, **given: Any) -> PageJson:
        """One page of a list, as it is answered. `given` are the values of its select's own parameters."""
        keyring = self.keyring()
        place = listing.place(query, keyring)
        if self.known:
            hashed = listing.statement(place.shape._replace(hashed=True))
            row = await self.one(hashed, **place.given, **given)
            unchanged = as_unchanged(row, query, place, keyring, self.known)
            if unchanged is not None:
                return unchanged
        row = await self.one(listing.statement(place.shape), **place.given, **given)
        return as_page(row, query, place, keyring)

    async def raw(self, sql: str, *arguments: Any) -> list[Row]:
        """A statement as text, for what SQLAlchemy cannot say. Never built from input."""
        return cast(list[Row], await self._ask(self.connection.fetch, sql, arguments))

    async def _ask(self, ask: Callable[..., Awaitable[Any]], sql: str, arguments: Sequence[Any]) -> Any:
        if self.opening is not None and not reads(sql):
            await self.begin()
        started = perf_counter()
        try:
            return await ask(sql, *arguments)
        finally:
            sight.query(self._tally, sql, perf_counter() - started)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A part of the transaction that may fail by itself: catch its error outside the block."""
        await self.begin()
        await self.connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            await self.connection.execute("ROLLBACK TO part; RELEASE part")
            raise
        await self.connection.execute("RELEASE part")

    async def enter(self, scope: Scope) -> None:
        """Change what the rest of this transaction sees."""
        await self.begin()
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


def no_keyring() -> Keyring:
    """What a transaction signs cursors with when there is no app."""
    raise RuntimeError("there is no app to sign cursors with")


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
            | asyncpg.CrashShutdownError()
            | asyncpg.InvalidAuthorizationSpecificationError()
            | asyncpg.InvalidCatalogNameError()
            | asyncpg.InterfaceError()
            | ConnectionError()
        ):
            return DatabaseError()
        case _:
            return None
