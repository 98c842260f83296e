"""Whoever owns the database: triggers do not stop them."""

from typing import Any

import asyncpg

from nexuscore.kernel.testing import House


async def as_owner(house: House, sql: str, *arguments: Any, triggers: bool = False) -> list[Any]:
    """Run a statement as the superuser, by default with triggers switched off."""
    owner = await asyncpg.connect(house.owner_dsn)
    try:
        if not triggers:
            await owner.execute("SET session_replication_role = replica")
        return list(await owner.fetch(sql, *arguments))
    finally:
        await owner.close()
