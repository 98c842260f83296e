"""Notes, from outside: what people see, and what others are told."""

import pytest

from examples.notes.events import NoteChanged, NoteCreated, NoteDeleted, NoteRestored
from nexuscore.kernel.testing import Client, House

pytestmark = pytest.mark.anyio
MILK = {"title": "Milk", "body": "two litres please", "tags": ["shop"]}


async def test_a_note_is_written_announced_and_its_words_counted(house: House, alice: Client) -> None:
    async with house.expect_events(NoteCreated) as facts:
        answer = await alice.post("/notes", MILK)
    assert answer.status_code == 201
    note = answer.json()
    assert facts[0].subject == note["id"]
    assert note["words"] is None
    await house.drain()
    assert (await alice.get(f"/notes/{note['id']}")).json()["words"] == 3


async def test_notes_are_listed_newest_first_and_by_tag(alice: Client) -> None:
    for title, tags in (("one", ["a"]), ("two", ["b"]), ("three", ["a", "b"])):
        await alice.post("/notes", {"title": title, "tags": tags})
    listed = (await alice.get("/notes?total=true")).json()
    assert [note["title"] for note in listed["data"]] == ["three", "two", "one"]
    assert listed["page"]["total"] == 3
    tagged = (await alice.get("/notes?tag=b")).json()
    assert [note["title"] for note in tagged["data"]] == ["three", "two"]


async def test_a_cursor_walks_the_whole_list(alice: Client) -> None:
    for number in range(7):
        await alice.post("/notes", {"title": str(number)})
    seen: list[str] = []
    path = "/notes?limit=3"
    while True:
        body = (await alice.get(path)).json()
        seen += [note["title"] for note in body["data"]]
        if not body["page"]["has_next"]:
            break
        path = f"/notes?limit=3&cursor={body['page']['next_cursor']}"
    assert seen == ["6", "5", "4", "3", "2", "1", "0"]


async def test_a_note_is_changed_deleted_and_restored(house: House, alice: Client) -> None:
    id = (await alice.post("/notes", MILK)).json()["id"]
    async with house.expect_events(NoteChanged, NoteDeleted, NoteRestored) as facts:
        changed = await alice.patch(f"/notes/{id}", {"title": "Oat milk"})
        deleted = await alice.delete(f"/notes/{id}")
        gone = await alice.get(f"/notes/{id}")
        listed = await alice.get("/notes")
        restored = await alice.post(f"/notes/{id}/restore")
    assert (changed.status_code, changed.json()["title"]) == (200, "Oat milk")
    assert (deleted.status_code, gone.status_code) == (204, 404)
    assert listed.json()["data"] == []
    assert restored.json()["title"] == "Oat milk"
    assert facts[0].body == {"note_id": id, "fields": ["title"]}


async def test_another_organisation_sees_nothing(alice: Client, charlie: Client) -> None:
    id = (await alice.post("/notes", MILK)).json()["id"]
    assert (await alice.get(f"/notes/{id}")).status_code == 200
    assert (await charlie.get(f"/notes/{id}")).status_code == 404
    assert (await charlie.patch(f"/notes/{id}", {"title": "mine"})).status_code == 404
    assert (await charlie.delete(f"/notes/{id}")).status_code == 404
    assert (await charlie.get("/notes")).json()["data"] == []


async def test_a_viewer_reads_and_does_not_write(alice: Client, bob: Client) -> None:
    id = (await alice.post("/notes", MILK)).json()["id"]
    assert (await bob.get(f"/notes/{id}")).status_code == 200
    denied = await bob.delete(f"/notes/{id}")
    assert (denied.status_code, denied.json()["error_code"]) == (403, "permission_denied")
