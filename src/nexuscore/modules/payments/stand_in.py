"""/dev/stripe: the stand-in for Stripe, for whoever develops. Not there in production.

It is somebody else's server to us, so nobody is known there: a session that a browser sends along is not read.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict

from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.http import Exchange, Public, Query, Reply, Routes
from nexuscore.modules.payments.fake.mounted import carry_soon, stand_in
from nexuscore.modules.payments.provider import is_pretended

PREFIX = "/dev/stripe"
routes = Routes(PREFIX, tag="Payments", outside_api=True)
Developer = Annotated[Exchange, Public("A stand-in for whoever develops; in production there is none.")]


class Anything(BaseModel):
    """Whatever Stripe takes in a query."""

    model_config = ConfigDict(extra="allow")


Sent = Annotated[Anything, Query()]


async def _answer(exchange: Exchange) -> Reply:
    """As Stripe answers."""
    app = exchange.app
    if not is_pretended(app):
        raise NotFoundError
    query = exchange.scope["query_string"].decode("latin-1")
    target = exchange.path.removeprefix(PREFIX) + (f"?{query}" if query else "")
    answer = stand_in(app).answer(exchange.method, target, exchange.headers, await exchange.body())
    carry_soon(app)
    reply = Reply(answer.status, answer.body, answer.media)
    for name, value in answer.headers.items():
        reply.header(name, value)
    return reply.header("cache-control", "no-store")


@routes.get("/v1/{thing}", unidentified=True)
async def stand_in_list(exchange: Developer, thing: str, query: Sent) -> Reply:
    """A list of Stripe's things."""
    return await _answer(exchange)


@routes.post("/v1/{thing}", unidentified=True)
async def stand_in_create(exchange: Developer, thing: str) -> Reply:
    """Make one."""
    return await _answer(exchange)


@routes.get("/v1/{thing}/{id}", unidentified=True)
async def stand_in_read(exchange: Developer, thing: str, id: str, query: Sent) -> Reply:
    """Look at one."""
    return await _answer(exchange)


@routes.post("/v1/{thing}/{id}", unidentified=True)
async def stand_in_change(exchange: Developer, thing: str, id: str) -> Reply:
    """Change one."""
    return await _answer(exchange)


@routes.get("/v1/{thing}/{id}/{of}", unidentified=True)
async def stand_in_list_of(exchange: Developer, thing: str, id: str, of: str, query: Sent) -> Reply:
    """What belongs to one."""
    return await _answer(exchange)


@routes.post("/v1/{thing}/{id}/{verb}", unidentified=True)
async def stand_in_act(exchange: Developer, thing: str, id: str, verb: str) -> Reply:
    """Do something with one."""
    return await _answer(exchange)


@routes.get("/pay/{id}", unidentified=True)
async def stand_in_page(exchange: Developer, id: str) -> Reply:
    """The page of the payer's bank, or of PayNow."""
    return await _answer(exchange)


@routes.post("/pay/{id}/{choice}", unidentified=True)
async def stand_in_choose(exchange: Developer, id: str, choice: str) -> Reply:
    """What the payer chose there."""
    return await _answer(exchange)
