"""Invitations: mailed, looked at, accepted or declined; with an account, before there is one, and after too long."""

from typing import Any

import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import Client, House
from nexuscore.modules.identity.testing import PASSWORD, Person, mails_to, person, sign_in, token_in, visitor
from nexuscore.modules.orgs.events import (
    InvitationAccepted,
    InvitationDeclined,
    InvitationResent,
    InvitationRevoked,
    MemberAdded,
    MemberInvited,
)
from nexuscore.modules.orgs.testing import Org, found

pytestmark = pytest.mark.anyio


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


async def invited(acme: Org, email: str, **rest: Any) -> dict[str, Any]:
    """An open invitation, as it was answered."""
    answer = await acme.owner.client.post(acme.path("/invitations"), {"email": email, **rest})
    assert answer.status_code == 201, answer.text
    invitation: dict[str, Any] = answer.json()
    return invitation


async def secret(house: House, email: str) -> str:
    """The secret of the last invitation mailed to an address."""
    return token_in((await mails_to(house, email, "orgs.invitation"))[-1])


async def test_somebody_with_an_account_accepts_the_mail(house: House, acme: Org, ben: Person) -> None:
    async with house.expect_events(MemberInvited) as facts:
        invitation = await invited(acme, "Ben@Example.com", role="admin")
    assert invitation["email"] == "ben@example.com"
    assert "ben@example.com" not in str(facts[0].body)
    [mail] = await mails_to(house, "ben@example.com", "orgs.invitation")
    assert mail.subject == "Invitation to Acme Pte Ltd"
    assert "Anna invites you to work together in Acme Pte Ltd" in mail.text
    async with house.expect_events(InvitationAccepted, MemberAdded) as facts:
        answer = await ben.client.post("/invitations/accept", {"token": token_in(mail)})
    assert (answer.status_code, answer.json()["role"]) == (200, "admin")
    assert {fact.org for fact in facts} == {acme.id}
    assert (await ben.client.get("/organisations")).json()["data"][0]["role"] == "admin"
    assert (await ben.client.get(acme.path(f"/members/{ben.id}"))).json()["invited_by"] == str(acme.owner.id)
    again = await ben.client.post("/invitations/accept", {"token": token_in(mail)})
    assert told(again) == (409, "invitation_closed")
    assert again.json()["details"] == {"state": "accepted"}


async def test_a_newcomer_looks_registers_and_accepts(house: House, acme: Org, nobody: Client) -> None:
    await invited(acme, "carl@example.com")
    token = await secret(house, "carl@example.com")
    offer = (await nobody.post("/invitations/look", {"token": token})).json()
    assert (offer["organisation_name"], offer["email"]) == ("Acme Pte Ltd", "carl@example.com")
    assert (offer["role"], offer["role_name"], offer["invited_by_name"]) == ("member", "Member", "Anna")
    assert (await nobody.post("/invitations/accept", {"token": token})).status_code == 401
    carl = visitor(house)
    new = {"email": "Carl@example.com", "password": PASSWORD, "name": "Carl"}
    assert (await carl.post("/auth/register", new)).status_code == 202
    [mail] = await mails_to(house, "carl@example.com", "identity.verify")
    assert (await carl.post("/auth/verify-email", {"token": token_in(mail)})).status_code == 204
    await sign_in(carl, "carl@example.com")
    assert (await carl.get("/invitations")).json()[0]["organisation_id"] == str(acme.id)
    assert (await carl.post("/invitations/accept", {"token": token})).status_code == 200
    assert (await carl.get(acme.path())).json()["member_count"] == 2


async def test_open_invitations_to_a_verified_address_need_no_mail(house: House, acme: Org, ben: Person) -> None:
    invitation = await invited(acme, "ben@example.com")
    [offer] = (await ben.client.get("/invitations")).json()
    assert offer["id"] == invitation["id"]
    assert (await ben.client.post(f"/invitations/{offer['id']}/accept")).status_code == 200
    assert (await ben.client.get("/invitations")).json() == []


async def test_an_address_that_was_never_verified_accepts_nothing(house: House, acme: Org) -> None:
    """Whoever registers somebody else's address first gains nothing by it."""
    squatter = await person(house, "victim@example.com", email_verified_at=None)
    invitation = await invited(acme, "victim@example.com")
    token = await secret(house, "victim@example.com")
    assert told(await squatter.client.post("/invitations/accept", {"token": token})) == (403, "email_not_verified")
    assert (await squatter.client.post(f"/invitations/{invitation['id']}/accept")).status_code == 404
    assert (await squatter.client.get("/invitations")).json() == []


async def test_after_a_change_of_address_the_old_ones_invitation_is_not_mine(
    house: House, acme: Org, ben: Person
) -> None:
    await invited(acme, "ben@example.com")
    token = await secret(house, "ben@example.com")
    async with house.app.context() as ctx:
        await ctx.db.raw("UPDATE users SET email = 'new@example.com' WHERE id = $1", ben.id)
    assert told(await ben.client.post("/invitations/accept", {"token": token})) == (403, "not_addressee")


async def test_declining_takes_the_mail_alone(house: House, acme: Org, ben: Person, nobody: Client) -> None:
    await invited(acme, "ben@example.com")
    token = await secret(house, "ben@example.com")
    async with house.expect_events(InvitationDeclined):
        assert (await nobody.post("/invitations/decline", {"token": token})).status_code == 204
    assert told(await ben.client.post("/invitations/accept", {"token": token})) == (409, "invitation_closed")
    assert told(await nobody.post("/invitations/look", {"token": token})) == (409, "invitation_closed")
    second = await invited(acme, "ben@example.com")
    assert (await ben.client.post(f"/invitations/{second['id']}/decline")).status_code == 204


async def test_an_invitation_expires_after_seven_days(house: House, fake_clock: FakeClock) -> None:
    dora, emil = await person(house, "dora@example.com"), await person(house, "emil@example.com")
    acme = await found(house, dora)
    invitation = await invited(acme, "emil@example.com")
    token = await secret(house, "emil@example.com")
    fake_clock.advance(days=7)
    for somebody in (dora, emil):
        somebody.client = visitor(house)
        await sign_in(somebody.client, somebody.email)
    assert told(await emil.client.post("/invitations/accept", {"token": token})) == (400, "invitation_expired")
    assert (await emil.client.get("/invitations")).json() == []
    [listed] = (await dora.client.get(acme.path("/invitations"))).json()["data"]
    assert (listed["id"], listed["state"]) == (invitation["id"], "expired")
    assert (await dora.client.get(acme.path("/invitations?pending=true"))).json()["data"] == []
    assert (await dora.client.post(acme.path("/invitations"), {"email": "emil@example.com"})).status_code == 201


async def test_an_organisation_may_choose_up_to_thirty_days(house: House, fake_clock: FakeClock) -> None:
    dora = await person(house, "dora@example.com")
    acme = await found(house, dora, settings={"invitations.days": 30})
    assert (await invited(acme, "x@example.com"))["expires_at"] == "2026-12-20T12:00:00Z"
    await dora.client.patch(acme.path(), {"settings": {"invitations.days": None}})
    assert (await invited(acme, "y@example.com"))["expires_at"] == "2026-11-27T12:00:00Z"


async def test_sending_again_makes_a_new_link_and_kills_the_old_one(house: House, fake_clock: FakeClock) -> None:
    dora, emil = await person(house, "dora@example.com"), await person(house, "emil@example.com")
    acme = await found(house, dora)
    invitation = await invited(acme, "emil@example.com")
    old = await secret(house, "emil@example.com")
    path = acme.path(f"/invitations/{invitation['id']}/resend")
    soon = await dora.client.post(path)
    assert (told(soon), soon.headers["retry-after"]) == ((429, "resent_too_soon"), "60")
    fake_clock.advance(minutes=1)
    async with house.expect_events(InvitationResent):
        assert (await dora.client.post(path)).status_code == 200
    new = await secret(house, "emil@example.com")
    assert new != old
    assert (await emil.client.post("/invitations/accept", {"token": old})).status_code == 404
    assert (await emil.client.post("/invitations/accept", {"token": new})).status_code == 200
    fake_clock.advance(minutes=1)
    assert told(await dora.client.post(path)) == (409, "invitation_closed")


async def test_an_invitation_is_taken_back(house: House, acme: Org, ben: Person) -> None:
    invitation = await invited(acme, "ben@example.com")
    token = await secret(house, "ben@example.com")
    async with house.expect_events(InvitationRevoked):
        assert (await acme.owner.client.delete(acme.path(f"/invitations/{invitation['id']}"))).status_code == 204
    assert told(await ben.client.post("/invitations/accept", {"token": token})) == (409, "invitation_closed")
    again = await acme.owner.client.delete(acme.path(f"/invitations/{invitation['id']}"))
    assert told(again) == (409, "invitation_closed")


async def test_nobody_is_invited_twice_or_as_an_owner(acme: Org, ben: Person) -> None:
    anna = acme.owner.client
    await invited(acme, "x@example.com")
    assert told(await anna.post(acme.path("/invitations"), {"email": "X@example.com"})) == (409, "already_invited")
    assert told(await anna.post(acme.path("/invitations"), {"email": "anna@example.com"})) == (409, "already_member")
    owner = await anna.post(acme.path("/invitations"), {"email": "y@example.com", "role": "owner"})
    assert told(owner) == (422, "validation_failed")


async def test_known_and_unknown_addresses_are_answered_alike(acme: Org, ben: Person) -> None:
    known, unknown = await invited(acme, "ben@example.com"), await invited(acme, "nobody@example.com")
    varying = {"id", "email", "expires_at", "sent_at", "created_at"}
    assert {k: v for k, v in known.items() if k not in varying} == {
        k: v for k, v in unknown.items() if k not in varying
    }


async def test_an_invitation_is_worth_no_more_than_whoever_sent_it(house: House, acme: Org, ben: Person) -> None:
    """An admin who was removed left an invitation behind: it must not be a way back in."""
    await acme.joined(ben, "admin")
    sent = await ben.client.post(acme.path("/invitations"), {"email": "carl@example.com", "role": "admin"})
    assert sent.status_code == 201
    carl = await person(house, "carl@example.com")
    accept = f"/invitations/{sent.json()['id']}/accept"
    for change in ({"role": "member"}, {"permissions": ["members.invite"]}):
        await acme.owner.client.patch(acme.path(f"/members/{ben.id}"), change)
        assert told(await carl.client.post(accept)) == (400, "invitation_void")
    await acme.owner.client.delete(acme.path(f"/members/{ben.id}"))
    assert told(await carl.client.post(accept)) == (400, "invitation_void")
    await acme.joined(ben, "admin")
    async with house.app.context() as ctx:
        await ctx.db.raw("UPDATE users SET state = 'suspended' WHERE id = $1", ben.id)
    assert told(await carl.client.post(accept)) == (400, "invitation_void")
    async with house.app.context() as ctx:
        await ctx.db.raw("UPDATE users SET state = 'active' WHERE id = $1", ben.id)
    assert (await carl.client.post(accept)).json()["role"] == "admin"


async def test_an_invitation_to_a_deleted_organisation_leads_nowhere(house: House, acme: Org, ben: Person) -> None:
    invitation = await invited(acme, "ben@example.com")
    token = await secret(house, "ben@example.com")
    await acme.owner.client.delete(acme.path())
    assert (await ben.client.post("/invitations/accept", {"token": token})).status_code == 404
    assert (await ben.client.post(f"/invitations/{invitation['id']}/accept")).status_code == 404
    assert (await ben.client.get("/invitations")).json() == []


async def test_the_database_holds_no_secret_that_could_be_used(house: House, acme: Org, ben: Person) -> None:
    await invited(acme, "ben@example.com")
    async with house.app.context(across=True) as ctx:
        [row] = await ctx.db.raw("SELECT token_hash FROM invitations")
    token = await secret(house, "ben@example.com")
    dump = await house.dump()
    assert row.token_hash.hex() in dump
    assert token not in dump
    assert (await ben.client.post("/invitations/accept", {"token": row.token_hash.hex()})).status_code == 404


async def test_invitations_are_bounded(house: House, acme: Org) -> None:
    async with house.app.context(org=acme.id) as ctx:
        await ctx.db.raw(
            "INSERT INTO invitations (id, email, role, token_hash, expires_at, sent_at)"
            " SELECT gen_random_uuid(), n || '@example.com', 'viewer', int4send(n), now() + interval '1 day', now()"
            " FROM generate_series(1, 200) n"
        )
    answer = await acme.owner.client.post(acme.path("/invitations"), {"email": "one-more@example.com"})
    assert told(answer) == (400, "limit_reached")


async def test_the_mail_speaks_the_addressees_language(house: House, acme: Org) -> None:
    await person(house, "pola@example.com", locale="pl")
    await acme.owner.client.patch(acme.path(), {"locale": "he-IL"})
    await invited(acme, "pola@example.com")
    await invited(acme, "noa@example.com")
    [polish] = await mails_to(house, "pola@example.com")
    [hebrew] = await mails_to(house, "noa@example.com")
    assert "zaprasza" in polish.text
    assert 'dir="rtl"' in hebrew.html
