"""For the tests of modules that need organisations with people in them.

anna = await person(house, "anna@example.com")
acme = await found(house, anna, "Acme")
ben = await acme.joined(await person(house, "ben@example.com"), "viewer")
assert (await ben.client.get(acme.path("/members"))).status_code == 200

`PROBES` are what tests/isolation needs to call every operation of this module.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from nexuscore.kernel.testing import Client, House
from nexuscore.modules.identity.testing import Person, account, mails_to, person, token_in
from nexuscore.modules.orgs import people
from nexuscore.modules.orgs.access import held_by_role
from nexuscore.modules.orgs.roles import Role
from nexuscore.modules.orgs.tables import CUSTOM


@dataclass(slots=True)
class Org:
    """An organisation in a test, with its owner."""

    id: UUID
    owner: Person
    house: House

    def path(self, rest: str = "") -> str:
        """A path below the organisation's own."""
        return f"/organisations/{self.id}{rest}"

    async def joined(self, person: Person, role: str = "member", *, custom: UUID | None = None) -> Person:
        """`person`, now in the organisation, without the detour of an invitation; works here from now on."""
        app = self.house.app
        given = Role(CUSTOM, custom, frozenset()) if custom else Role(role, None, held_by_role(app, role))
        async with app.context(org=self.id) as ctx:
            await people.add(ctx, self.id, person.id, given)
        person.client.http.headers["nexus-org"] = str(self.id)
        return person


async def found(house: House, owner: Person, name: str = "Acme", **fields: Any) -> Org:
    """An organisation of `owner`, who works in it from now on."""
    answer = await owner.client.post("/organisations", {"name": name, **fields})
    assert answer.status_code == 201, answer.text
    org = Org(UUID(answer.json()["id"]), owner, house)
    await owner.client.post(org.path("/switch"))
    return org


# --- probes -----------------------------------------------------------------------------------------

Made = tuple[dict[str, Any], Any]


async def _org_of(client: Client) -> str:
    return str((await client.get("/organisations")).json()["data"][0]["id"])


async def _made(client: Client, path: str, body: Any) -> dict[str, Any]:
    answer = await client.post(path, body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def _with(body: Any = None, **query: Any) -> Callable[[House, Client], Awaitable[Made]]:
    """An operation that needs the organisation, and this body."""

    async def probe(house: House, client: Client) -> Made:
        return {"org_id": await _org_of(client), **query}, body

    return probe


async def _create(house: House, client: Client) -> Made:
    return {}, {"name": "One more"}


async def _slug(house: House, client: Client) -> Made:
    return {"slug": (await client.get("/organisations")).json()["data"][0]["slug"]}, None


async def _deleted(house: House, client: Client) -> Made:
    made = await _made(client, "/organisations", {"name": "Gone"})
    await client.delete(f"/organisations/{made['id']}")
    return {"deleted_id": made["id"]}, None


async def _member_of(house: House, client: Client) -> Made:
    org_id = await _org_of(client)
    user = await account(house, f"{uuid4().hex}@example.com")
    async with house.app.context(org=UUID(org_id)) as ctx:
        await people.add(ctx, UUID(org_id), user.id, Role("viewer", None, frozenset()))
    return {"org_id": org_id, "user_id": str(user.id)}, None


def _member(body: Any = None, **query: Any) -> Callable[[House, Client], Awaitable[Made]]:
    async def probe(house: House, client: Client) -> Made:
        path, _ = await _member_of(house, client)
        return {**path, **query}, body

    return probe


async def _leave(house: House, client: Client) -> Made:
    """With a second owner, so that whoever asks may go."""
    org_id = await _org_of(client)
    user = await account(house, f"{uuid4().hex}@example.com")
    async with house.app.context(org=UUID(org_id)) as ctx:
        await people.add(ctx, UUID(org_id), user.id, Role("owner", None, frozenset()))
    return {"org_id": org_id}, None


async def _invitation(house: House, client: Client) -> Made:
    org_id = await _org_of(client)
    made = await _made(client, f"/organisations/{org_id}/invitations", {"email": f"{uuid4().hex}@example.com"})
    async with house.app.context(org=UUID(org_id)) as ctx:
        await ctx.db.raw("UPDATE invitations SET sent_at = sent_at - interval '1 hour'")
    return {"org_id": org_id, "invitation_id": made["id"]}, None


async def _to_me(house: House, client: Client) -> Made:
    """An invitation of a third organisation to whoever asks."""
    host = await found(house, await person(house, f"{uuid4().hex}@example.com"), "Host")
    me = (await client.get("/me")).json()["email"]
    made = await _made(host.owner.client, host.path("/invitations"), {"email": me})
    return {"invitation_id": made["id"]}, None


async def _mailed_to_me(house: House, client: Client) -> Made:
    await _to_me(house, client)
    me = (await client.get("/me")).json()["email"]
    return {}, {"token": token_in((await mails_to(house, me, "orgs.invitation"))[-1])}


async def _candidate(house: House, client: Client) -> Made:
    path, _ = await _member_of(house, client)
    return {"org_id": path["org_id"]}, {"user_id": path["user_id"]}


async def _offered(house: House, client: Client) -> Made:
    path, body = await _candidate(house, client)
    await _made(client, f"/organisations/{path['org_id']}/transfer", body)
    return path, None


async def _offered_to_me(house: House, client: Client) -> Made:
    """Ownership of a third organisation, which whoever asks is in."""
    host = await found(house, await person(house, f"{uuid4().hex}@example.com"), "Host")
    me = UUID((await client.get("/me")).json()["id"])
    async with house.app.context(org=host.id) as ctx:
        await people.add(ctx, host.id, me, Role("viewer", None, frozenset()))
    await _made(host.owner.client, host.path("/transfer"), {"user_id": str(me)})
    return {"org_id": str(host.id)}, None


async def _new_role(house: House, client: Client) -> Made:
    return {"org_id": await _org_of(client)}, {"name": uuid4().hex, "permissions": ["members.read"]}


def _role(body: Any = None) -> Callable[[House, Client], Awaitable[Made]]:
    async def probe(house: House, client: Client) -> Made:
        path, new = await _new_role(house, client)
        made = await _made(client, f"/organisations/{path['org_id']}/roles", new)
        return {**path, "role_id": made["custom_role_id"]}, body

    return probe


PROBES = {
    "create_organisation": _create,
    "find_organisation": _slug,
    "read_organisation": _with(),
    "change_organisation": _with({"name": "Renamed"}),
    "delete_organisation": _with(),
    "restore_organisation": _deleted,
    "switch_organisation": _with(),
    "list_members": _with(),
    "read_member": _member(),
    "change_member": _member({"role": "member"}),
    "remove_member": _member(),
    "leave_organisation": _leave,
    "explain_access": _member(permission="members.read"),
    "list_invitations": _with(),
    "invite": _with({"email": "invited@example.com"}),
    "resend_invitation": _invitation,
    "revoke_invitation": _invitation,
    "accept_mailed_invitation": _mailed_to_me,
    "accept_invitation": _to_me,
    "decline_invitation": _to_me,
    "read_transfer": _offered,
    "offer_ownership": _candidate,
    "cancel_transfer": _offered,
    "accept_ownership": _offered_to_me,
    "decline_ownership": _offered_to_me,
    "read_permissions": _with(),
    "list_roles": _with(),
    "create_role": _new_role,
    "read_role": _role(),
    "change_role": _role({"name": "Renamed"}),
    "delete_role": _role(),
}


# --- probes of pages: the same things, in the organisation the session is in -------------------------


def _here(probe: Callable[[House, Client], Awaitable[Made]], body: Any = None) -> Callable[..., Awaitable[Made]]:
    """What an operation of the API needs, for a page, whose address names no organisation."""

    async def here(house: House, client: Client) -> Made:
        path, given = await probe(house, client)
        return {name: value for name, value in path.items() if name != "org_id"}, body or given

    return here


def _answering(probe: Callable[[House, Client], Awaitable[Made]]) -> Callable[..., Awaitable[Made]]:
    """An offer to whoever asks, and their answer to it."""

    async def answering(house: House, client: Client) -> Made:
        path, _ = await probe(house, client)
        renamed = {"organisation_id" if name == "org_id" else name: value for name, value in path.items()}
        return {**renamed, "answer": "decline"}, None

    return answering


async def _switched(house: House, client: Client) -> Made:
    return {}, {"organisation_id": await _org_of(client)}


PROBES |= {
    "create_organisation_page": _create,
    "switch_organisation_page": _switched,
    "answer_ownership_page": _answering(_offered_to_me),
    "answer_invitation_page": _answering(_to_me),
    "accept_invitation_page": _mailed_to_me,
    "change_organisation_page": _here(_with({"name": "Renamed"})),
    "offer_ownership_page": _here(_candidate),
    "invite_page": _here(_with({"email": "invited@example.com", "role": "member"})),
    "resend_invitation_page": _here(_invitation),
    "revoke_invitation_page": _here(_invitation),
    "change_member_page": _here(_member({"role": "member"})),
    "remove_member_page": _here(_member()),
    "leave_organisation_page": _here(_leave),
    "create_role_page": _here(_new_role),
    "role_page": _here(_role()),
    "change_role_page": _here(_role({"name": "Renamed"})),
    "delete_role_page": _here(_role()),
}
