"""Organisations: made, read, changed, closed, brought back."""

from datetime import timedelta
from typing import Any

import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import Client, House
from nexuscore.modules.identity.testing import Person, mails_to, person
from nexuscore.modules.orgs.events import (
    MemberAdded,
    OrganisationChanged,
    OrganisationCreated,
    OrganisationDeleted,
    OrganisationRestored,
    OrganisationSwitched,
)
from nexuscore.modules.orgs.testing import Org, found

pytestmark = pytest.mark.anyio
FULL = {
    "name": "Acme Pte Ltd",
    "uen": "197401143c",
    "gst_registered": True,
    "gst_number": "M90312345X",
    "billing_email": "Bills@Example.com",
    "phone": "9123 4567",
    "address": {"line1": "1 Raffles Place", "postal_code": "048616"},
    "time_zone": "Asia/Singapore",
    "locale": "en-SG",
    "settings": {"invitations.days": 14},
}


def faults(answer: Any) -> set[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    return {(fault["field"], fault["code"]) for fault in answer.json()["details"]}


async def test_whoever_makes_an_organisation_owns_it(house: House, ben: Person) -> None:
    async with house.expect_events(OrganisationCreated, MemberAdded) as facts:
        answer = await ben.client.post("/organisations", FULL)
    assert answer.status_code == 201
    made = answer.json()
    assert {fact.org for fact in facts} == {facts[0].org}
    assert str(facts[0].org) == facts[0].subject == made["id"]
    assert made["slug"] == "acme-pte-ltd"
    assert made["uen"] == "197401143C"
    assert made["billing_email"] == "bills@example.com"
    assert made["phone"] == "+6591234567"
    assert made["address"]["country"] == "SG"
    assert (made["owner_email"], made["member_count"]) == ("ben@example.com", 1)
    assert (await ben.client.get(f"/organisations/{made['id']}")).json() == {**made, "days_left_in_trial": 13}
    mine = (await ben.client.get("/organisations")).json()["data"]
    assert [(each["slug"], each["role"]) for each in mine] == [("acme-pte-ltd", "owner")]


async def test_a_name_is_enough(house: House, ben: Person) -> None:
    made = (await ben.client.post("/organisations", {"name": "Ben's"})).json()
    assert made["billing_email"] == "ben@example.com"
    assert (made["gst_registered"], made["gst_number"], made["uen"]) == (False, None, None)
    assert (made["time_zone"], made["locale"]) == ("Asia/Singapore", "en-SG")


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"uen": "197401143D"}, ("uen", "invalid_uen")),
        ({"uen": ""}, ("uen", "invalid_uen")),
        ({"gst_number": ""}, ("gst_number", "invalid_gst_registration")),
        ({"gst_number": None}, ("gst_number", "invalid_gst_registration")),
        ({"gst_registered": False}, ("gst_number", "invalid_gst_registration")),
        ({"phone": "12345678"}, ("phone", "invalid_phone")),
        ({"billing_email": "nobody"}, ("billing_email", "email")),
        ({"name": "  "}, ("name", "string_too_short")),
        ({"name": "a\nb"}, ("name", "control_character")),
        ({"slug": "Acme"}, ("slug", "string_pattern_mismatch")),
        ({"time_zone": "Mars/Olympus"}, ("time_zone", "unknown_time_zone")),
        ({"time_zone": "../../etc/passwd"}, ("time_zone", "unknown_time_zone")),
        ({"locale": "xx-YY"}, ("locale", "unknown_locale")),
        ({"address": {"line1": "x", "postal_code": "1234"}}, ("address", "invalid_postal_code")),
        ({"settings": {"nobody.reads.this": 1}}, ("settings.nobody.reads.this", "unknown_setting")),
        ({"settings": {"invitations.days": 31}}, ("settings.invitations.days", "less_than_equal")),
        ({"trial_ends_at": "2099-01-01T00:00:00Z"}, ("trial_ends_at", "extra_forbidden")),
        ({"created_by": "01890000-0000-7000-8000-000000000001"}, ("created_by", "extra_forbidden")),
    ],
)
async def test_what_does_not_fit_is_refused_when_made_and_when_changed(
    ben: Person, acme: Org, changed: dict[str, Any], fault: tuple[str, str]
) -> None:
    assert fault in faults(await ben.client.post("/organisations", {**FULL, **changed}))
    sound = await acme.owner.client.patch(acme.path(), {"gst_registered": True, "gst_number": "M90312345X"})
    assert sound.status_code == 200
    assert fault in faults(await acme.owner.client.patch(acme.path(), changed))


async def test_gst_number_may_be_the_uen(ben: Person) -> None:
    answer = await ben.client.post("/organisations", {**FULL, "gst_number": "197401143C"})
    assert answer.json()["gst_number"] == "197401143C"


async def test_a_uen_belongs_to_one_organisation(house: House, acme: Org, ben: Person) -> None:
    assert (await acme.owner.client.patch(acme.path(), {"uen": "197401143C"})).status_code == 200
    other = await found(house, ben, "Other")
    for answer in (
        await ben.client.post("/organisations", FULL),
        await ben.client.patch(other.path(), {"uen": "197401143C"}),
    ):
        assert (answer.status_code, answer.json()["error_code"]) == (409, "duplicate_uen")


async def test_the_uen_of_a_deleted_organisation_is_free_and_then_keeps_it_deleted(
    house: House, acme: Org, ben: Person
) -> None:
    anna = acme.owner.client
    await anna.patch(acme.path(), {"uen": "197401143C"})
    await anna.delete(acme.path())
    assert (await ben.client.post("/organisations", FULL)).status_code == 201
    answer = await anna.post(f"/organisations/deleted/{acme.id}/restore")
    assert (answer.status_code, answer.json()["error_code"]) == (409, "duplicate_uen")


class TestWithUenRequired:
    @pytest.fixture
    def settings(self, settings: dict[str, str]) -> dict[str, str]:
        return {**settings, "NEXUS_ORGS_REQUIRE_UEN": "true"}

    async def test_a_uen_can_be_demanded(self, ben: Person) -> None:
        assert ("uen", "missing") in faults(await ben.client.post("/organisations", {"name": "Ben's"}))
        assert (await ben.client.post("/organisations", FULL)).status_code == 201


async def test_slugs_get_the_first_free_number(house: House, ben: Person) -> None:
    slugs = [(await ben.client.post("/organisations", {"name": "Çafé Ünlü!"})).json()["slug"] for _ in range(3)]
    assert slugs == ["cafe-unlu", "cafe-unlu-2", "cafe-unlu-3"]
    hebrew = (await ben.client.post("/organisations", {"name": "בית"})).json()["slug"]
    assert hebrew == "organisation"
    taken = await ben.client.post("/organisations", {"name": "x", "slug": "cafe-unlu-2"})
    assert (taken.status_code, taken.json()["error_code"]) == (409, "slug_taken")


async def test_a_former_slug_leads_to_the_present_one_and_is_never_given_away(
    house: House, acme: Org, ben: Person
) -> None:
    anna = acme.owner.client
    await anna.patch(acme.path(), {"slug": "globex"})
    await anna.patch(acme.path(), {"slug": "initech"})
    for former in ("acme-pte-ltd", "globex"):
        answer = await anna.get(f"/organisations/by-slug/{former}")
        assert answer.status_code == 308
        assert answer.headers["location"] == "/api/v1/organisations/by-slug/initech"
        assert (await anna.get(answer.headers["location"])).json()["id"] == str(acme.id)
    assert (await ben.client.get("/organisations/by-slug/initech")).status_code == 404
    assert (await ben.client.get("/organisations/by-slug/globex")).status_code == 404
    other = await found(house, ben, "Globex")
    assert (await ben.client.get(other.path())).json()["slug"] == "globex-2"
    assert (await ben.client.patch(other.path(), {"slug": "globex"})).json()["error_code"] == "slug_taken"
    back = await anna.patch(acme.path(), {"slug": "globex"})
    assert back.json()["slug"] == "globex"


async def test_slugs_cannot_be_hoarded(acme: Org) -> None:
    answers = [await acme.owner.client.patch(acme.path(), {"slug": f"s-{n}"}) for n in range(21)]
    assert [answer.status_code for answer in answers[:19]] == [200] * 19
    assert answers[20].json()["error_code"] == "limit_reached"
    assert answers[20].json()["details"] == {"what": "slugs", "limit": 20}


async def test_given_fields_change_and_the_fact_names_them(house: House, acme: Org) -> None:
    async with house.expect_events(OrganisationChanged) as facts:
        answer = await acme.owner.client.patch(
            acme.path(), {"phone": "+65 6123 4567", "address": None, "settings": {"invitations.days": 3}}
        )
    assert answer.json()["phone"] == "+6561234567"
    assert facts[0].body == {"organisation_id": str(acme.id), "fields": ["phone", "settings"]}
    async with house.expect_events():
        assert (await acme.owner.client.patch(acme.path(), {"name": "Acme Pte Ltd"})).status_code == 200
    reset = await acme.owner.client.patch(acme.path(), {"settings": {"invitations.days": None}, "phone": None})
    assert (reset.json()["settings"], reset.json()["phone"]) == ({}, None)
    assert ("name", "required") in faults(await acme.owner.client.patch(acme.path(), {"name": None}))


async def test_a_trial_counts_down_to_zero(house: House, fake_clock: FakeClock) -> None:
    dora = await person(house, "dora@example.com")
    made = (await dora.client.post("/organisations", {"name": "Dora's"})).json()
    path = f"/organisations/{made['id']}"
    assert (made["is_in_trial"], made["days_left_in_trial"]) == (True, 14)
    fake_clock.advance(minutes=5)
    assert (await dora.client.get(path)).json()["days_left_in_trial"] == 13
    async with house.app.context(across=True) as ctx:
        await ctx.db.raw("UPDATE organisations SET trial_ends_at = $1", fake_clock.now() - timedelta(minutes=1))
    over = (await dora.client.get(path)).json()
    assert (over["is_in_trial"], over["days_left_in_trial"]) == (False, 0)


async def test_a_trial_cannot_end_before_it_began(house: House, acme: Org) -> None:
    with pytest.raises(Exception, match="ck_organisations_trial"):
        async with house.app.context(across=True) as ctx:
            await ctx.db.raw("UPDATE organisations SET trial_ends_at = created_at - interval '1 second'")


@pytest.mark.parametrize(("registered", "number"), [("true", "NULL"), ("false", "'M90312345X'"), ("true", "''")])
async def test_the_database_keeps_gst_flag_and_number_together(
    house: House, acme: Org, registered: str, number: str
) -> None:
    with pytest.raises(Exception, match="ck_organisations_gst"):
        async with house.app.context(across=True) as ctx:
            await ctx.db.raw(f"UPDATE organisations SET gst_registered = {registered}, gst_number = {number}")


async def test_a_deleted_organisation_locks_everybody_out_until_an_owner_brings_it_back(
    house: House, acme: Org, ben: Person
) -> None:
    anna = acme.owner.client
    await acme.joined(ben, "admin")
    assert (await ben.client.get(acme.path())).status_code == 200
    async with house.expect_events(OrganisationDeleted):
        assert (await anna.delete(acme.path())).status_code == 204
    del ben.client.http.headers["nexus-org"]
    for somebody in (anna, ben.client):
        assert (await somebody.get(acme.path())).status_code == 404
        assert (await somebody.get("/organisations")).json()["data"] == []
    assert [each["id"] for each in (await anna.get("/organisations/deleted")).json()] == [str(acme.id)]
    assert (await ben.client.get("/organisations/deleted")).json() == []
    assert (await ben.client.post(f"/organisations/deleted/{acme.id}/restore")).status_code == 404
    async with house.expect_events(OrganisationRestored):
        restored = await anna.post(f"/organisations/deleted/{acme.id}/restore")
    assert restored.json()["slug"] == "acme-pte-ltd"
    assert (await ben.client.get(acme.path())).status_code == 200
    [mail] = await mails_to(house, "anna@example.com", "orgs.deleted")
    assert "Anna deleted Acme Pte Ltd" in mail.text
    assert await mails_to(house, "ben@example.com", "orgs.deleted") == []


async def test_only_an_owner_deletes_and_only_after_proving_who_they_are(
    house: House, acme: Org, ben: Person, fake_clock: FakeClock
) -> None:
    await acme.joined(ben, "admin")
    assert (await ben.client.delete(acme.path())).json()["error_code"] == "permission_denied"
    fresh = await person(house, "dora@example.com")
    mine = await found(house, fresh, "Dora's")
    fake_clock.advance(minutes=11)
    answer = await fresh.client.delete(mine.path())
    assert (answer.status_code, answer.json()["error_code"]) == (401, "reauthentication_required")
    assert (await fresh.client.get(mine.path())).status_code == 200


async def test_a_session_switches_to_another_organisation(house: House, acme: Org, nobody: Client) -> None:
    anna = acme.owner.client
    second = (await anna.post("/organisations", {"name": "Second"})).json()["id"]
    async with house.expect_events(OrganisationSwitched):
        assert (await anna.post(f"/organisations/{second}/switch")).status_code == 204
    async with house.app.context() as ctx:
        [row] = await ctx.db.raw("SELECT org_id FROM sessions WHERE user_id = $1", acme.owner.id)
    assert str(row.org_id) == second
    assert (await nobody.post(f"/organisations/{second}/switch")).status_code == 401


async def test_the_path_names_the_organisation_whatever_the_header_says(house: House, acme: Org, ben: Person) -> None:
    other = await found(house, ben, "Other")
    await acme.joined(ben, "viewer")
    ben.client.http.headers["nexus-org"] = str(other.id)
    assert (await ben.client.get(acme.path())).json()["id"] == str(acme.id)
    assert (await ben.client.patch(acme.path(), {"name": "Mine now"})).status_code == 403
    assert (await ben.client.patch(other.path(), {"name": "Still mine"})).status_code == 200


async def test_the_database_shows_an_organisation_to_its_own_scope_alone(house: House, acme: Org, ben: Person) -> None:
    other = await found(house, ben, "Other")
    async with house.app.context(org=acme.id) as ctx:
        assert {row.id for row in await ctx.db.raw("SELECT id FROM organisations")} == {acme.id}
        assert {row.org_id for row in await ctx.db.raw("SELECT org_id FROM organisation_slugs")} == {acme.id}
        assert await ctx.db.raw("UPDATE organisations SET name = 'x' WHERE id = $1 RETURNING id", other.id) == []
    async with house.app.context() as ctx:
        assert await ctx.db.raw("SELECT id FROM organisations") == []
