"""Ownership: offered by an owner, taken by a member, never by decree."""

from typing import Any

import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import House
from nexuscore.modules.identity.testing import Person, mails_to, person, sign_in, visitor
from nexuscore.modules.orgs.events import (
    MemberRoleChanged,
    OwnershipTransferAccepted,
    OwnershipTransferCancelled,
    OwnershipTransferDeclined,
    OwnershipTransferOffered,
)
from nexuscore.modules.orgs.testing import Org, found

pytestmark = pytest.mark.anyio


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


async def roles(acme: Org, person: Person) -> dict[str, str]:
    listed = (await person.client.get(acme.path("/members"))).json()["data"]
    return {member["email"].partition("@")[0]: member["role"] for member in listed}


async def test_ownership_changes_hands_when_the_other_side_accepts(house: House, acme: Org, ben: Person) -> None:
    await acme.joined(ben, "member")
    async with house.expect_events(OwnershipTransferOffered):
        offered = await acme.owner.client.post(acme.path("/transfer"), {"user_id": str(ben.id)})
    assert (offered.status_code, offered.json()["step_down"]) == (201, True)
    assert await roles(acme, ben) == {"anna": "owner", "ben": "member"}
    [mail] = await mails_to(house, "ben@example.com", "orgs.ownership")
    assert "Anna offers you the ownership of Acme Pte Ltd" in mail.text
    assert (await ben.client.get(acme.path("/transfer"))).json()["to_user_id"] == str(ben.id)
    async with house.expect_events(OwnershipTransferAccepted, MemberRoleChanged, MemberRoleChanged):
        assert (await ben.client.post(acme.path("/transfer/accept"))).status_code == 204
    assert await roles(acme, ben) == {"anna": "admin", "ben": "owner"}
    assert (await ben.client.delete(acme.path())).status_code == 204


async def test_an_owner_may_share_and_keep(acme: Org, ben: Person) -> None:
    await acme.joined(ben, "viewer")
    await acme.owner.client.post(acme.path("/transfer"), {"user_id": str(ben.id), "step_down": False})
    assert (await ben.client.post(acme.path("/transfer/accept"))).status_code == 204
    assert await roles(acme, ben) == {"anna": "owner", "ben": "owner"}


async def test_only_the_addressee_answers(house: House, acme: Org, ben: Person) -> None:
    await acme.joined(ben, "admin")
    carl = await acme.joined(await person(house, "carl@example.com"), "admin")
    await acme.owner.client.post(acme.path("/transfer"), {"user_id": str(ben.id)})
    for somebody in (carl, acme.owner):
        assert (await somebody.client.post(acme.path("/transfer/accept"))).status_code == 404
        assert (await somebody.client.post(acme.path("/transfer/decline"))).status_code == 404
    async with house.expect_events(OwnershipTransferDeclined):
        assert (await ben.client.post(acme.path("/transfer/decline"))).status_code == 204
    assert (await ben.client.post(acme.path("/transfer/accept"))).status_code == 404
    assert await roles(acme, ben) == {"anna": "owner", "ben": "admin", "carl": "admin"}


async def test_an_offer_is_one_at_a_time_and_can_be_taken_back(house: House, acme: Org, ben: Person) -> None:
    await acme.joined(ben, "admin")
    anna = acme.owner.client
    offer = {"user_id": str(ben.id)}
    assert (await anna.post(acme.path("/transfer"), offer)).status_code == 201
    assert told(await anna.post(acme.path("/transfer"), offer)) == (409, "transfer_pending")
    async with house.expect_events(OwnershipTransferCancelled):
        assert (await anna.delete(acme.path("/transfer"))).status_code == 204
    assert (await ben.client.post(acme.path("/transfer/accept"))).status_code == 404
    assert (await anna.post(acme.path("/transfer"), offer)).status_code == 201


async def test_ownership_is_offered_to_members_by_owners(house: House, acme: Org, ben: Person) -> None:
    stranger = await person(house, "carl@example.com")
    await acme.joined(ben, "admin")
    anna = acme.owner.client
    assert told(await anna.post(acme.path("/transfer"), {"user_id": str(stranger.id)})) == (422, "validation_failed")
    assert told(await anna.post(acme.path("/transfer"), {"user_id": str(acme.owner.id)})) == (422, "validation_failed")
    assert told(await ben.client.post(acme.path("/transfer"), {"user_id": str(ben.id)})) == (403, "permission_denied")
    await anna.patch(acme.path(f"/members/{ben.id}"), {"permissions": ["organisation.transfer"]})
    given = await ben.client.post(acme.path("/transfer"), {"user_id": str(ben.id)})
    assert told(given) == (403, "ownership_denied")


async def test_the_offer_of_somebody_who_is_no_owner_any_more_is_void(acme: Org, ben: Person) -> None:
    await acme.joined(ben, "owner")
    carl = await acme.joined(await person(acme.house, "carl@example.com"), "member")
    await ben.client.post(acme.path("/transfer"), {"user_id": str(carl.id)})
    await acme.owner.client.patch(acme.path(f"/members/{ben.id}"), {"role": "viewer"})
    assert told(await carl.client.post(acme.path("/transfer/accept"))) == (409, "transfer_void")


async def test_an_offer_expires(house: House, fake_clock: FakeClock) -> None:
    dora, emil = await person(house, "dora@example.com"), await person(house, "emil@example.com")
    acme = await found(house, dora)
    await acme.joined(emil, "admin")
    await dora.client.post(acme.path("/transfer"), {"user_id": str(emil.id)})
    fake_clock.advance(days=7, seconds=1)
    for somebody in (dora, emil):
        somebody.client = visitor(house)
        await sign_in(somebody.client, somebody.email)
    assert (await emil.client.post(acme.path("/transfer/accept"))).status_code == 404
    assert (await dora.client.post(acme.path("/transfer"), {"user_id": str(emil.id)})).status_code == 201


async def test_offering_takes_a_fresh_sign_in(house: House, fake_clock: FakeClock) -> None:
    dora, emil = await person(house, "dora@example.com"), await person(house, "emil@example.com")
    acme = await found(house, dora)
    await acme.joined(emil, "admin")
    fake_clock.advance(minutes=11)
    answer = await dora.client.post(acme.path("/transfer"), {"user_id": str(emil.id)})
    assert told(answer) == (401, "reauthentication_required")
