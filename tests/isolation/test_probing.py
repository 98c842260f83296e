"""The probe itself, let loose on a module with one hole in every operation: it must find each of them."""

from typing import Annotated, Any
from uuid import UUID

import pytest
from sqlalchemy import bindparam, select

from examples.notes.module import module as notes
from examples.notes.testing import Note
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http import Can, Routes, Schema, SignedIn
from nexuscore.kernel.module import Module
from nexuscore.kernel.testing import Client, House
from nexuscore.modules.identity.module import module as identity
from nexuscore.modules.mail.module import module as mail
from nexuscore.modules.orgs.module import module as orgs
from tests.isolation.neighbours import Neighbours
from tests.isolation.operations import operations_of
from tests.isolation.probing import try_everybody, try_list

pytestmark = pytest.mark.anyio
routes = Routes("/leaks", tag="Leaks")
_ONE = select(Note).where(Note.id == bindparam("note"))
_ALL = select(Note.id)
Reader = Annotated[Ctx, Can("notes.read")]
Writer = Annotated[Ctx, Can("notes.write")]


class Which(Schema):
    """The id of a note, in a body."""

    note_id: UUID


class Leaked(Schema):
    """A note's id."""

    id: UUID


@routes.get("/{note_id}", answer=Leaked)
async def read_across(ctx: Reader, note_id: UUID) -> Any:
    """Looks in every organisation."""
    async with ctx.across_orgs("a hole") as everywhere:
        return await everywhere.db.one(_ONE, note=note_id)


@routes.post("/{note_id}", answer=Leaked)
async def touch_signed_in(ctx: Annotated[Ctx, SignedIn()], note_id: UUID) -> Any:
    """Asks for nothing but a sign-in, and looks everywhere."""
    async with ctx.across_orgs("a hole") as everywhere:
        return await everywhere.db.one(_ONE, note=note_id)


@routes.post("/in-body", answer=Leaked)
async def touch_by_body(ctx: Writer, which: Which) -> Any:
    """Checks what the path names, which is nothing, and believes the body."""
    async with ctx.across_orgs("a hole") as everywhere:
        return await everywhere.db.one(_ONE, note=which.note_id)


@routes.get("", answer=list[Leaked])
async def list_across(ctx: Reader) -> Any:
    """Lists everybody's."""
    async with ctx.across_orgs("a hole") as everywhere:
        return await everywhere.db.all(_ALL)


@routes.post("/harmless", answer=Leaked, status=201)
async def never_works(ctx: Writer, which: Which) -> Any:
    """Denies everybody, who may and who may not: a probe without a control would be content."""
    return await ctx.db.one(_ONE, note=UUID(int=0))


@routes.get("/kinds/{kind}", answer=dict[str, str])
async def read_kind(ctx: Reader, kind: str) -> dict[str, str]:
    """Sound: what the path names is nobody's."""
    return {"kind": kind}


leaky = Module(name="leaky", package=None, routes=(routes,))
MODULES = [mail, identity, orgs, notes, leaky]
HOUSE = operations_of(MODULES)


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return MODULES


async def _note(house: House, client: Client) -> tuple[dict[str, Any], Any]:
    return {"note_id": (await client.post("/notes", {"title": "x"})).json()["id"]}, None


async def _body(house: House, client: Client) -> tuple[dict[str, Any], Any]:
    return {}, (await _note(house, client))[0]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("read_across", "200 instead of (404,)"),
        ("touch_signed_in", "200 instead of (404,)"),
        ("touch_by_body", "200 instead of (400, 403, 404, 409, 422)"),
        ("never_works", "the control failed: 404"),
    ],
)
async def test_the_hole_is_found(neighbours: Neighbours, name: str, found: str) -> None:
    with pytest.raises(AssertionError) as raised:
        await try_everybody(neighbours, HOUSE.routes[name], _body if "body" in name or "never" in name else _note)
    assert found in str(raised.value)


async def test_what_belongs_to_nobody_is_for_all_who_may(neighbours: Neighbours) -> None:
    async def kind(house: House, client: Client) -> tuple[dict[str, Any], Any]:
        return {"kind": "note"}, None

    await try_everybody(neighbours, HOUSE.routes["read_kind"], kind)


async def test_a_list_of_everybodys_rows_is_found(neighbours: Neighbours) -> None:
    maker = HOUSE.probe("create_note")
    assert maker is not None
    await try_list(neighbours, HOUSE.routes["list_notes"], HOUSE.routes["create_note"], maker)
    with pytest.raises(AssertionError, match="the other organisation lists it"):
        await try_list(neighbours, HOUSE.routes["list_across"], HOUSE.routes["create_note"], maker)


def test_an_operation_without_a_fixture_says_what_to_add() -> None:
    assert HOUSE.missing("read_across") == (
        "read_across takes parameters or a body, and nothing makes them: add 'read_across' to PROBES in"
        " tests.isolation.testing, as tests/isolation/operations.py shows"
    )
    assert HOUSE.missing("list_across") is None
    assert HOUSE.missing("read_note") is None
