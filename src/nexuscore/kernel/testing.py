"""For tests, ours and a user's: a composed app on a real database, and people to call it with.

Name this file in the top `conftest.py`, and say which modules are under test:

    pytest_plugins = ["nexuscore.kernel.testing"]

    @pytest.fixture(scope="session")
    def modules() -> list[Module]:
        return [notes]

    async def test_a_note_is_announced(house: House, alice: Client) -> None:
        async with house.expect_events(NoteCreated):
            await alice.post("/notes", {"title": "Milk"})

`house` rolls everything back after the test. `committed_house` has a database of its own, for tests
about commits, several connections, workers and crashes.
"""

import ast
import asyncio
import hashlib
import re
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest

from nexuscore.kernel import clock, migrate, postgres, queue
from nexuscore.kernel.access import EVERYTHING, Actor
from nexuscore.kernel.app import App, compose
from nexuscore.kernel.connections import Terms
from nexuscore.kernel.database import Database
from nexuscore.kernel.db import Connection, Db, Scope
from nexuscore.kernel.errors import AuthenticationError
from nexuscore.kernel.events import Event, Fact, fact
from nexuscore.kernel.http.auth import Authenticator, Identity
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.http.versions import Version
from nexuscore.kernel.module import Module
from nexuscore.kernel.settings import KernelSettings, Settings, load
from nexuscore.kernel.tables import APP_ROLE

ORG_A = UUID("0a000000-0000-7000-8000-00000000000a")
ORG_B = UUID("0b000000-0000-7000-8000-00000000000b")


@dataclass(frozen=True, slots=True)
class Persona:
    """Somebody in a test. `role` decides the permissions; None holds every one."""

    name: str
    id: UUID
    org: UUID | None
    role: str | None = None


ALICE = Persona("alice", UUID("a11ce000-0000-7000-8000-000000000001"), ORG_A)
BOB = Persona("bob", UUID("b0b00000-0000-7000-8000-000000000002"), ORG_A, "viewer")
CHARLIE = Persona("charlie", UUID("c4a12100-0000-7000-8000-000000000003"), ORG_B)


class Personas(Authenticator):
    """Signs in whoever a test names: the bearer token is the persona's name."""

    def __init__(self) -> None:
        self.known = {persona.name: persona for persona in (ALICE, BOB, CHARLIE)}

    async def identify(self, app: App, exchange: Exchange) -> Identity:
        """The persona of the token."""
        token = exchange.headers.get("authorization", "").removeprefix("Bearer ")
        if not token:
            return Identity()
        persona = self.known.get(token)
        if persona is None:
            raise AuthenticationError(code="invalid_token")
        return Identity(actor_of(persona, app, exchange.ip), persona.org)


def actor_of(persona: Persona, app: App, ip: str | None = None) -> Actor:
    """The persona as an actor, with the permissions its role holds at first."""
    held = {p.name for p in app.permissions.values() if persona.role in p.roles}
    permissions = frozenset({EVERYTHING}) if persona.role is None else frozenset(held)
    return Actor("user", persona.id, permissions, ip=ip)


class Client:
    """Somebody's HTTP client. Paths are under `/api/v1` unless they name another top folder."""

    def __init__(self, house: "House", token: str | None = None) -> None:
        self._house = house
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=house.app), base_url="http://testserver")
        if token is not None:
            self.http.headers["authorization"] = f"Bearer {token}"

    async def request(self, method: str, path: str, body: Any = None, **rest: Any) -> httpx2.Response:
        """Send it; with `house.jobs` inline, the jobs it queued have run when this returns."""
        top = path.strip("/").partition("/")[0]
        outside = top in {"api", "health", "metrics", "hooks", "console", "dev", ".well-known"}
        if body is not None:
            rest["json"] = body
        answer = await self.http.request(method, path if outside else f"/api/v1{path}", **rest)
        if self._house.jobs == "inline":
            await self._house.drain()
        return answer

    async def get(self, path: str, **rest: Any) -> httpx2.Response:
        return await self.request("GET", path, **rest)

    async def post(self, path: str, body: Any = None, **rest: Any) -> httpx2.Response:
        return await self.request("POST", path, body, **rest)

    async def patch(self, path: str, body: Any = None, **rest: Any) -> httpx2.Response:
        return await self.request("PATCH", path, body, **rest)

    async def put(self, path: str, body: Any = None, **rest: Any) -> httpx2.Response:
        return await self.request("PUT", path, body, **rest)

    async def delete(self, path: str, body: Any = None, **rest: Any) -> httpx2.Response:
        return await self.request("DELETE", path, body, **rest)


@dataclass(slots=True)
class House:
    """A started app in a test. `jobs` says whether requests wait for the jobs they queue."""

    app: App
    dsn: str
    owner_dsn: str
    jobs: Literal["manual", "inline"] = "manual"
    personas: Personas = field(default_factory=Personas)

    def client(self, who: Persona | str | None = None) -> Client:
        """A client for a persona, for the bearer of a token, or for nobody."""
        return Client(self, who.name if isinstance(who, Persona) else who)

    @asynccontextmanager
    async def context(self, who: Persona = ALICE, *, across: bool = False) -> AsyncIterator[Any]:
        """A context of `who`, in a transaction that commits when the block ends."""
        actor = actor_of(who, self.app)
        org = None if across else who.org
        async with self.app.context(org=org, actor=actor, across=across) as ctx:
            yield ctx

    async def drain(self) -> int:
        """Run every job that is due; how many there were."""
        return await queue.drain(self.app)

    async def facts(self, *types: type[Event]) -> list[Fact[Event]]:
        """The log so far, oldest first, of all organisations."""
        async with self.app.database.transaction(Scope(across=True)) as db:
            rows = await db.raw("SELECT * FROM events ORDER BY id")
        facts = [fact(row, self.app.event_types) for row in rows]  # type: ignore[arg-type]  # rows of events
        return [each for each in facts if not types or isinstance(each.data, types)]

    @asynccontextmanager
    async def expect_events(self, *types: type[Event]) -> AsyncIterator[list[Fact[Event]]]:
        """Exactly these facts, in this order, are logged inside the block; they are in the list after."""
        before = {each.id for each in await self.facts()}
        seen: list[Fact[Event]] = []
        yield seen
        seen += [each for each in await self.facts() if each.id not in before]
        assert [each.type for each in seen] == [each.type for each in types]

    async def dump(self) -> str:
        """Every row of every table as text, to look for what must not be there."""
        lines: list[str] = []
        async with self.app.database.transaction(Scope(across=True)) as db:
            tables = await db.raw(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
                " AND has_table_privilege(oid, 'SELECT') ORDER BY 1"
            )
            for table in tables:
                name = str(table.relname).replace('"', '""')
                rows = await db.raw(f'SELECT to_jsonb(t)::text AS line FROM "{name}" t')
                lines += [f"{table.relname} {row.line}" for row in rows]
        return "\n".join(lines)


def texts_of_pages(folder: Path) -> set[str]:
    """What a module's pages say. That all of it is translated is for tests/console; here it is not left over."""
    drawn = "".join(path.read_text(encoding="utf-8") for path in (folder / "templates").glob("*.html"))
    declared = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    said = re.findall(r'(?:title=|say=|translate\(ctx\.locale, )"(.+?)"', declared)
    return {*re.findall(r'_\("(.+?)"[,)]', drawn), *said}


def texts_of_code(folder: Path, places: Mapping[str, int]) -> set[str]:
    """What a module says to people in its code: messages of errors, arguments at these places of calls."""
    said: set[str] = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in places:
                given: list[ast.expr] = node.args[places[node.func.id] :][:1]
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "message":
                given = [node.value]
            else:
                continue
            said |= {each.value for each in given if isinstance(each, ast.Constant) and isinstance(each.value, str)}
    return said


def canary(kind: str) -> str:
    """A value that must not turn up where it does not belong: in the log, the database, an answer."""
    return f"canary-{kind}-{uuid4().hex}"


# --- databases ------------------------------------------------------------------------------------


class RolledBack(Database):
    """One connection and one transaction around the whole test; the app's transactions nest in it."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, Terms(statement_timeout_ms=10_000))
        self._dsn = dsn
        self._connection: Connection | None = None
        self._busy = asyncio.Lock()

    async def start(self) -> None:
        """Connect, and begin what will never commit."""
        self._connection = await self.connect()
        await self._connection.execute("BEGIN")

    async def stop(self) -> None:
        """Undo the test."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    @asynccontextmanager
    async def transaction(self, scope: Scope = Scope(), *, replica: bool = False) -> AsyncIterator[Db]:  # noqa: B008 - a frozen value
        """A savepoint in place of a transaction; what may be asked of a replica cannot write."""
        assert self._connection is not None
        connection = self._connection
        async with asyncio.timeout(10):
            await self._busy.acquire()
        try:
            begun = "; SET LOCAL transaction_read_only = on" if replica else ""
            await connection.execute(f"SAVEPOINT one; {scope.sql}{begun}")
            db = Db(connection, scope, self.keyring)
            try:
                yield db
            except BaseException:
                await connection.execute("ROLLBACK TO one; RELEASE one")
                raise
            await connection.execute("ROLLBACK TO one; RELEASE one" if replica else "RELEASE one")
            db.committed()
        finally:
            self._busy.release()

    def reading(self, scope: Scope) -> AbstractAsyncContextManager[Db]:
        """The same."""
        return self.transaction(scope)


class Databases:
    """The embedded server of a test run, and a migrated database per set of modules to copy from."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self.server = asyncio.run(postgres.start(data, owner="pytest", durable=False))
        self._templates: dict[str, str] = {}
        self._count = 0

    def stop(self) -> None:
        """Stop the server."""
        asyncio.run(self.server.stop())

    async def template(self, app: App) -> str:
        """A database with the migrations of `app`."""
        names = ",".join(module.name for module in app.modules)
        name = "template_" + hashlib.sha256(names.encode()).hexdigest()[:12]
        if name not in self._templates:
            await self._execute(f"CREATE DATABASE {name}")
            await migrate.upgrade(app, self.server.dsn(name))
            self._templates[name] = name
        return name

    async def shared(self, app: App) -> str:
        """A copy for all tests that roll back; the template itself must stay free to be copied."""
        template = await self.template(app)
        name = template.replace("template", "shared")
        if name not in self._templates:
            await self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
            self._templates[name] = name
        return name

    @asynccontextmanager
    async def copy(self, app: App) -> AsyncIterator[str]:
        """A database of one's own, dropped when the block ends; its name."""
        template = await self.template(app)
        self._count += 1
        name = f"test_{self._count}"
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        try:
            yield name
        finally:
            await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def _execute(self, sql: str) -> None:
        connection = await asyncpg.connect(self.server.dsn("postgres"))
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


# --- fixtures -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Everything runs on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """The embedded server of this run."""
    with tempfile.TemporaryDirectory(prefix="nexus-") as folder:
        found = Databases(Path(folder) / "data")
        try:
            yield found
        finally:
            found.stop()


@pytest.fixture(scope="session")
def modules() -> Sequence[Module]:
    """The modules under test; override it."""
    return ()


@pytest.fixture
def settings() -> dict[str, str]:
    """Settings of the app under test, as environment variables; override it."""
    return {}


@pytest.fixture
def versions() -> Sequence[Version]:
    """The versions of the app's API; override it."""
    return ()


@pytest.fixture
def composed(modules: Sequence[Module], settings: dict[str, str], versions: Sequence[Version], tmp_path: Path) -> App:
    """The app, not started."""
    environ = {"NEXUS_ENV": "test", "NEXUS_DATA": str(tmp_path), "NEXUS_LIMITS": "off", **settings}
    classes: list[type[Settings]] = [KernelSettings, *(cls for module in modules for cls in module.settings)]
    return compose(modules, settings=load(classes, environ=environ, env_file=None), versions=versions)


@pytest.fixture
async def house(composed: App, databases: Databases, anyio_backend: str) -> AsyncIterator[House]:
    """The app on a database that forgets the test."""
    name = await databases.shared(composed)
    dsn = databases.server.dsn(name, APP_ROLE)
    found = House(composed, dsn, databases.server.dsn(name))
    composed.authenticator = found.personas
    await composed.start(database=RolledBack(dsn))
    try:
        yield found
    finally:
        await composed.stop()


@pytest.fixture
async def committed_house(composed: App, databases: Databases, anyio_backend: str) -> AsyncIterator[House]:
    """The app on a database of its own, where commits are real."""
    async with databases.copy(composed) as name:
        dsn = databases.server.dsn(name, APP_ROLE)
        found = House(composed, dsn, databases.server.dsn(name))
        composed.authenticator = found.personas
        await composed.start(dsn)
        try:
            yield found
        finally:
            await composed.stop()


@pytest.fixture
def alice(house: House) -> Client:
    """Of organisation A, holding every permission."""
    return house.client(ALICE)


@pytest.fixture
def bob(house: House) -> Client:
    """Of organisation A too, a viewer."""
    return house.client(BOB)


@pytest.fixture
def charlie(house: House) -> Client:
    """Of organisation B, holding every permission there."""
    return house.client(CHARLIE)


@pytest.fixture
def nobody(house: House) -> Client:
    """Somebody who has not signed in."""
    return house.client()


@pytest.fixture
def fake_clock() -> Iterator[clock.FakeClock]:
    """A clock that stands still until it is told to move."""
    with clock.fake(datetime.fromisoformat("2026-11-20T12:00:00+00:00")) as moved:
        yield moved
