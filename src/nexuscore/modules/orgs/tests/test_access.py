"""Who may do what: one decision everywhere, and the reasons for it."""

from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings, strategies as st

from nexuscore.kernel.access import Actor
from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.testing import House
from nexuscore.modules import identity, orgs
from nexuscore.modules.identity.testing import Person, person
from nexuscore.modules.orgs import access, answers, invitations, organisations, rules, transfers
from nexuscore.modules.orgs.decisions import can_explain, explain
from nexuscore.modules.orgs.errors import AboveYourself, PeopleOnly
from nexuscore.modules.orgs.memberships import StoredMemberships
from nexuscore.modules.orgs.schemas import NewInvitation, NewOrganisation, NewTransfer
from nexuscore.modules.orgs.tables import ROLES
from nexuscore.modules.orgs.testing import Org, found

pytestmark = pytest.mark.anyio
ME = UUID(int=1)


def acting(app: App, *permissions: str, id: UUID | None = ME) -> Ctx:
    return Ctx(app, db=None, actor=Actor("user", id, frozenset(permissions)))  # type: ignore[arg-type]  # asks no database


def test_rules_about_rows_are_put_together(composed: App) -> None:
    row = SimpleNamespace(created_by=ME, owner_id=uuid4(), assigned_to=None, reviewed_by=ME)
    me, stranger = acting(composed), acting(composed, id=uuid4())
    assert rules.creator(me, row)
    assert not rules.creator(stranger, row)
    assert not rules.owner(me, row)
    assert not rules.assigned(acting(composed, id=None), row)
    assert rules.named_in("reviewed_by")(me, row)
    rule = orgs.either(orgs.assigned, orgs.both(orgs.creator, orgs.holds("tickets.close")))
    assert not rule(me, row)
    assert rule(acting(composed, "tickets.close"), row)
    assert not rule(acting(composed, "tickets.close", id=uuid4()), row)


def test_owners_hold_everything_but_the_platforms(composed: App) -> None:
    everything = access.held_by_role(composed, "owner")
    assert "identity.users.suspend" in composed.permissions
    assert "identity.users.suspend" not in everything
    for role in ("admin", "member", "viewer"):
        assert access.held_by_role(composed, role) < everything
    assert access.held_by_role(composed, "custom", ["members.read", "gone.with.its.module"]) == {"members.read"}
    assert access.held_by_role(composed, "custom", ["identity.users.suspend"]) == frozenset()


NAMES = ["organisation.read", "organisation.delete", "members.invite", "roles.manage", "no.such"]


@given(held=st.sets(st.sampled_from(NAMES)), wanted=st.sets(st.sampled_from(NAMES)))
@settings(max_examples=200)
def test_giving_is_for_those_who_hold(held: set[str], wanted: set[str]) -> None:
    ctx = acting(None, *held)  # type: ignore[arg-type]  # asks nothing of the app
    if wanted <= held:
        access.require_all(ctx, wanted)
    else:
        with pytest.raises(AboveYourself) as raised:
            access.require_all(ctx, wanted)
        assert raised.value.details == {"missing": sorted(wanted - held)}


async def test_the_explanation_is_the_decision(house: House, acme: Org, ben: Person) -> None:
    """For every role, permission and state of account: told is what is enforced."""
    made = await acme.owner.client.post(acme.path("/roles"), {"name": "Inviter", "permissions": ["members.invite"]})
    cast = [acme.owner, ben]
    cast += [await acme.joined(await person(house, f"{role}@example.com"), role) for role in ROLES]
    inviter = await person(house, "custom@example.com", platform_role="moderator")
    cast.append(await acme.joined(inviter, custom=UUID(made.json()["custom_role_id"])))
    cast.append(await person(house, "root@example.com", platform_role="admin"))
    for somebody in cast:
        grants = await StoredMemberships().grants(house.app, somebody.id, acme.id)
        async with house.app.context(org=acme.id) as ctx:
            user = await identity.user(ctx, somebody.id)
            held = identity.permissions_of(house.app, user.platform_role) | (grants.permissions if grants else set())
            for permission in [*house.app.permissions, "no.such"]:
                decision = await can_explain(ctx, somebody.id, permission)
                assert decision.allowed == (permission in held), (somebody.email, permission)
                assert decision.reasons


async def reasons(house: House, acme: Org, somebody: Person, permission: str) -> list[str]:
    async with house.app.context(org=acme.id) as ctx:
        return await explain(ctx, somebody.id, permission)


async def test_reasons_read_as_sentences(house: House, acme: Org, ben: Person) -> None:
    assert await reasons(house, acme, acme.owner, "members.invite") == [
        "They are in Acme Pte Ltd with the role Owner.",
        "An owner holds every permission of the organisation.",
    ]
    assert await reasons(house, acme, ben, "members.invite") == ["They are not a member of Acme Pte Ltd."]
    await acme.joined(ben, "viewer")
    refused = [
        "They are in Acme Pte Ltd with the role Viewer.",
        "The role Viewer does not hold members.invite.",
    ]
    assert await reasons(house, acme, ben, "members.invite") == [
        *refused,
        "members.invite was not given to them on top of the role either.",
    ]
    await acme.owner.client.patch(acme.path(f"/members/{ben.id}"), {"permissions": ["members.invite"]})
    assert await reasons(house, acme, ben, "members.invite") == [
        *refused,
        "members.invite was given to them on top of the role.",
    ]
    assert await reasons(house, acme, ben, "no.such") == ["No module declares the permission no.such."]
    assert await reasons(house, acme, ben, "identity.users.read") == [
        "The platform role user does not hold identity.users.read.",
        "They are in Acme Pte Ltd with the role Viewer.",
        "identity.users.read is the platform's alone: no role of an organisation can hold it.",
    ]
    await acme.owner.client.delete(acme.path())
    assert "Acme Pte Ltd is deleted: nobody can do anything in it." in await reasons(house, acme, ben, "members.invite")
    async with house.app.context() as ctx:
        await ctx.db.raw("UPDATE users SET state = 'suspended' WHERE id = $1", ben.id)
    told = await reasons(house, acme, ben, "members.invite")
    assert told[0] == "The account is suspended: whoever it belongs to can do nothing."


async def test_members_ask_why_over_http(house: House, acme: Org, ben: Person) -> None:
    await acme.joined(ben, "viewer")
    answer = await ben.client.get(acme.path(f"/members/{ben.id}/access?permission=organisation.read"))
    assert answer.json() == {
        "user_id": str(ben.id),
        "permission": "organisation.read",
        "allowed": True,
        "reasons": ["They are in Acme Pte Ltd with the role Viewer.", "The role Viewer holds organisation.read."],
    }


async def test_keys_of_an_organisation_hold_their_scopes_while_it_lives(house: House, acme: Org) -> None:
    ask = StoredMemberships().key_grants
    scopes = frozenset({"members.read", "identity.users.suspend", "gone.with.its.module"})
    grants = await ask(house.app, acme.id, scopes)
    assert grants is not None
    assert (set(grants.permissions), grants.role) == ({"members.read"}, "key")
    await acme.owner.client.delete(acme.path())
    assert await ask(house.app, acme.id, scopes) is None


async def test_a_session_begins_where_somebody_has_been_longest(house: House, acme: Org, ben: Person) -> None:
    ask = StoredMemberships().default_org
    assert await ask(house.app, ben.id) is None
    other = await found(house, ben, "Other")
    await acme.joined(ben)
    assert await ask(house.app, ben.id) == other.id
    await ben.client.delete(other.path())
    assert await ask(house.app, ben.id) == acme.id


async def test_what_takes_a_person_is_refused_to_a_key(house: House, acme: Org, ben: Person) -> None:
    """An API key of the organisation invites, since it was made for it; it founds, accepts and hands over nothing."""
    await acme.joined(ben)
    key = Actor("key", uuid4(), frozenset({*access.organisation_permissions(house.app)}))
    async with house.app.context(org=acme.id, actor=key) as ctx:
        row = await organisations.organisation(ctx, acme.id)
        sent = await invitations.invite(ctx, row, NewInvitation(email="x@example.com"))
        assert sent.invited_by is None
        for refused in (
            organisations.create(ctx, NewOrganisation(name="x")),
            organisations.switch(ctx, row),
            transfers.offer(ctx, row, NewTransfer(user_id=ben.id)),
        ):
            with pytest.raises(PeopleOnly):
                await refused
        assert await answers.mine(ctx) == []
    carl = await person(house, "x@example.com")
    [offer] = (await carl.client.get("/invitations")).json()
    assert offer["invited_by_name"] is None
    assert (await carl.client.post(f"/invitations/{offer['id']}/accept")).status_code == 200
