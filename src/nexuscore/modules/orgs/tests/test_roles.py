"""Roles: the four, the organisation's own, and what they hold; never more than whoever makes them."""

from typing import Any

import pytest

from nexuscore.kernel.testing import Client, House
from nexuscore.modules.identity.testing import Person, person
from nexuscore.modules.orgs.events import RoleChanged, RoleCreated, RoleDeleted
from nexuscore.modules.orgs.testing import Org, found

pytestmark = pytest.mark.anyio
INVITER = {"name": "Inviter", "permissions": ["members.read", "members.invite"]}


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


async def made(client: Client, acme: Org, role: dict[str, Any]) -> str:
    answer = await client.post(acme.path("/roles"), role)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["custom_role_id"])


async def test_a_role_of_ones_own_holds_what_it_lists(house: House, acme: Org, ben: Person) -> None:
    await acme.joined(ben, "viewer")
    anna = acme.owner.client
    async with house.expect_events(RoleCreated) as facts:
        role = await made(anna, acme, INVITER)
    assert facts[0].body["permissions"] == ["members.invite", "members.read"]
    at = acme.path(f"/members/{ben.id}")
    assert (await anna.patch(at, {"custom_role_id": role})).json()["role"] == "custom"
    assert (await ben.client.get(acme.path("/invitations"))).status_code == 200
    assert (await ben.client.get(acme.path())).status_code == 403
    async with house.expect_events(RoleChanged):
        changed = await anna.patch(acme.path(f"/roles/{role}"), {"permissions": ["organisation.read"]})
    assert changed.json()["permissions"] == ["organisation.read"]
    assert (await ben.client.get(acme.path("/invitations"))).status_code == 403
    assert (await ben.client.get(acme.path())).status_code == 200


async def test_a_role_that_is_used_stays(house: House, acme: Org, ben: Person) -> None:
    await acme.joined(ben)
    anna = acme.owner.client
    role = await made(anna, acme, INVITER)
    path = acme.path(f"/roles/{role}")
    await anna.patch(acme.path(f"/members/{ben.id}"), {"custom_role_id": role})
    assert told(await anna.delete(path)) == (409, "role_in_use")
    await anna.patch(acme.path(f"/members/{ben.id}"), {"role": "viewer"})
    sent = await anna.post(acme.path("/invitations"), {"email": "x@example.com", "custom_role_id": role})
    assert told(await anna.delete(path)) == (409, "role_in_use")
    await anna.delete(acme.path(f"/invitations/{sent.json()['id']}"))
    async with house.expect_events(RoleDeleted):
        assert (await anna.delete(path)).status_code == 204
    assert (await anna.get(path)).status_code == 404


async def test_a_role_is_worth_no_more_than_whoever_makes_it(house: House, acme: Org, ben: Person) -> None:
    """Made or changed: the check is the same."""
    await acme.joined(ben, "admin")
    greedy = ["members.read", "organisation.delete"]
    assert told(await ben.client.post(acme.path("/roles"), {"name": "Greedy", "permissions": greedy})) == (
        403,
        "above_yourself",
    )
    role = acme.path(f"/roles/{await made(ben.client, acme, INVITER)}")
    assert told(await ben.client.patch(role, {"permissions": greedy})) == (403, "above_yourself")
    assert (await acme.owner.client.patch(role, {"permissions": greedy})).status_code == 200
    for attempt in (
        ben.client.patch(role, {"permissions": ["members.read"]}),
        ben.client.delete(role),
        ben.client.post(
            acme.path("/invitations"), {"email": "x@example.com", "custom_role_id": role.rpartition("/")[2]}
        ),
    ):
        assert told(await attempt) == (403, "above_yourself")


@pytest.mark.parametrize(
    ("role", "code"),
    [
        ({"name": "Owner", "permissions": []}, "reserved"),
        ({"name": "x", "permissions": ["no.such"]}, "unknown_permission"),
        ({"name": "x", "permissions": ["identity.users.read"]}, "unknown_permission"),
        ({"name": "", "permissions": []}, "string_too_short"),
        ({"name": "x" * 61, "permissions": []}, "string_too_long"),
    ],
)
async def test_a_role_that_makes_no_sense_is_refused(acme: Org, role: dict[str, Any], code: str) -> None:
    answer = await acme.owner.client.post(acme.path("/roles"), role)
    assert (answer.status_code, answer.json()["details"][0]["code"]) == (422, code)


async def test_names_are_unique_in_an_organisation(house: House, acme: Org, ben: Person) -> None:
    await made(acme.owner.client, acme, INVITER)
    assert (await acme.owner.client.post(acme.path("/roles"), INVITER)).status_code == 409
    other = await found(house, ben, "Other")
    await made(ben.client, other, INVITER)


async def test_another_organisations_role_is_no_role(house: House, acme: Org, ben: Person) -> None:
    other = await found(house, ben, "Other")
    theirs = await made(ben.client, other, INVITER)
    carl = await acme.joined(await person(house, "carl@example.com"))
    answer = await acme.owner.client.patch(acme.path(f"/members/{carl.id}"), {"custom_role_id": theirs})
    assert (answer.status_code, answer.json()["details"][0]["code"]) == (422, "unknown_role")
    with pytest.raises(Exception, match="fk_memberships_org_id_custom_role_id"):
        async with house.app.context(org=acme.id) as ctx:
            await ctx.db.raw("UPDATE memberships SET role = 'custom', custom_role_id = $1::text::uuid", theirs)


async def test_the_matrix_shows_every_role_and_permission_with_its_meaning(acme: Org) -> None:
    anna = acme.owner.client
    role = await made(anna, acme, INVITER)
    matrix = (await anna.get(acme.path("/permissions"))).json()
    assert [each["name"] for each in matrix["roles"]] == ["Owner", "Administrator", "Member", "Viewer", "Inviter"]
    cells = {each["name"]: each["held_by"] for each in matrix["permissions"]}
    assert cells["members.invite"] == ["owner", "admin", role]
    assert cells["organisation.delete"] == ["owner"]
    assert cells["organisation.read"] == ["owner", "admin", "member", "viewer"]
    assert (await anna.get(acme.path("/roles"))).json() == matrix["roles"]
    listed = (await anna.get("/organisations/permissions")).json()
    assert {each["name"] for each in listed} == set(cells)
    assert all(each["meaning"].endswith(".") and "owner" in each["roles"] for each in listed)
    assert not any(each["name"].startswith("identity.") for each in listed)


async def test_meanings_are_in_the_readers_language(house: House, acme: Org) -> None:
    pola = await acme.joined(await person(house, "pola@example.com", locale="pl"), "viewer")
    matrix = (await pola.client.get(acme.path("/permissions"))).json()
    assert matrix["roles"][0]["name"] == "Właściciel"
    meanings = {each["name"]: each["meaning"] for each in matrix["permissions"]}
    assert meanings["organisation.delete"] == "Usuwanie organizacji."
