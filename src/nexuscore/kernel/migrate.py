"""The database's shape: one Alembic branch per module, run in the order modules need each other."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import asyncpg
from alembic import op
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.operations.ops import CreateTableOp, DowngradeOps, ModifyTableOps, UpgradeOps
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from nexuscore.kernel.connections import loop_for
from nexuscore.kernel.errors import ConfigurationError, DatabaseError
from nexuscore.kernel.tables import Table, is_org_owned, org_policies

if TYPE_CHECKING:
    from nexuscore.kernel.app import App
    from nexuscore.kernel.module import Module

R = TypeVar("R")
VERSIONS = "nexus_migrations"
_LOCK = 0x6E657875  # one migration at a time, whoever starts it
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class State:
    """Where one module's branch stands in the database."""

    module: str
    current: str | None
    head: str
    pending: tuple[str, ...]


def org_owned(table: str) -> None:
    """In a migration, after creating a table of `OrgOwned` rows: close it to other organisations."""
    for statement in org_policies(table):
        op.execute(statement)


async def upgrade(app: "App", dsn: str) -> list[str]:
    """Bring every module to its newest revision; the revisions that ran."""

    def run(connection: Connection) -> list[str]:
        ran: list[str] = []
        script = _script(app.modules)
        for module in _branches(app.modules):
            ran += _run(connection, script, partial(_up, script, module))
        return ran

    return await _locked(app, dsn, run)


async def downgrade(app: "App", dsn: str, module: str, revision: str = "base") -> list[str]:
    """Take one module back to `revision`, by default to nothing; the revisions that were undone."""
    if module not in {m.name for m in _branches(app.modules)}:
        raise ConfigurationError(f"There is no module {module!r} with migrations in this app.")
    if revision.isdigit():
        revision = f"{module}_{int(revision):04d}"

    def run(connection: Connection) -> list[str]:
        script: Any = _script(app.modules)
        target = revision if revision.startswith(f"{module}_") else f"{module}@{revision}"
        return _run(connection, script, lambda heads: script._downgrade_revs(target, heads))

    return await _locked(app, dsn, run)


async def status(app: "App", dsn: str) -> list[State]:
    """Where every module's branch stands."""

    def run(connection: Connection) -> list[State]:
        script = _script(app.modules)
        heads = _known(script, MigrationContext.configure(connection, opts=_OPTIONS))
        states = []
        for module in _branches(app.modules):
            revisions = [r for r in script.walk_revisions() if module.name in r.branch_labels]
            applied = {r.revision for head in heads for r in script.iterate_revisions(head, "base")}
            done = [r.revision for r in revisions if r.revision in applied]
            pending = tuple(r.revision for r in reversed(revisions) if r.revision not in applied)
            states.append(State(module.name, done[0] if done else None, revisions[0].revision, pending))
        return states

    return await _locked(app, dsn, run)


def lacking(app: "App", applied: Sequence[str]) -> list[str]:
    """What of the app's newest revisions a database lacks that says it has `applied`. One that is newer than the app
    lacks nothing: that is how a new version begins."""
    script = _script(app.modules)
    known = {revision.revision for revision in script.walk_revisions()}
    there = {r.revision for each in applied if each in known for r in script.iterate_revisions(each, "base")}
    newer = {each.rpartition("_")[0] for each in applied if each not in known}
    return [name for name in script.get_heads() if name not in there and name.rpartition("_")[0] not in newer]


async def differences(app: "App", dsn: str) -> list[str]:
    """Where models and database disagree, and tenant tables that are open; empty when all is well."""

    def run(connection: Connection) -> list[str]:
        steps = [" ".join(_code(UpgradeOps([step])).split()) for step in _steps(_difference(app, connection))]
        return steps + _open_tables(app, connection)

    return await _locked(app, dsn, run)


async def open_tables(app: "App", dsn: str) -> list[str]:
    """The tables of tenants' rows that row-level security does not close, each with what to do."""
    return await _locked(app, dsn, lambda connection: _open_tables(app, connection))


async def make(app: "App", dsn: str, module: str, message: str, *, empty: bool = False) -> Path:
    """Write the migration that brings the database to the module's models, or an `empty` one to fill by hand."""
    found = next((m for m in app.modules if m.name == module), None)
    if found is None or found.folder is None:
        raise ConfigurationError(f"There is no module {module!r} in this app.")
    pending = [name for each in await status(app, dsn) for name in each.pending]
    if pending:
        raise ConfigurationError(f"The database lacks migrations: {', '.join(pending)}. Run `nexus migrate` first.")
    own = {table.__tablename__ for table in found.tables}

    def run(connection: Connection) -> UpgradeOps:
        return _difference(app, connection, own)

    ops = UpgradeOps([]) if empty else await _locked(app, dsn, run)
    if not ops.ops and not empty:
        raise ConfigurationError(f"The tables of {module!r} are in the database as the models have them.")
    folder = found.folder / "migrations"
    folder.mkdir(exist_ok=True)
    number = len(list(folder.glob("[0-9]*.py"))) + 1
    slug = "_".join(re.findall(r"[a-z0-9]+", message.lower()))[:40].strip("_") or "change"
    path = folder / f"{number:04d}_{slug}.py"
    path.write_text(_render(ops, module, number, message))
    return path


def _render(ops: UpgradeOps, module: str, number: int, message: str) -> str:
    created = [each.table_name for each in ops.ops if isinstance(each, CreateTableOp)]
    owned = [name for name in created if is_org_owned(Table.metadata.tables[name])]
    up, down = _code(ops), _code(ops.reverse())
    closing = "".join(f'\n    org_owned("{name}")' for name in owned)
    imports = "\nfrom nexuscore.kernel.migrate import org_owned\n" if owned else ""
    previous = f'"{module}_{number - 1:04d}"' if number > 1 else "None"
    labels = "None" if number > 1 else f'("{module}",)'
    return (
        f'"""{_title(message)}"""\n\nimport sqlalchemy as sa\nfrom alembic import op\n'
        f"from sqlalchemy.dialects import postgresql\n{imports}\n"
        f'revision = "{module}_{number:04d}"\ndown_revision = {previous}\n'
        f"branch_labels = {labels}\ndepends_on = None\n\n\n"
        f"def upgrade() -> None:\n{up}{closing}\n\n\ndef downgrade() -> None:\n{down}\n"
    )


def _title(message: str) -> str:
    """A message as a docstring holds it, on one line."""
    return " ".join(message.replace("\\", "/").replace('"', "'").split())


def _steps(ops: UpgradeOps) -> list[Any]:
    """The single steps: Alembic groups those that change one table."""
    return [step for each in ops.ops for step in (each.ops if isinstance(each, ModifyTableOps) else [each])]


def _code(ops: UpgradeOps | DowngradeOps) -> str:
    """Alembic's rendering, less its comments, and with the types it forgets to qualify."""
    lines = render_python_code(ops).splitlines()
    kept = [line for line in lines if line.strip() and not line.strip().startswith("#")]
    return re.sub(r"(ARRAY\(|astext_type=)(\w+)\(", r"\1sa.\2(", "\n".join(kept)) or "    pass"


# --- Alembic, held by the few handles we need -----------------------------------------------------

_OPTIONS: dict[str, Any] = {"version_table": VERSIONS, "transaction_per_migration": True}


def _branches(modules: Iterable["Module"]) -> list["Module"]:
    return [module for module in modules if module.migrations and any(module.migrations.glob("*.py"))]


def _script(modules: Iterable["Module"]) -> ScriptDirectory:
    folders = [str(module.migrations) for module in _branches(modules)]
    script = ScriptDirectory(str(_HERE), version_locations=folders)
    try:
        labels = {label for r in script.walk_revisions() for label in r.branch_labels}
    except RevisionError as error:
        raise ConfigurationError(f"the migrations do not fit together: {error}") from error
    for module in _branches(modules):
        if module.name not in labels:
            raise ConfigurationError(
                f"the first migration of {module.name!r} must say branch_labels = ({module.name!r},)"
            )
    return script


def _known(script: ScriptDirectory, context: MigrationContext) -> tuple[str, ...]:
    """The database's heads, less those of modules that are no longer in the app."""
    known = {r.revision for r in script.walk_revisions()}
    return tuple(head for head in context.get_current_heads() if head in known)


def _up(script: Any, module: "Module", heads: tuple[str, ...]) -> Sequence[Any]:
    steps: Sequence[Any] = script._upgrade_revs(f"{module.name}@head", heads)
    return steps


def _run(
    connection: Connection,
    script: Any,
    steps: Callable[[tuple[str, ...]], Sequence[Any]],
) -> list[str]:
    ran: list[str] = []

    def plan(_: Any, context: MigrationContext) -> Sequence[Any]:
        planned = steps(_known(script, context))
        ran.extend(step.revision.revision for step in planned)
        return planned

    context = MigrationContext.configure(connection, opts={**_OPTIONS, "fn": plan, "script": script})
    try:
        with context.begin_transaction(), Operations.context(context):
            context.run_migrations()
    except (CommandError, RevisionError) as error:
        raise ConfigurationError(f"{str(error).rstrip('.')}. `nexus migrate status` lists the revisions.") from error
    except DBAPIError as error:
        failed = f"{ran[0]} could" if len(ran) == 1 else f"One of {', '.join(ran)} could"
        reason = str(error.orig).rpartition(">: ")[2]
        raise ConfigurationError(
            f"{failed} not be run and was rolled back: {reason}. Migrations run as the role of DATABASE_OWNER_URL."
        ) from error
    return ran


def _difference(app: "App", connection: Connection, only: set[str] | None = None) -> UpgradeOps:
    names = {t.__tablename__ for module in app.modules for t in module.tables}
    wanted = names if only is None else only

    def include(name: str | None, kind: str, parents: Any) -> bool:
        return kind != "table" or name in wanted

    def belongs(thing: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
        return kind != "table" or name in wanted

    context = MigrationContext.configure(
        connection,
        opts={
            **_OPTIONS,
            "target_metadata": Table.metadata,
            "include_name": include,
            "include_object": belongs,
            "compare_type": True,
        },
    )
    found = produce_migrations(context, Table.metadata).upgrade_ops
    return found if found is not None else UpgradeOps([])


def _open_tables(app: "App", connection: Connection) -> list[str]:
    closed = {
        row[0]
        for row in connection.execute(
            text(
                "SELECT c.relname FROM pg_class c WHERE c.relrowsecurity AND c.relforcerowsecurity"
                " AND (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid) >= 2"
            )
        )
    }
    owned = {
        t.__tablename__ for m in app.modules for t in m.tables if is_org_owned(Table.metadata.tables[t.__tablename__])
    }
    return [
        f"{name} holds tenants' rows but is not closed: call org_owned({name!r}) in its migration"
        for name in sorted(owned - closed)
    ]


async def connect(dsn: str, *, ipv4: bool = False) -> "asyncpg.Connection[Any]":
    """A connection as the owner, or one sentence that says why there is none."""
    try:
        return await asyncpg.connect(dsn, timeout=10, loop=loop_for(dsn, ipv4=ipv4))
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        place = urlsplit(dsn)
        where = (place.netloc.rpartition("@")[2] or "at its socket") + place.path
        raise DatabaseError(
            f"Cannot reach the database {where}: {str(error) or 'no answer within 10 seconds'}. Check DATABASE_URL."
        ) from error


async def _locked(app: "App", dsn: str, run: Callable[[Connection], R]) -> R:
    ipv4 = app.kernel.force_ipv4_db
    engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: connect(dsn, ipv4=ipv4))
    try:
        async with engine.connect() as connection:
            await connection.execute(text(f"SELECT pg_advisory_lock({_LOCK})"))
            await connection.commit()
            result = await connection.run_sync(run)
            await connection.commit()
            return result
    finally:
        await engine.dispose()
