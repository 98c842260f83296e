"""Usage over HTTP: who sees what, who sets caps, who gives credits."""

from typing import Any
from uuid import uuid4

import pytest

from nexuscore.kernel.testing import House
from nexuscore.modules import usage
from nexuscore.modules.identity.testing import Person, person
from nexuscore.modules.orgs.testing import Org
from nexuscore.modules.usage.events import CapChanged, CreditsAdded, TermsChanged

pytestmark = pytest.mark.anyio


def key() -> dict[str, Any]:
    return {"headers": {"idempotency-key": uuid4().hex}}


async def test_from_a_grant_to_the_last_cent(house: House, acme: Org) -> None:
    root = await person(house, "root@example.com", platform_role="admin")
    anna = acme.owner.client
    given = {"organisation_id": str(acme.id), "amount_micro": 2_000_000, "reason": "welcome"}
    async with house.expect_events(CreditsAdded) as seen:
        assert (await root.client.post("/usage/grants", given, **key())).status_code == 201
    assert seen[0].org == acme.id
    async with house.expect_events(CapChanged):
        body = {"day_micro": 1_500_000, "month_micro": None}
        assert (await anna.put("/usage/caps", body, **key())).json() == {"user_id": None, **body}
    async with house.app.context(org=acme.id) as ctx:
        await usage.spend(ctx, reason="assistant.answer", units=9, cost_micro=400_000, user_id=acme.owner.id)
    told = (await anna.get("/usage")).json()
    assert (told["credits_micro"], told["free_micro"], told["currency"]) == (1_600_000, 1_600_000, "SGD")
    assert (told["rooms"][0]["left_micro"], told["rooms"][1]["left_micro"]) == (1_100_000, None)
    spent, granted = (await anna.get("/usage/entries")).json()["data"]
    assert (spent["kind"], spent["cost_micro"], spent["amount_micro"]) == ("spend", 400_000, -400_000)
    assert (granted["kind"], granted["amount_micro"]) == ("grant", 2_000_000)
    mine = (await anna.get("/usage/entries", params={"user_id": str(acme.owner.id)})).json()["data"]
    assert [entry["id"] for entry in mine] == [spent["id"]]
    assert [room["spent_micro"] for room in (await anna.get("/usage/mine")).json()["rooms"]] == [400_000] * 4


async def test_members_see_their_own_and_viewers_nothing(house: House, acme: Org) -> None:
    member = (await acme.joined(await person(house, "ben@example.com"), "member")).client
    viewer = (await acme.joined(await person(house, "eve@example.com"), "viewer")).client
    assert (await member.get("/usage/mine")).status_code == 200
    assert (await member.get("/usage")).status_code == 403
    assert (await viewer.get("/usage/mine")).status_code == 403
    assert (await member.put("/usage/caps", {"day_micro": None, "month_micro": None}, **key())).status_code == 403


async def test_only_the_platform_gives_credits_and_terms(house: House, acme: Org) -> None:
    body = {"organisation_id": str(acme.id), "amount_micro": 1, "reason": "me"}
    assert (await acme.owner.client.post("/usage/grants", body, **key())).status_code == 403
    root = await person(house, "root@example.com", platform_role="admin")
    nowhere = {**body, "organisation_id": str(uuid4())}
    assert (await root.client.post("/usage/grants", nowhere, **key())).status_code == 404
    async with house.expect_events(TermsChanged):
        terms = {"organisation_id": str(acme.id), "is_postpaid": True, "warn_below_micro": 5}
        assert (await root.client.put("/usage/terms", terms, **key())).json()["is_postpaid"] is True
        assert (await root.client.put("/usage/terms", terms, **key())).status_code == 200


async def test_an_amount_is_a_whole_number(house: House) -> None:
    root = await person(house, "root@example.com", platform_role="admin")
    for amount in (0, -1, 1.5, "1", 10**16):
        body = {"organisation_id": str(uuid4()), "amount_micro": amount, "reason": "x"}
        assert (await root.client.post("/usage/grants", body, **key())).status_code == 422, amount


async def test_money_needs_a_key_and_a_cap_a_member(house: House, acme: Org) -> None:
    anna = acme.owner.client
    body: dict[str, Any] = {"day_micro": 5, "month_micro": 5}
    assert (await anna.put("/usage/caps", body)).json()["error_code"] == "idempotency_key_required"
    stranger: Person = await person(house, "stranger@example.com")
    assert (await anna.put("/usage/caps", {**body, "user_id": str(stranger.id)}, **key())).status_code == 404
    assert (await anna.put("/usage/caps", {**body, "user_id": str(acme.owner.id)}, **key())).status_code == 200
    assert [cap["user_id"] for cap in (await anna.get("/usage/caps")).json()] == [str(acme.owner.id)]
