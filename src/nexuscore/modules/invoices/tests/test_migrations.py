"""The migrations make what the models say, closed to other organisations, and can be undone."""

import pytest

from nexuscore.kernel import migrate
from nexuscore.kernel.testing import House
from nexuscore.modules.invoices.module import module

pytestmark = pytest.mark.anyio
_OPEN = (
    "SELECT c.relname FROM pg_class c WHERE c.relname = ANY($1) AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"
)


async def test_the_database_is_what_the_models_say(committed_house: House) -> None:
    house = committed_house
    assert await migrate.differences(house.app, house.owner_dsn) == []
    names = [table.__tablename__ for table in module.tables if table.__tablename__ != "invoice_counters"]
    async with house.app.context() as ctx:
        assert await ctx.db.raw(_OPEN, [*names, "journal_entries", "journal_postings"]) == []


async def test_the_modules_can_be_taken_back(committed_house: House) -> None:
    house = committed_house
    assert await migrate.downgrade(house.app, house.owner_dsn, "invoices") == [
        "invoices_0003",
        "invoices_0002",
        "invoices_0001",
    ]
    assert await migrate.downgrade(house.app, house.owner_dsn, "books") == ["books_0002", "books_0001"]
    assert await migrate.upgrade(house.app, house.owner_dsn) == [
        *("books_0001", "books_0002"),
        *("invoices_0001", "invoices_0002", "invoices_0003"),
    ]
