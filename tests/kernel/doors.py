"""A module of doors, one for each way an operation can say who may pass."""

from typing import Annotated

from nexuscore.kernel.access import Permission
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http import Can, Exchange, Public, Reply, Routes, SignedIn
from nexuscore.kernel.module import Module

OPEN = Permission("doors.open", "Open doors.", ("owner",))
routes = Routes("/doors", tag="Doors")


@routes.post("/raw")
async def open_raw(exchange: Annotated[Exchange, Can(OPEN)]) -> Reply:
    """A permission, and no transaction."""
    return Reply(body=b"{}")


@routes.post("/fresh")
async def open_fresh(exchange: Annotated[Exchange, SignedIn(fresh=True)]) -> Reply:
    """Who proved themselves a moment ago, and no transaction."""
    return Reply(body=b"{}")


@routes.post("/fresh-ctx")
async def open_fresh_ctx(ctx: Annotated[Ctx, Can(OPEN, fresh=True)]) -> Reply:
    """A permission and a fresh proof."""
    return Reply(body=b"{}")


@routes.post("/mine")
async def open_mine(ctx: Annotated[Ctx, SignedIn()]) -> Reply:
    """Anybody who says who they are."""
    return Reply(body=b"{}")


@routes.post("/all")
async def open_all(exchange: Annotated[Exchange, Public("a door for everybody")]) -> Reply:
    """Everybody."""
    return Reply(body=b"{}")


module = Module(name="doors", package=None, routes=(routes,), permissions=(OPEN,))
