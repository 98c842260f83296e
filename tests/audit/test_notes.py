"""A user's module has history, search, exports and tamper evidence without a line of its own about any of them."""

from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

import examples.notes
from nexuscore.kernel.testing import ALICE, BOB, Client, House
from nexuscore.modules.audit.testing import findings, seal

pytestmark = pytest.mark.anyio


async def test_what_happens_to_a_note_is_found_with_who_did_it(alice: Client) -> None:
    note = (await alice.post("/notes", {"title": "Milk"}, headers={"x-request-id": "kitchen-0001"})).json()
    await alice.patch(f"/notes/{note['id']}", {"title": "Oat milk"})
    await alice.delete(f"/notes/{note['id']}")
    found = (await alice.get("/events?type=note.created&text=milk")).json()["data"]
    assert [(fact["subject"], fact["actor_id"]) for fact in found] == [(note["id"], str(ALICE.id))]
    assert (found[0]["ip"], found[0]["request_id"]) == ("127.0.0.1", "kitchen-0001")
    history = (await alice.get(f"/events/subjects/{note['id']}")).json()["data"]
    assert [fact["type"] for fact in history] == ["note.deleted", "note.changed", "note.created"]


async def test_who_was_denied_is_found_too(alice: Client, bob: Client) -> None:
    note = (await alice.post("/notes", {"title": "Milk"})).json()
    assert (await bob.delete(f"/notes/{note['id']}")).status_code == 403
    (denied,) = (await alice.get("/events", params={"type": "access.denied", "actor": str(BOB.id)})).json()["data"]
    assert denied["data"] == {"operation": "delete_note", "permission": "notes.write", "id": note["id"]}


async def test_notes_are_exported_sealed_and_verified(committed_house: House) -> None:
    house = committed_house
    alice = house.client(ALICE)
    note = (await alice.post("/notes", {"title": "Milk"})).json()
    asked = (await alice.post("/events/exports", {"type": "note.*", "format": "csv"})).json()
    await house.drain()
    (part,) = (await alice.get(f"/events/exports/{asked['id']}")).json()["parts"]
    link = urlsplit(part["link"])
    assert note["id"] in (await house.client().get(f"{link.path}?{link.query}")).text
    await seal(house)
    assert await findings(house) == []
    owner = await asyncpg.connect(house.owner_dsn)
    try:
        await owner.execute("SET session_replication_role = replica")
        await owner.execute("UPDATE events SET actor_id = $1 WHERE type = 'note.created'", BOB.id)
    finally:
        await owner.close()
    (finding,) = await findings(house)
    assert (finding.kind, finding.type) == ("changed", "note.created")


def test_notes_do_not_know_of_it() -> None:
    folder = Path(examples.notes.__file__).parent
    assert not [path.name for path in folder.rglob("*.py") if "audit" in path.read_text()]
