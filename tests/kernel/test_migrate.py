"""Migrations: up, down and up again; models and database held against each other; open tables found."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from nexuscore.kernel import migrate
from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.testing import Databases, House

pytestmark = pytest.mark.anyio

_SHAPE = """
SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
WHERE table_schema = 'public' UNION ALL
SELECT c.relname, p.polname, pg_get_expr(p.polqual, p.polrelid), 'policy', NULL
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid UNION ALL
SELECT tablename, indexname, indexdef, 'index', NULL FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2, 3
"""


async def _sql(dsn: str, sql: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


async def test_up_down_and_up_again_leaves_the_same_shape(committed_house: House) -> None:
    house = committed_house
    before = await _sql(house.owner_dsn, _SHAPE)
    for state in reversed(await migrate.status(house.app, house.owner_dsn)):
        assert not state.pending
        assert await migrate.downgrade(house.app, house.owner_dsn, state.module)
    assert (
        await _sql(house.owner_dsn, "SELECT relname FROM pg_class WHERE relname IN ('notes', 'events', 'pgqueuer')")
        == []
    )
    states = await migrate.status(house.app, house.owner_dsn)
    assert all(state.current is None and state.pending for state in states)
    assert await migrate.upgrade(house.app, house.owner_dsn)
    assert await _sql(house.owner_dsn, _SHAPE) == before
    assert await migrate.upgrade(house.app, house.owner_dsn) == []


async def test_models_and_migrations_agree(committed_house: House) -> None:
    assert await migrate.differences(committed_house.app, committed_house.owner_dsn) == []


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ("ALTER TABLE notes DROP COLUMN words", "add_column('notes'"),
        ("ALTER TABLE notes ADD COLUMN colour text", "drop_column('notes', 'colour')"),
        ("ALTER TABLE notes ALTER COLUMN title TYPE varchar(9)", "alter_column('notes', 'title'"),
        ("DROP INDEX ix_notes_tags", "create_index('ix_notes_tags'"),
        ("ALTER TABLE notes NO FORCE ROW LEVEL SECURITY", "notes holds tenants' rows but is not closed"),
        ("DROP POLICY scoped ON notes", "notes holds tenants' rows but is not closed"),
    ],
)
async def test_drift_is_found_and_named(committed_house: House, change: str, finding: str) -> None:
    house = committed_house
    connection = await asyncpg.connect(house.owner_dsn)
    await connection.execute(change)
    await connection.close()
    assert any(finding in line for line in await migrate.differences(house.app, house.owner_dsn))


async def test_two_starts_at_once_migrate_once(databases: Databases, house: House) -> None:
    owner = await asyncpg.connect(databases.server.dsn("postgres"))
    await owner.execute("CREATE DATABASE race")
    try:
        dsn = databases.server.dsn("race")
        ran = await asyncio.gather(*(migrate.upgrade(house.app, dsn) for _ in range(4)))
        assert sorted(map(len, ran))[:3] == [0, 0, 0]
    finally:
        await owner.execute("DROP DATABASE race WITH (FORCE)")
        await owner.close()


async def test_an_unknown_module_or_revision_is_one_sentence(committed_house: House) -> None:
    house = committed_house
    with pytest.raises(ConfigurationError, match="no module 'nope' with migrations"):
        await migrate.downgrade(house.app, house.owner_dsn, "nope")
    with pytest.raises(ConfigurationError):
        await migrate.downgrade(house.app, house.owner_dsn, "notes", "notes_9999")


async def test_a_module_that_was_taken_out_of_the_app_does_no_harm(committed_house: House) -> None:
    house = committed_house
    await _sql(house.owner_dsn, "INSERT INTO nexus_migrations VALUES ('retired_0003')")
    assert await migrate.upgrade(house.app, house.owner_dsn) == []
    assert {state.module for state in await migrate.status(house.app, house.owner_dsn)} >= {"kernel", "notes"}


async def test_make_writes_a_migration_that_runs(
    committed_house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = committed_house
    notes = next(module for module in house.app.modules if module.name == "notes")
    await migrate.downgrade(house.app, house.owner_dsn, "notes")
    object.__setattr__(notes, "folder", tmp_path)
    path = await migrate.make(house.app, house.owner_dsn, "notes", "As the models are")
    text = path.read_text()
    assert path.name == "0001_as_the_models_are.py"
    assert 'org_owned("notes")' in text
    assert await migrate.upgrade(house.app, house.owner_dsn) == ["notes_0001"]
    assert await migrate.differences(house.app, house.owner_dsn) == []
