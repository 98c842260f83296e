"""Serve two operations that do the same, but for one fact, and both beside the audit: for the row about it."""

import os
import sys
from typing import Annotated
from uuid import UUID

import uvloop

from nexuscore.kernel import log, process
from nexuscore.kernel.app import compose
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.events import Event
from nexuscore.kernel.http import Routes, Schema, SignedIn
from nexuscore.kernel.module import Module
from nexuscore.modules.audit.module import module as audit

TABLE = "CREATE TABLE bench_things (id uuid NOT NULL, title text NOT NULL)"
WRITE = "INSERT INTO bench_things VALUES ($1, $2)"

routes = Routes("/bench", tag="Bench")
Anybody = Annotated[Ctx, SignedIn()]


class Done(Event, type="bench.done", subject="thing_id"):
    """Something was done to a thing."""

    thing_id: UUID
    title: str


class Thing(Schema):
    """What both answer."""

    id: UUID
    title: str


@routes.post("/silent", answer=Thing)
async def do_silently(ctx: Anybody, thing: Thing) -> Thing:
    """Write a thing down."""
    await ctx.db.raw(WRITE, thing.id, thing.title)
    return thing


@routes.post("/told", answer=Thing)
async def do_and_tell(ctx: Anybody, thing: Thing) -> Thing:
    """Write a thing down, and announce it."""
    await ctx.db.raw(WRITE, thing.id, thing.title)
    ctx.emit(Done(thing_id=thing.id, title=thing.title))
    return thing


module = Module(name="told", package=None, needs=("audit",), routes=(routes,), events=(Done,))
app = compose([audit, module])

if __name__ == "__main__":
    log.configure(level="info", format="json", stream=sys.stdout)
    listener = process.listen("127.0.0.1", int(os.environ["PORT"]))
    uvloop.run(process.serve(app, listener, workers=False, migrated=False))
