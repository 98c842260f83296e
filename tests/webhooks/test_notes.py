"""A user's module is delivered, retried and catalogued without a line of its own about webhooks."""

from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

import examples.notes
from nexuscore.kernel.testing import ALICE, Client, House
from nexuscore.modules.webhooks.testing import Receiver, Say, hurry

pytestmark = pytest.mark.anyio


async def test_a_note_is_delivered_as_its_event_says(house: House, alice: Client, receiver: Receiver) -> None:
    endpoint = await alice.post("/webhooks/endpoints", {"url": receiver.url, "filters": ["note.*"]})
    receiver.say = lambda heard: Say(200 if len(receiver.heard) > 1 else 500)
    note = (await alice.post("/notes", {"title": "Milk", "body": "two litres"})).json()
    await house.drain()
    await hurry(house)
    first, second = receiver.heard
    assert first.id == second.id
    Webhook(endpoint.json()["secret"]).verify(second.body, second.headers)
    assert second.json["type"] == "note.created"
    assert second.json["org"] == str(ALICE.org)
    assert second.json["data"] == {"note_id": note["id"], "title": "Milk"}, "what the event says, not the note's body"


async def test_its_events_are_in_the_catalogue_with_their_schema(alice: Client) -> None:
    types = [each["type"] for each in (await alice.get("/webhooks/event-types")).json() if each["module"] == "notes"]
    assert types == ["note.changed", "note.created", "note.deleted", "note.restored"]
    preview = (await alice.get("/webhooks/event-types/note.created")).json()
    assert set(preview["schema"]["properties"]["data"]["properties"]) == {"note_id", "title"}


def test_notes_do_not_know_of_it() -> None:
    folder = Path(examples.notes.__file__).parent
    assert not [path.name for path in folder.rglob("*.py") if "webhook" in path.read_text()]
