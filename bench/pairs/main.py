"""Serve operations in pairs: one does what the other does, and one thing more."""

import os
import sys
from typing import Annotated
from uuid import UUID

import uvloop

from nexuscore.kernel import log, process
from nexuscore.kernel.access import Permission, can
from nexuscore.kernel.app import compose
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.events import Event
from nexuscore.kernel.http import Public, Routes, Schema, SignedIn
from nexuscore.kernel.module import Module
from nexuscore.modules.audit.module import module as audit
from nexuscore.modules.identity.module import module as identity
from nexuscore.modules.mail.module import module as mail
from nexuscore.modules.orgs.module import module as orgs

TABLE = "CREATE TABLE bench_things (id uuid NOT NULL, title text NOT NULL)"
WRITE = "INSERT INTO bench_things VALUES ($1, $2)"
CHECKS = 50

routes = Routes("/bench", tag="Bench")
Anybody = Annotated[Ctx, SignedIn()]
Stranger = Annotated[Ctx, Public("what everybody may do costs no proof of who they are")]
PERMISSIONS = tuple(
    Permission(f"bench.do_{number}", "Do one of the things of a bench.", roles=("owner",)) for number in range(CHECKS)
)


class Done(Event, type="bench.done", subject="thing_id"):
    """Something was done to a thing."""

    thing_id: UUID
    title: str


class Thing(Schema):
    """What all of them take and answer."""

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


@routes.post("/public", answer=Thing)
async def do_for_anybody(ctx: Stranger, thing: Thing) -> Thing:
    """Write a thing down, whoever asks."""
    await ctx.db.raw(WRITE, thing.id, thing.title)
    return thing


@routes.post("/checked", answer=Thing)
async def do_with_checks(ctx: Anybody, thing: Thing) -> Thing:
    """Write a thing down, after fifty permission checks."""
    if not all(can(ctx, permission.name) for permission in PERMISSIONS):
        raise RuntimeError("the owner may do all of it")
    await ctx.db.raw(WRITE, thing.id, thing.title)
    return thing


module = Module(
    name="bench",
    package=None,
    needs=("identity", "orgs", "audit"),
    routes=(routes,),
    events=(Done,),
    permissions=PERMISSIONS,
)
app = compose([mail, identity, orgs, audit, module])

if __name__ == "__main__":
    log.configure(level="info", format="json", stream=sys.stdout)
    listener = process.listen("127.0.0.1", int(os.environ["PORT"]))
    uvloop.run(process.serve(app, listener, workers=False, migrated=False))
