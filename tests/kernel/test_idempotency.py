"""`Idempotency-Key`: one effect, one answer, whatever is repeated, raced or killed."""

import asyncio
import os
from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest

from examples.notes.events import NoteCreated
from nexuscore.kernel import clock
from nexuscore.kernel.testing import ALICE, Client, House, Persona

pytestmark = pytest.mark.anyio
MILK = {"title": "Milk", "body": "two litres", "tags": ["a", "b"]}
ROUNDS = int(os.environ.get("NEXUS_IDEMPOTENCY_ROUNDS", "10"))


async def test_the_same_request_gets_the_same_answer_and_has_one_effect(house: House, alice: Client) -> None:
    key = {"idempotency-key": uuid4().hex}
    async with house.expect_events(NoteCreated):
        first = await alice.post("/notes", MILK, headers=key)
        again = await alice.post("/notes", dict(reversed(MILK.items())), headers=key)
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert len((await alice.get("/notes")).json()["data"]) == 1


async def test_another_request_with_the_key_is_refused(house: House, alice: Client) -> None:
    key = {"idempotency-key": "k"}
    id = (await alice.post("/notes", MILK, headers=key)).json()["id"]
    other = await alice.post("/notes", {**MILK, "title": "Oat"}, headers=key)
    assert (other.status_code, other.json()["error_code"]) == (422, "idempotency_key_reused")
    assert (await alice.patch(f"/notes/{id}", {"title": "x"}, headers=key)).status_code == 200, "another operation"
    second = (await alice.post("/notes", MILK)).json()["id"]
    moved = await alice.patch(f"/notes/{second}", {"title": "x"}, headers=key)
    assert moved.json()["error_code"] == "idempotency_key_reused", "another row"


async def test_a_key_belongs_to_its_organisation_and_its_person(house: House, alice: Client, charlie: Client) -> None:
    key = {"idempotency-key": "k"}
    ours = (await alice.post("/notes", MILK, headers=key)).json()["id"]
    theirs = (await charlie.post("/notes", MILK, headers=key)).json()["id"]
    assert ours != theirs
    dave = Persona("dave", uuid4(), ALICE.org)
    house.personas.known["dave"] = dave
    colleague = await house.client(dave).post("/notes", MILK, headers=key)
    assert colleague.json()["error_code"] == "idempotency_key_reused"


async def test_a_delete_is_replayed_though_the_row_is_gone(alice: Client) -> None:
    id = (await alice.post("/notes", MILK)).json()["id"]
    key = {"idempotency-key": "bye"}
    answers = [await alice.delete(f"/notes/{id}", headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [204, 204]
    assert (await alice.delete(f"/notes/{id}")).status_code == 404


async def test_a_refused_request_is_not_remembered(house: House, alice: Client, bob: Client) -> None:
    key = {"idempotency-key": "k"}
    assert (await alice.post("/notes", {"title": ""}, headers=key)).status_code == 422
    assert (await alice.post("/notes", MILK, headers=key)).status_code == 201
    assert (await bob.post("/notes", MILK, headers=key)).status_code == 403, "a replay needs the permission too"


async def test_a_request_that_failed_may_be_tried_again(
    house: House, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError

    key = {"idempotency-key": "k"}
    with monkeypatch.context() as patch:
        patch.setattr("examples.notes.service.create", broken)
        assert (await alice.post("/notes", MILK, headers=key)).status_code == 500
    assert (await alice.post("/notes", MILK, headers=key)).status_code == 201


async def test_an_expired_key_is_new_again_and_swept(house: House, alice: Client) -> None:
    key = {"idempotency-key": "k"}
    first = (await alice.post("/notes", MILK, headers=key)).json()["id"]
    with clock.fake(clock.now() + timedelta(hours=25)):
        second = (await alice.post("/notes", MILK, headers=key)).json()["id"]
        assert first != second
        assert (await alice.post("/notes", MILK, headers=key)).json()["id"] == second
    with clock.fake(clock.now() + timedelta(hours=60)):
        async with house.context(ALICE) as ctx:
            await house.app.schedules["nexuscore.kernel.base.sweep"].run(ctx)
    async with house.app.database.transaction() as db:
        assert await db.raw("SELECT * FROM idempotency") == []


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "kлюч".encode().decode("latin-1")])
async def test_a_malformed_key_is_refused_by_name(alice: Client, key: str) -> None:
    answer = await alice.post("/notes", MILK, headers={"idempotency-key": key.encode("latin-1")})
    assert answer.status_code == 422
    assert answer.json()["details"][0]["field"] == "idempotency-key"


async def test_what_is_stored_shows_nothing(house: House, alice: Client) -> None:
    await alice.post("/notes", {"title": "canary-7f3a"}, headers={"idempotency-key": "k"})
    async with house.app.database.transaction() as db:
        (row,) = await db.raw("SELECT answer FROM idempotency")
    assert "canary-7f3a" not in row.answer


async def test_fifty_at_once_have_one_effect(committed_house: House) -> None:
    """Seen red with the advisory lock left out and the conflict clause made DO NOTHING."""
    house = committed_house
    alice = house.client(ALICE)
    for round in range(ROUNDS):
        key = {"idempotency-key": f"round-{round}"}
        answers = await asyncio.gather(*(alice.post("/notes", MILK, headers=key) for _ in range(50)))
        codes = Counter(answer.status_code for answer in answers)
        assert set(codes) <= {201, 409}, codes
        assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
        assert all(answer.headers["retry-after"] == "1" for answer in answers if answer.status_code == 409)
    async with house.context(ALICE) as ctx:
        assert (await ctx.db.raw("SELECT count(*) AS n FROM notes"))[0].n == ROUNDS
    assert len(await house.facts(NoteCreated)) == ROUNDS


async def test_a_key_held_by_a_dead_request_is_free_at_once(committed_house: House) -> None:
    """A request that dies takes its lock and its work with it."""
    house = committed_house
    begun = asyncio.Event()

    async def stuck(ctx: object, new: object) -> None:
        begun.set()
        await asyncio.sleep(60)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("examples.notes.service.create", stuck)
        key = {"idempotency-key": "k"}
        first = asyncio.create_task(house.client(ALICE).post("/notes", MILK, headers=key))
        await begun.wait()
        second = await house.client(ALICE).post("/notes", MILK, headers=key)
        assert (second.status_code, second.json()["error_code"]) == (409, "idempotency_conflict")
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
    assert (await house.client(ALICE).post("/notes", MILK, headers=key)).status_code == 201


async def test_every_operation_takes_a_key_or_says_why_not(house: House) -> None:
    for path, operations in house.app.openapi["paths"].items():
        for method, operation in operations.items():
            takes = any(p["name"] == "idempotency-key" for p in operation.get("parameters", []))
            excused = "x-public" in operation or "x-no-idempotency" in operation
            assert method == "get" or takes or excused, (method, path)
