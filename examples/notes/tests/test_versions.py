"""Version 2 of the API, in which a deletion answers what became of the note; version 1 answers as it always did."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import pytest

from examples.notes.events import NoteCreated, NoteDeleted
from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.http import Version
from nexuscore.kernel.testing import Client, House

pytestmark = pytest.mark.anyio


@pytest.fixture
def versions() -> Sequence[Version]:
    return (
        Version(1, date(2025, 11, 1), deprecated=date(2026, 6, 1), sunset=date(2027, 6, 1), changes="/changes/v2"),
        Version(2, date(2026, 6, 1)),
    )


async def test_both_versions_delete_a_note_each_in_its_way(house: House, alice: Client, fake_clock: FakeClock) -> None:
    for version in ("v1", "v2"):
        async with house.expect_events(NoteCreated, NoteDeleted):
            id = (await alice.http.post(f"/api/{version}/notes", json={"title": "Milk"})).json()["id"]
            deleted = await alice.http.delete(f"/api/{version}/notes/{id}")
        if version == "v1":
            assert (deleted.status_code, deleted.content) == (204, b"")
        else:
            note = deleted.json()
            assert (deleted.status_code, note["id"], note["title"]) == (200, id, "Milk")
            assert datetime.fromisoformat(note["removed_at"]) == fake_clock.now() + timedelta(days=30)
        assert (await alice.http.get(f"/api/{version}/notes/{id}")).status_code == 404


async def test_the_older_version_says_when_it_ends_and_ends_then(alice: Client, fake_clock: FakeClock) -> None:
    old, new = await alice.http.get("/api/v1/notes"), await alice.http.get("/api/v2/notes")
    assert (old.status_code, old.headers["deprecation"]) == (200, "@1780272000")
    assert old.headers["sunset"] == "Tue, 01 Jun 2027 00:00:00 GMT"
    assert '</changes/v2>; rel="deprecation"' in old.headers["link"]
    assert '</api/v2>; rel="successor-version"' in old.headers["link"]
    assert "deprecation" not in new.headers
    fake_clock.advance(days=365)
    gone = await alice.http.get("/api/v1/notes")
    assert (gone.status_code, gone.json()["error_code"]) == (410, "version_gone")
    assert "/api/v2" in gone.json()["detail"]
    assert (await alice.http.get("/api/v2/notes")).status_code == 200


async def test_each_version_has_its_own_document(alice: Client, fake_clock: FakeClock) -> None:
    listed = (await alice.get("/api/versions")).json()
    assert [(each["name"], each["state"], each["successor"]) for each in listed] == [
        ("v1", "deprecated", "v2"),
        ("v2", "current", None),
    ]
    one, two = [(await alice.http.get(each["openapi"])).json() for each in listed]
    assert one["paths"]["/api/v1/notes/{note_id}"]["delete"]["responses"].keys() >= {"204"}
    assert one["paths"]["/api/v1/notes/{note_id}"]["delete"]["deprecated"] is True
    assert two["paths"]["/api/v2/notes/{note_id}"]["delete"]["responses"]["200"]["content"]
    assert "deprecated" not in two["paths"]["/api/v2/notes/{note_id}"]["delete"]
    headers = one["components"]["headers"]
    old = await alice.http.get("/api/v1/notes")
    assert [headers[name]["example"] for name in ("Deprecation", "Sunset")] == [
        old.headers[name] for name in ("deprecation", "sunset")
    ]
    assert headers["Link"]["example"] in old.headers["link"]
    listed_notes = one["paths"]["/api/v1/notes"]["get"]["responses"]
    assert {"Deprecation", "Sunset", "Link", "ETag"} <= listed_notes["200"]["headers"].keys()
    for said in ("410", "default"):
        shared = one["components"]["responses"][listed_notes[said]["$ref"].rpartition("/")[2]]
        assert {"Deprecation", "Sunset", "Link"} <= shared["headers"].keys()
    assert "Deprecation" not in two["components"]["headers"]
    assert "410" not in two["paths"]["/api/v2/notes"]["get"]["responses"]
    assert (await alice.http.get("/api/openapi.json")).json() == two
    assert "docs.js" in (await alice.http.get(listed[0]["docs"])).text
    assert (await alice.http.get("/api/v1/docs/docs.js")).status_code == 200
    for nowhere in ("/api/v3/openapi.json", "/api/v3/docs", "/api/v0/openapi.json"):
        assert (await alice.http.get(nowhere)).status_code == 404
