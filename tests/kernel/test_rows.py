"""Statements and rows: the tenant's scope, soft deletion, typed read-only rows, the compile cache."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.orm import aliased

from examples.notes.testing import Note
from nexuscore.kernel import sight, statements
from nexuscore.kernel.db import Scope, translated
from nexuscore.kernel.errors import ConflictError, DatabaseError, NotFoundError, ValidationError
from nexuscore.kernel.tables import (
    Table,
    hard_delete,
    is_org_owned,
    only_deleted,
    restore,
    soft_delete,
    with_deleted,
)
from nexuscore.kernel.testing import ALICE, CHARLIE, House

pytestmark = pytest.mark.anyio
_CREATE = insert(Note).returning(Note)
_ONE = select(Note).where(Note.id == bindparam("note_id"))
_TITLES = select(Note.title).order_by(Note.title)


async def write(house: House, *titles: str, who: Any = ALICE) -> list[UUID]:
    async with house.context(who) as ctx:
        return [(await ctx.db.one(_CREATE, title=title, body="")).id for title in titles]


async def titles(house: House, statement: Any = _TITLES, who: Any = ALICE) -> list[str]:
    async with house.context(who) as ctx:
        return [row.title for row in await ctx.db.all(statement)]


async def test_a_row_reads_like_its_model_and_cannot_be_written(house: House) -> None:
    (id,) = await write(house, "Milk")
    async with house.context(ALICE) as ctx:
        note = await ctx.db.one(_ONE, note_id=id)
    assert type(note).__name__ == "Row"
    assert (note.id, note.title, note.tags, note.org_id, note.is_deleted) == (id, "Milk", [], ALICE.org, False)
    with pytest.raises(AttributeError):
        note.title = "Oat"
    with pytest.raises(AttributeError, match="no column 'colour'"):
        getattr(note, "colour")  # noqa: B009 - no such attribute is typed


async def test_one_first_all_value_and_execute(house: House) -> None:
    ids = await write(house, "a", "b")
    tally, token = sight.begin()
    async with house.context(ALICE) as ctx:
        assert (await ctx.db.first(_ONE, note_id=uuid4())) is None
        with pytest.raises(NotFoundError):
            await ctx.db.one(_ONE, note_id=uuid4())
        assert await ctx.db.value(select(func.count()).select_from(Note)) == 2
        assert await ctx.db.execute(update(Note).where(Note.id == bindparam("i")), i=ids[0], title="c") == 1
        assert [n.title for n in await ctx.db.all(_TITLES)] == ["b", "c"]
        assert tally.queries == 5
        assert tally.query_seconds > 0
    sight.end(token)


# --- whose rows -----------------------------------------------------------------------------------


async def _fill(house: House, table: Any, org: UUID) -> None:
    """One row of `table` in `org`, made up column by column, as the owner with triggers and keys off."""
    made: dict[str, Callable[[], str]] = {
        "uuid": lambda: f"'{uuid4()}'", "text": lambda: f"'{uuid4().hex}'", "int8": lambda: "1",
        "bool": lambda: "false", "timestamptz": lambda: "now()", "jsonb": lambda: "'{}'",
        "bytea": lambda: f"'\\x{uuid4().hex}'",
        "_text": lambda: "'{}'", "numeric": lambda: "1", "inet": lambda: "'203.0.113.1'", "int4": lambda: "1",
        "interval": lambda: "'1 day'", "date": lambda: "'2026-11-20'",
    }  # fmt: skip
    owner = await asyncpg.connect(house.owner_dsn)
    try:
        columns = await owner.fetch(
            "SELECT column_name AS name, udt_name AS kind FROM information_schema.columns WHERE table_name = $1"
            " AND is_nullable = 'NO' AND (column_default IS NULL OR column_name = 'org_id') AND is_generated = 'NEVER'",
            table.name,
        )
        checks = await owner.fetch(
            "SELECT conname FROM pg_constraint WHERE conrelid = $1::regclass AND contype = 'c'", table.name
        )
        for check in checks:
            await owner.execute(f'ALTER TABLE "{table.name}" DROP CONSTRAINT "{check["conname"]}"')
        values = {c["name"]: f"'{org}'" if c["name"] == "org_id" else made[c["kind"]]() for c in columns}
        names = ", ".join(f'"{name}"' for name in values)
        await owner.execute("SET session_replication_role = replica")
        await owner.execute(f'INSERT INTO "{table.name}" ({names}) VALUES ({", ".join(values.values())})')
    finally:
        await owner.close()


async def test_no_scope_no_rows_on_every_tenant_table(committed_house: House) -> None:
    house = committed_house
    names = [t.__tablename__ for m in house.app.modules for t in m.tables]
    owned = [Table.metadata.tables[n] for n in names if is_org_owned(Table.metadata.tables[n])]
    assert "notes" in {table.name for table in owned}
    for table in owned:
        assert ALICE.org is not None
        await _fill(house, table, ALICE.org)
        seen = {}
        for who, scope in (
            ("own", Scope(ALICE.org)),
            ("none", Scope()),
            ("other", Scope(CHARLIE.org)),
            ("across", Scope(across=True)),
        ):
            async with house.app.database.transaction(scope) as db:
                seen[who] = (await db.raw(f'SELECT count(*) AS n FROM "{table.name}"'))[0].n
        assert seen == {"own": 1, "none": 0, "other": 0, "across": 1}, table.name


async def test_the_scope_ends_with_its_transaction(committed_house: House) -> None:
    house = committed_house
    await write(house, "Milk")
    for scope in (Scope(ALICE.org), Scope(across=True)):
        async with house.app.database.transaction(scope) as db:
            assert len(await db.raw("SELECT * FROM notes")) == 1
        for _ in range(5):
            async with house.app.database.transaction() as db:
                assert await db.raw("SELECT * FROM notes") == []


async def test_a_row_cannot_be_put_into_or_moved_to_another_organisation(house: House) -> None:
    (id,) = await write(house, "Milk")
    for statement, given in (
        (_CREATE, {"title": "theirs", "body": "", "org_id": CHARLIE.org}),
        (update(Note).where(Note.id == bindparam("i")).returning(Note), {"i": id, "org_id": CHARLIE.org}),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await _run(house, statement, given)


async def _run(house: House, statement: Any, given: dict[str, Any]) -> None:
    async with house.context(ALICE) as ctx:
        await ctx.db.one(statement, **given)


async def test_work_across_organisations_says_so(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    await write(house, "ours")
    await write(house, "theirs", who=CHARLIE)
    async with house.context(ALICE) as ctx:
        async with ctx.across_orgs("the yearly count") as everywhere:
            assert [n.title for n in await everywhere.db.all(_TITLES)] == ["ours", "theirs"]
        assert [n.title for n in await ctx.db.all(_TITLES)] == ["ours"]
    assert "the yearly count" in capsys.readouterr().out


async def test_the_role_of_the_app_is_closed(committed_house: House) -> None:
    async with committed_house.app.database.transaction() as db:
        (role,) = await db.raw(
            "SELECT rolsuper, rolbypassrls, (SELECT count(*) FROM pg_class WHERE relowner = r.oid) AS owned"
            " FROM pg_roles r WHERE rolname = current_user"
        )
    assert tuple(role) == (False, False, 0)


# --- soft deletion --------------------------------------------------------------------------------


async def test_deleted_rows_are_hidden_from_every_ordinary_statement(house: House) -> None:
    gone, _ = await write(house, "gone", "here")
    async with house.context(ALICE) as ctx:
        await ctx.db.execute(soft_delete(Note).where(Note.id == bindparam("i")), i=gone)
    other = aliased(Note)
    for statement in (
        _TITLES,
        select(Note.title).where(Note.id.in_(select(Note.id))),
        select(other.title),
        select(Note.title).join(other, other.id == Note.id),
        select(select(Note).subquery().c.title),
        _TITLES.union(select(Note.title).where(Note.title == "gone")),
    ):
        assert await titles(house, statement) == ["here"]
    async with house.context(ALICE) as ctx:
        assert await ctx.db.execute(update(Note), body="changed") == 1
    assert await titles(house, with_deleted(_TITLES)) == ["gone", "here"]
    assert await titles(house, only_deleted(_TITLES)) == ["gone"]


async def test_deleting_restoring_and_removing_in_bulk(house: House) -> None:
    await write(house, "a", "b", "c")
    async with house.context(ALICE) as ctx:
        assert await ctx.db.execute(soft_delete(Note).where(Note.title.in_(["a", "b"]))) == 2
        assert await ctx.db.execute(soft_delete(Note).where(Note.title == "a")) == 0
        assert await ctx.db.execute(restore(Note).where(Note.title.in_(["a", "c"]))) == 1
        assert await ctx.db.execute(hard_delete(Note).where(Note.title.in_(["b", "c"]))) == 2
    assert await titles(house, with_deleted(_TITLES)) == ["a"]


async def test_a_plain_delete_of_a_soft_deleted_model_is_refused(house: House) -> None:
    async with house.context(ALICE) as ctx:
        with pytest.raises(TypeError, match=r"soft_delete\(...\) or hard_delete\(...\)"):
            await ctx.db.execute(delete(Note))


# --- the compile cache ----------------------------------------------------------------------------


async def test_statements_made_per_call_keep_their_own_values(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await write(house, "a", "b")
    monkeypatch.setattr(statements, "_by_structure", OrderedDict())
    for title in ("a", "b", "a", "nobody"):
        found = await titles(house, select(Note.title).where(Note.title == title))
        assert found == [title][: title != "nobody"]
    assert len(statements._by_structure) == 1, "one structure, one compilation"
    for wanted in (["a"], ["a", "b"], [], ["b"]):
        assert await titles(house, _TITLES.where(Note.title.in_(wanted))) == wanted
    for limit in (1, 2):
        assert len(await titles(house, _TITLES.limit(limit))) == limit


async def test_a_missing_value_is_a_mistake_that_names_it(house: House) -> None:
    async with house.context(ALICE) as ctx:
        with pytest.raises(TypeError, match="needs a value for 'note_id'"):
            await ctx.db.first(_ONE)


async def test_two_tasks_never_share_a_transaction(committed_house: House) -> None:
    app = committed_house.app

    async def spot() -> int:
        async with app.database.transaction() as db:
            (row,) = await db.raw("SELECT pg_backend_pid() AS pid, pg_sleep(0.05)")
            return int(row.pid)

    pids = await asyncio.gather(*(spot() for _ in range(5)))
    assert len(set(pids)) == 5


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT 1 / 0", None),
        ("SELECT '\\x00'::bytea::text::int", ValidationError),
        ("INSERT INTO ticked VALUES ('a', now()), ('a', now())", ConflictError),
        ("INSERT INTO ticked VALUES ('a', NULL)", ValidationError),
        ("SET LOCAL statement_timeout = 10; SELECT pg_sleep(1)", DatabaseError),
        ("SET LOCAL lock_timeout = 10; LOCK TABLE nowhere", None),
    ],
)
async def test_what_the_driver_says_becomes_what_the_caller_is_told(house: House, sql: str, kind: type | None) -> None:
    async with house.app.database.transaction() as db:
        await db.connection.execute("SAVEPOINT try")
        with pytest.raises(asyncpg.PostgresError) as caught:
            await db.connection.execute(sql)
        await db.connection.execute("ROLLBACK TO try")
    told = translated(caught.value)
    assert (told is None) if kind is None else isinstance(told, kind)


async def test_json_made_per_call_keeps_its_own_values(house: House) -> None:
    await write(house, "a", "b")
    async with house.context(ALICE) as ctx:
        for title in ("a", "b", "nobody", "a"):
            body = await ctx.db.json(select(Note.title).where(Note.title == title))
            assert json.loads(body) == [{"title": title}][: title != "nobody"]
        assert json.loads(await ctx.db.json(_TITLES)) == [{"title": "a"}, {"title": "b"}]


async def test_a_swallowed_error_does_not_pass_for_a_commit(committed_house: House) -> None:
    """Seen red before COMMIT's own answer was read: the caller was told 201 and nothing was kept."""

    async def swallow() -> None:
        async with committed_house.context(ALICE) as ctx:
            await ctx.db.one(_CREATE, title="lost", body="")
            with suppress(asyncpg.PostgresError):
                await ctx.db.raw("SELECT nonsense")

    with pytest.raises(RuntimeError, match="swallowed"):
        await swallow()
    async with committed_house.context(ALICE) as ctx:
        await ctx.db.one(_CREATE, title="kept", body="")
        with suppress(asyncpg.PostgresError):
            async with ctx.db.savepoint():
                await ctx.db.raw("SELECT nonsense")
    assert await titles(committed_house) == ["kept"]


async def test_a_list_of_values_goes_with_values_given_by_name(house: House) -> None:
    await write(house, "a", "b", "c")
    async with house.context(ALICE) as ctx:
        some = update(Note).where(Note.title.in_(["a", "b"]), Note.body == bindparam("was"))
        assert await ctx.db.execute(some, was="", body="seen") == 2
        assert await ctx.db.execute(some, was="", body="again") == 0
        found = await ctx.db.all(_TITLES.where(Note.title.not_in(["a"]), Note.body == bindparam("is_")), is_="seen")
    assert [row.title for row in found] == ["b"]


async def test_a_partial_index_is_named_by_literals(house: House) -> None:
    """A parameter works until PostgreSQL makes one plan for every value; `tests/contracts` keeps them out."""
    async with house.app.context() as ctx:
        await ctx.db.raw("CREATE TEMP TABLE claims (place text, kind text)")
        await ctx.db.raw("CREATE UNIQUE INDEX ON claims (place) WHERE kind = 'period'")
        await ctx.db.raw("SET LOCAL plan_cache_mode = force_generic_plan")
        claim = "INSERT INTO claims VALUES ($1, 'period') ON CONFLICT (place) WHERE kind = {} DO NOTHING RETURNING 1"
        assert len(await ctx.db.raw(claim.format("'period'"), "a")) == 1
        assert await ctx.db.raw(claim.format("'period'"), "a") == []
        await ctx.db.raw("SAVEPOINT before")
        with pytest.raises(asyncpg.InvalidColumnReferenceError):
            await ctx.db.raw(claim.format("$2"), "b", "period")
        await ctx.db.raw("ROLLBACK TO before")
