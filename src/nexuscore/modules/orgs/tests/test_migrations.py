"""The migrations make what the models say, closed to other organisations, and can be undone."""

import pytest

from nexuscore.kernel import migrate
from nexuscore.kernel.testing import House
from nexuscore.modules.orgs.module import module

pytestmark = pytest.mark.anyio
_OPEN = (
    "SELECT c.relname FROM pg_class c WHERE c.relname = ANY($1)"
    " AND NOT (c.relrowsecurity AND c.relforcerowsecurity"
    " AND (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid) = 2)"
)


async def test_the_database_is_what_the_models_say(committed_house: House) -> None:
    house = committed_house
    found = await migrate.differences(house.app, house.owner_dsn)
    names = [table.__tablename__ for table in module.tables]
    assert [line for line in found if any(name in line for name in names)] == []


async def test_every_table_is_closed(house: House) -> None:
    names = [table.__tablename__ for table in module.tables]
    assert len(names) == 6
    async with house.app.context() as ctx:
        assert await ctx.db.raw(_OPEN, names) == []


async def test_the_module_can_be_taken_back(committed_house: House) -> None:
    house = committed_house
    assert await migrate.downgrade(house.app, house.owner_dsn, "orgs") == ["orgs_0001"]
    assert await migrate.upgrade(house.app, house.owner_dsn) == ["orgs_0001"]
