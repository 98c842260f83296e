"""An app on the notes, and on a module that says which server answered."""

from collections.abc import AsyncIterator
from typing import Annotated

import pytest

from examples.notes.module import module as notes
from nexuscore.kernel.access import Permission
from nexuscore.kernel.app import App
from nexuscore.kernel.connections import Terms
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.database import Database
from nexuscore.kernel.http import Can, Routes, Schema
from nexuscore.kernel.module import Module
from nexuscore.kernel.testing import Databases, House
from nexuscore.modules.audit.module import module as audit

ASK = Permission("places.ask", "Ask which server answers.", roles=("viewer",))
routes = Routes("/places", tag="Places", about="Which server answers.")
Asks = Annotated[Ctx, Can(ASK)]


class Place(Schema):
    """The server that answered."""

    replica: bool
    notes: int


@routes.get("/far", answer=Place, replica=True)
async def read_far(ctx: Asks) -> Place:
    """A read that may lag."""
    return await _place(ctx)


@routes.get("/near", answer=Place)
async def read_near(ctx: Asks) -> Place:
    """A read that may not."""
    return await _place(ctx)


async def _place(ctx: Ctx) -> Place:
    [row] = await ctx.db.raw("SELECT pg_is_in_recovery() AS replica, (SELECT count(*) FROM notes) AS notes")
    return Place(replica=row.replica, notes=row.notes)


places = Module(name="places", package=None, needs=("notes",), routes=(routes,), permissions=(ASK,))


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [notes, places, audit]


@pytest.fixture
async def place(composed: App, databases: Databases, anyio_backend: str) -> AsyncIterator[str]:
    """A database of one's own; its name."""
    async with databases.copy(composed) as name:
        yield name


async def started(app: App, databases: Databases, name: str, dsn: str, terms: Terms) -> House:
    """The app, on that address and those terms."""
    house = House(app, dsn, databases.server.dsn(name))
    app.authenticator = house.personas
    await app.start(database=Database(dsn, terms))
    return house
