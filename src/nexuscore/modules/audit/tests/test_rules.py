"""What must hold for the module as a whole."""

from pathlib import Path

import asyncpg
import pytest

from nexuscore.kernel import migrate
from nexuscore.kernel.testing import ALICE, CHARLIE, House
from nexuscore.modules.audit.tests.owner import as_owner

pytestmark = pytest.mark.anyio
_SHAPE = """
SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT tablename, indexname, indexdef, 'index' FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT proname, pg_get_functiondef(oid), proacl::text, '' FROM pg_proc WHERE proname LIKE 'audit_%'
UNION ALL SELECT c.relname, t.tgname, c.relacl::text, 'trigger' FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
 WHERE c.relname LIKE 'audit_%' ORDER BY 1, 2, 3
"""


async def test_models_and_migrations_agree_up_down_and_up_again(committed_house: House) -> None:
    house = committed_house
    assert await migrate.differences(house.app, house.owner_dsn) == []
    before = [tuple(row) for row in await as_owner(house, _SHAPE)]
    await migrate.downgrade(house.app, house.owner_dsn, "audit")
    assert await as_owner(house, "SELECT FROM pg_class WHERE relname LIKE 'audit_%'") == []
    await migrate.upgrade(house.app, house.owner_dsn)
    assert [tuple(row) for row in await as_owner(house, _SHAPE)] == before


async def test_exports_of_another_organisation_are_invisible_to_every_statement(house: House) -> None:
    async with house.context(ALICE) as ctx:
        await ctx.db.raw(
            "INSERT INTO audit_exports (id, org_id, format, filters) VALUES (uuidv7(), $1, 'csv', '{}')", ALICE.org
        )
        assert len(await ctx.db.raw("SELECT * FROM audit_exports")) == 1
    async with house.context(CHARLIE) as ctx:
        assert await ctx.db.raw("SELECT * FROM audit_exports") == []
        assert await ctx.db.raw("UPDATE audit_exports SET state = 'ready' RETURNING id") == []
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with house.context(CHARLIE) as ctx:
            await ctx.db.raw(
                "INSERT INTO audit_exports (id, org_id, format, filters) VALUES (uuidv7(), $1, 'csv', '{}')", ALICE.org
            )


def test_the_page_about_audit_names_every_setting_and_command() -> None:
    page = (Path(__file__).parents[5] / "docs" / "audit.md").read_text(encoding="utf-8")
    for word in (
        *("NEXUS_AUDIT_FOLDER", "NEXUS_AUDIT_KEEP_DAYS", "NEXUS_AUDIT_FLOOR_DAYS", "NEXUS_AUDIT_ARCHIVE_AFTER_DAYS"),
        *("NEXUS_AUDIT_LINK_DAYS", "nexus audit verify", "nexus audit seal", "nexus audit search"),
        *("nexus audit retention", "audit.read", "audit.export", "audit.read_all", "Retention("),
    ):
        assert word in page, word
