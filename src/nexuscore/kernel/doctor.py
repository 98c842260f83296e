"""Is everything there that the app needs? What `nexus doctor` prints, and the console's page of it shows."""

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any, Literal

from nexuscore.kernel import migrate, process
from nexuscore.kernel.errors import NexusError
from nexuscore.kernel.migrate import connect
from nexuscore.kernel.tables import ACROSS_ROLE, APP_ROLE

if TYPE_CHECKING:
    from nexuscore.kernel.app import App

State = Literal["ok", "warn", "fail"]
EXTENSIONS = ("pg_trgm", "vector")
OLDEST = 15


@dataclass(frozen=True, slots=True)
class Line:
    """One check: how it went, what it is about, and what to do when it is not well."""

    state: State
    name: str
    text: str


@dataclass(slots=True)
class Report:
    """What was found so far; `told` hears of each line as it comes."""

    told: Callable[[Line], object] = lambda line: None
    lines: list[Line] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether a check failed."""
        return any(line.state == "fail" for line in self.lines)

    def say(self, state: State, name: str, text: str) -> None:
        """Write one line down."""
        line = Line(state, name, text)
        self.lines.append(line)
        self.told(line)

    def judge(self, good: bool, name: str, fine: str, remedy: str) -> None:
        """ok with `fine`, or fail with what to do."""
        self.say("ok" if good else "fail", name, fine if good else remedy)


def check_python(report: Report) -> None:
    """The interpreter that runs this."""
    good = sys.version_info >= (3, 11)
    report.say("ok" if good else "fail", "python", f"{platform.python_version()}; 3.11 or newer is needed")


async def examine(report: Report, app: "App") -> None:
    """Everything about an app that could be composed. It opens connections of its own, one as the database's owner."""
    for warning in app.settings.warnings:
        report.say("warn", "settings", warning)
    _check_folder(report, Path(app.kernel.data).absolute())
    _check_secret(report, app)
    await _check_database(report, app)


def _check_folder(report: Report, data: Path) -> None:
    nearest = next(folder for folder in (data, *data.parents) if folder.exists())
    good = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    remedy = f"{nearest} cannot be written; change its owner, or choose another folder with --data or NEXUS_DATA"
    report.judge(good, "data folder", str(data) if data.exists() else f"{data} (made on the first start)", remedy)


def _check_secret(report: Report, app: "App") -> None:
    kept = Path(app.kernel.data) / "secret_key"
    given = app.kernel.secret_key
    if given is not None:
        good = len(given.get_secret_value()) >= 32
        text = "from NEXUS_SECRET_KEY" if good else "NEXUS_SECRET_KEY has less than 32 characters; make a longer one"
        report.say("ok" if good else "warn", "secret key", text)
    elif not kept.exists():
        report.say("ok", "secret key", f"made in {kept} when it is first needed")
    elif kept.stat().st_mode & 0o077:
        report.say("warn", "secret key", f"others can read {kept}; run chmod 600 {kept}")
    else:
        report.say("ok", "secret key", f"in {kept}")


async def _check_database(report: Report, app: "App") -> None:
    try:
        async with process.database(app.kernel, "nexus doctor") as urls:
            connection = await connect(urls.owner, ipv4=app.kernel.force_ipv4_db)
            try:
                report.say(
                    "ok", "database", "embedded, in the data folder" if urls.embedded else "DATABASE_URL answers"
                )
                await _check_server(report, connection)
                await _check_owner(report, connection)
                pending = [name for each in await migrate.status(app, urls.owner) for name in each.pending]
                if await _check_roles(report, connection, pending=bool(pending)):
                    await _check_login(report, app, urls.app)
            finally:
                await connection.close()
            await _check_tables(report, app, urls.owner, pending)
    except NexusError as error:
        report.say("fail", "database", str(error))


async def _check_server(report: Report, connection: Any) -> None:
    version = connection.get_server_version()
    remedy = f"{version.major} is too old; {OLDEST} or newer is needed"
    report.judge(version.major >= OLDEST, "postgresql", await connection.fetchval("SHOW server_version"), remedy)
    available = {row["name"] for row in await connection.fetch("SELECT name FROM pg_available_extensions")}
    for name in EXTENSIONS:
        package = "pgvector" if name == "vector" else "postgresql-contrib"
        remedy = f"not on the server; install {package} there, or ask your provider to allow it"
        report.judge(name in available, f"ext. {name}", "available", remedy)
    before = time()
    theirs = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
    ahead = theirs - (before + time()) / 2
    text = f"{abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    state: State = "ok" if abs(ahead) < 2 else "warn" if abs(ahead) < 30 else "fail"
    report.say(state, "clock", f"the database's is {text}" + ("" if state == "ok" else "; run NTP on both"))


async def _check_owner(report: Report, connection: Any) -> None:
    row = await connection.fetchrow(
        "SELECT current_user AS name, has_schema_privilege(current_user, 'public', 'CREATE') AS creates"
    )
    remedy = f'{row["name"]} may not create tables; GRANT CREATE ON SCHEMA public TO "{row["name"]}", as a superuser'
    report.judge(row["creates"], "owner", f"{row['name']} may create tables", remedy)


async def _check_roles(report: Report, connection: Any, *, pending: bool) -> bool:
    rows = await connection.fetch(
        "SELECT rolname, rolsuper, rolbypassrls, (SELECT count(*) FROM pg_class WHERE relowner = r.oid"
        " AND relkind IN ('r', 'p')) AS tables FROM pg_roles r WHERE rolname = ANY($1)",
        [APP_ROLE, ACROSS_ROLE],
    )
    found = {row["rolname"]: row for row in rows}
    missing = [name for name in (APP_ROLE, ACROSS_ROLE) if name not in found]
    if missing:
        may = await connection.fetchval("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
        made = "the first migration makes them; run `nexus migrate`" if pending else "somebody dropped them"
        by_hand = f"as a superuser: CREATE ROLE {APP_ROLE} LOGIN NOINHERIT; CREATE ROLE {ACROSS_ROLE} NOLOGIN"
        state: Literal["warn", "fail"] = "warn" if may and pending else "fail"
        report.say(state, "roles", f"{', '.join(missing)} missing; {made if may and pending else by_hand}")
        return False
    for name, row in found.items():
        faults = ["is a superuser"] * row["rolsuper"] + ["bypasses row-level security"] * row["rolbypassrls"]
        faults += [f"owns {row['tables']} tables"] * bool(row["tables"])
        remedy = (
            f"{' and '.join(faults)}; ALTER ROLE {name} NOSUPERUSER NOBYPASSRLS, and let another role own the tables"
        )
        report.judge(not faults, f"role {name}", "bound by row-level security", remedy)
    return True


async def _check_login(report: Report, app: "App", dsn: str) -> None:
    """The role DATABASE_URL signs in as: it must be able to become the app's role, and had better be no more."""
    connection = await connect(dsn, ipv4=app.kernel.force_ipv4_db)
    try:
        row = await connection.fetchrow(
            "SELECT session_user::text AS name, rolsuper OR rolbypassrls AS strong,"
            " pg_has_role(session_user, $1, 'MEMBER') AS member FROM pg_roles WHERE rolname = session_user",
            APP_ROLE,
        )
    finally:
        await connection.close()
    if row is None or not row["member"]:
        name = row["name"] if row else "?"
        report.say("fail", "login", f'{name} cannot become {APP_ROLE}; GRANT {APP_ROLE} TO "{name}"')
    elif row["strong"]:
        report.say(
            "warn",
            "login",
            f"DATABASE_URL signs in as {row['name']}, who could leave row-level security; use {APP_ROLE}",
        )
    else:
        report.say("ok", "login", f"{row['name']}, bound by row-level security")


async def _check_tables(report: Report, app: "App", dsn: str, pending: list[str]) -> None:
    if pending:
        report.say("warn", "migrations", f"to run: {', '.join(pending)}; `nexus serve` and `nexus migrate` run them")
        return
    report.say("ok", "migrations", "none to run")
    opened = await migrate.open_tables(app, dsn)
    report.judge(not opened, "tenants", "row-level security is forced on every tenant's table", "; ".join(opened))
    found = [line for line in await migrate.differences(app, dsn) if line not in opened]
    remedy = f"{len(found)} differences; `nexus migrate check` lists them"
    report.judge(not found, "models", "agree with the database", remedy)
