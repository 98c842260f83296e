"""Members: listed, given roles, removed, gone; never without an owner, never above oneself."""

from typing import Any

import pytest

from nexuscore.kernel.access import PermissionDenied
from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import House
from nexuscore.modules.identity.testing import Person, person
from nexuscore.modules.orgs.events import MemberLeft, MemberRemoved, MemberRoleChanged, OrganisationDeleted
from nexuscore.modules.orgs.testing import Org, found

pytestmark = pytest.mark.anyio


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


async def test_members_are_listed_with_their_names(acme: Org, ben: Person) -> None:
    await acme.joined(ben, "viewer")
    listed = (await ben.client.get(acme.path("/members?total=true"))).json()
    assert [(m["email"], m["name"], m["role"]) for m in listed["data"]] == [
        ("ben@example.com", "Ben", "viewer"),
        ("anna@example.com", "Anna", "owner"),
    ]
    assert listed["page"]["total"] == 2
    one = (await ben.client.get(acme.path(f"/members/{ben.id}"))).json()
    assert {**one, "created_at": None} == {**listed["data"][0], "created_at": None}


async def test_an_admin_changes_a_role_and_the_fact_tells_it(house: House, acme: Org, ben: Person) -> None:
    await acme.joined(ben, "viewer")
    path = acme.path(f"/members/{ben.id}")
    async with house.expect_events(MemberRoleChanged) as facts:
        changed = await acme.owner.client.patch(path, {"role": "member", "permissions": ["members.invite"]})
    assert (changed.json()["role"], changed.json()["permissions"]) == ("member", ["members.invite"])
    assert facts[0].body == {
        "user_id": str(ben.id),
        "before": "viewer",
        "after": "member",
        "custom_role_id": None,
        "permissions": ["members.invite"],
    }
    assert (await ben.client.get(acme.path("/invitations"))).status_code == 200
    await acme.owner.client.patch(path, {"permissions": []})
    assert (await ben.client.get(acme.path("/invitations"))).status_code == 403


async def test_nobody_raises_anybody_above_themselves(house: House, acme: Org, ben: Person) -> None:
    await acme.joined(ben, "admin")
    carl = await acme.joined(await person(house, "carl@example.com"), "member")
    at = acme.path(f"/members/{carl.id}")
    assert (await ben.client.patch(at, {"role": "admin"})).status_code == 200
    above = await ben.client.patch(at, {"permissions": ["organisation.delete"]})
    assert told(above) == (403, "above_yourself")
    assert above.json()["details"] == {"missing": ["organisation.delete"]}
    mine = await ben.client.patch(acme.path(f"/members/{ben.id}"), {"permissions": ["organisation.transfer"]})
    assert told(mine) == (403, "above_yourself")
    owner = acme.path(f"/members/{acme.owner.id}")
    assert told(await ben.client.patch(owner, {"role": "viewer"})) == (403, "above_yourself")
    assert told(await ben.client.delete(owner)) == (403, "above_yourself")
    assert told(await ben.client.patch(at, {"role": "owner"})) == (400, "ownership_needs_consent")


async def test_even_an_owner_makes_nobody_an_owner_by_decree(acme: Org, ben: Person) -> None:
    await acme.joined(ben, "admin")
    answer = await acme.owner.client.patch(acme.path(f"/members/{ben.id}"), {"role": "owner"})
    assert told(answer) == (400, "ownership_needs_consent")


async def test_a_member_manages_nobody(acme: Org, ben: Person) -> None:
    await acme.joined(ben, "member")
    denied = (403, "permission_denied")
    assert told(await ben.client.patch(acme.path(f"/members/{ben.id}"), {"role": "admin"})) == denied
    assert told(await ben.client.delete(acme.path(f"/members/{acme.owner.id}"))) == denied


@pytest.mark.parametrize(
    "change",
    [
        {"role": "boss"},
        {"permissions": ["no.such"]},
        {"permissions": ["identity.users.suspend"]},
        {"user_id": "01890000-0000-7000-8000-000000000001"},
        {"role": "admin", "custom_role_id": "01890000-0000-7000-8000-000000000001"},
        {"custom_role_id": "01890000-0000-7000-8000-000000000001"},
    ],
)
async def test_a_change_that_makes_no_sense_is_refused(acme: Org, ben: Person, change: dict[str, Any]) -> None:
    await acme.joined(ben)
    answer = await acme.owner.client.patch(acme.path(f"/members/{ben.id}"), change)
    assert told(answer) == (422, "validation_failed")


async def test_somebody_is_removed_and_locked_out_at_once(house: House, acme: Org, ben: Person) -> None:
    await acme.joined(ben, "member")
    assert (await ben.client.get(acme.path())).status_code == 200
    async with house.expect_events(MemberRemoved):
        assert (await acme.owner.client.delete(acme.path(f"/members/{ben.id}"))).status_code == 204
    async with house.expect_events(PermissionDenied):
        assert (await ben.client.get(acme.path())).status_code == 404
    assert (await acme.owner.client.delete(acme.path(f"/members/{ben.id}"))).status_code == 404


async def test_a_change_made_by_another_process_holds_within_five_seconds(house: House, fake_clock: FakeClock) -> None:
    """Another process cannot empty our memory; what we know of a member is 3 seconds old at most."""
    dora, emil = await person(house, "dora@example.com"), await person(house, "emil@example.com")
    acme = await found(house, dora)
    await acme.joined(emil, "admin")
    assert (await emil.client.get(acme.path("/invitations"))).status_code == 200
    async with house.app.context(org=acme.id) as ctx:
        await ctx.db.raw("UPDATE memberships SET role = 'viewer' WHERE user_id = $1", emil.id)
    assert (await emil.client.get(acme.path("/invitations"))).status_code == 200
    fake_clock.advance(seconds=3)
    assert (await emil.client.get(acme.path("/invitations"))).status_code == 403
    async with house.app.context(org=acme.id) as ctx:
        await ctx.db.raw("DELETE FROM memberships WHERE user_id = $1", emil.id)
    fake_clock.advance(seconds=3)
    assert (await emil.client.get(acme.path())).status_code == 404


async def test_a_suspended_person_is_out_everywhere(house: House, acme: Org, ben: Person) -> None:
    await acme.joined(ben, "admin")
    admin = await person(house, "root@example.com", platform_role="admin")
    assert (await ben.client.get(acme.path())).status_code == 200
    suspended = await admin.client.post(f"/users/{ben.id}/suspend", {"reason": "spam"})
    assert suspended.status_code == 200, suspended.text
    assert (await ben.client.get(acme.path())).status_code == 401


async def test_leaving_is_everybodys_right_but_the_last_owners(house: House, acme: Org, ben: Person) -> None:
    anna = acme.owner.client
    await acme.joined(ben, "viewer")
    assert told(await anna.post(acme.path("/leave"))) == (409, "last_owner")
    assert told(await anna.delete(acme.path(f"/members/{acme.owner.id}"))) == (409, "last_owner")
    assert told(await anna.patch(acme.path(f"/members/{acme.owner.id}"), {"role": "admin"})) == (409, "last_owner")
    async with house.expect_events(MemberLeft):
        assert (await ben.client.post(acme.path("/leave"))).status_code == 204
    assert (await ben.client.post(acme.path("/leave"))).status_code == 404
    assert (await anna.get(acme.path())).json()["member_count"] == 1


async def test_one_of_two_owners_may_go(acme: Org, ben: Person) -> None:
    await acme.joined(ben, "owner")
    assert (await acme.owner.client.post(acme.path("/leave"))).status_code == 204
    assert told(await ben.client.post(acme.path("/leave"))) == (409, "last_owner")
    assert (await ben.client.get(acme.path())).json()["owner_email"] == "ben@example.com"


async def test_closing_an_account_leaves_no_organisation_without_an_owner(house: House, acme: Org, ben: Person) -> None:
    """The last owner's heir is whoever has the highest role, then whoever has been there longest."""
    for name, role in (("carl", "viewer"), ("dora", "admin"), ("emil", "admin")):
        await acme.joined(await person(house, f"{name}@example.com"), role)
    await acme.joined(ben, "member")
    alone = await found(house, acme.owner, "Alone")
    assert (await acme.owner.client.delete("/me")).status_code == 204
    await house.drain()
    dora = await person(house, "zoe@example.com")
    await acme.joined(dora, "viewer")
    listed = (await dora.client.get(acme.path("/members"))).json()["data"]
    roles = {member["email"]: member["role"] for member in listed}
    assert roles == {
        "carl@example.com": "viewer",
        "dora@example.com": "owner",
        "emil@example.com": "admin",
        "ben@example.com": "member",
        "zoe@example.com": "viewer",
    }
    assert [fact.org for fact in await house.facts(OrganisationDeleted)] == [alone.id]
