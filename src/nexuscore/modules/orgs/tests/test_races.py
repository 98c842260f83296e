"""Many at once, on connections of their own: an owner stays, an invitation works once, names stay unique."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from nexuscore.kernel.testing import House
from nexuscore.modules.identity.testing import Person, account, person, sign_in, token_in, visitor
from nexuscore.modules.mail.testing import outbox
from nexuscore.modules.orgs.events import InvitationAccepted, MemberAdded, MemberLeft
from nexuscore.modules.orgs.testing import Org, found

pytestmark = pytest.mark.anyio


async def at_once(*calls: Any) -> Counter[tuple[int, str | None]]:
    """How often each status and error code came back."""
    answers = await asyncio.gather(*calls)
    return Counter(
        (answer.status_code, answer.json().get("error_code") if answer.content else None) for answer in answers
    )


async def owners(house: House, acme: Org) -> set[UUID]:
    async with house.app.context(org=acme.id) as ctx:
        return {row.user_id for row in await ctx.db.raw("SELECT user_id FROM memberships WHERE role = 'owner'")}


async def crowd(house: House, number: int) -> list[Person]:
    return [await person(house, f"owner{n}@example.com") for n in range(number)]


async def test_of_twenty_owners_who_leave_at_once_one_stays(committed_house: House) -> None:
    house = committed_house
    everybody = await crowd(house, 20)
    acme = await found(house, everybody[0])
    for other in everybody[1:]:
        await acme.joined(other, "owner")
    told = await at_once(*(somebody.client.post(acme.path("/leave")) for somebody in everybody))
    assert told == {(204, None): 19, (409, "last_owner"): 1}
    assert len(await owners(house, acme)) == 1
    assert len(await house.facts(MemberLeft)) == 19


async def test_of_owners_who_all_remove_the_next_one_stays(committed_house: House) -> None:
    house = committed_house
    everybody = await crowd(house, 20)
    acme = await found(house, everybody[0])
    for other in everybody[1:]:
        await acme.joined(other, "owner")
    nexts = [*everybody[1:], everybody[0]]
    told = await at_once(
        *(one.client.delete(acme.path(f"/members/{other.id}")) for one, other in zip(everybody, nexts, strict=True))
    )
    assert {status for status, _ in told} <= {204, 404, 409}
    assert len(await owners(house, acme)) >= 1


async def test_an_invitation_accepted_fifty_times_at_once_works_once(committed_house: House) -> None:
    house = committed_house
    anna = await person(house, "anna@example.com")
    acme = await found(house, anna)
    await account(house, "ben@example.com")
    sent = await anna.client.post(acme.path("/invitations"), {"email": "ben@example.com"})
    assert sent.status_code == 201
    token = token_in((await outbox(house))[-1])
    devices = [visitor(house) for _ in range(5)]
    for device in devices:
        await sign_in(device, "ben@example.com")
    told = await at_once(*(devices[n % 5].post("/invitations/accept", {"token": token}) for n in range(50)))
    assert told == {(200, None): 1, (409, "invitation_closed"): 49}
    assert len(await house.facts(InvitationAccepted)) == 1
    assert len(await house.facts(MemberAdded)) == 2


async def test_accepted_and_declined_at_once_is_one_of_the_two(committed_house: House) -> None:
    house = committed_house
    anna, ben = await person(house, "anna@example.com"), await person(house, "ben@example.com")
    acme = await found(house, anna)
    sent = (await anna.client.post(acme.path("/invitations"), {"email": "ben@example.com"})).json()["id"]
    told = await at_once(
        *(ben.client.post(f"/invitations/{sent}/{answer}") for answer in ("accept", "decline") * 5),
        anna.client.delete(acme.path(f"/invitations/{sent}")),
    )
    assert told.total() - told[(409, "invitation_closed")] == 1


async def test_an_ownership_accepted_many_times_at_once_changes_hands_once(committed_house: House) -> None:
    house = committed_house
    anna, ben = await person(house, "anna@example.com"), await person(house, "ben@example.com")
    acme = await found(house, anna)
    await acme.joined(ben)
    await anna.client.post(acme.path("/transfer"), {"user_id": str(ben.id)})
    told = await at_once(*(ben.client.post(acme.path("/transfer/accept")) for _ in range(10)))
    assert told == {(204, None): 1, (404, "not_found"): 9}
    assert await owners(house, acme) == {ben.id}


async def test_organisations_of_one_name_made_at_once_get_slugs_of_their_own(committed_house: House) -> None:
    house = committed_house
    anna = await person(house, "anna@example.com")
    answers = await asyncio.gather(*(anna.client.post("/organisations", {"name": "Acme"}) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert {answer.json()["slug"] for answer in answers} == {"acme", *(f"acme-{n}" for n in range(2, 21))}


async def test_a_uen_claimed_at_once_goes_to_one(committed_house: House) -> None:
    house = committed_house
    anna = await person(house, "anna@example.com")
    told = await at_once(
        *(anna.client.post("/organisations", {"name": f"Acme {n}", "uen": "197401143C"}) for n in range(10))
    )
    assert told == {(201, None): 1, (409, "duplicate_uen"): 9}
