"""Who is in an organisation: added, given a role, removed, gone. An organisation always has an owner."""

from abc import ABC, abstractmethod
from typing import Any
from uuid import UUID

from pydantic_core import from_json, to_json
from sqlalchemy import bindparam, delete, func, insert, select, update

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.filters import equals
from nexuscore.kernel.paging import Listing, PageQuery, page_of
from nexuscore.kernel.tables import columns
from nexuscore.modules import identity
from nexuscore.modules.orgs import roles
from nexuscore.modules.orgs.access import require_all, require_known
from nexuscore.modules.orgs.errors import AlreadyMember, LastOwner, LimitReached, OwnershipNeedsConsent, PeopleOnly
from nexuscore.modules.orgs.events import MemberAdded, MemberLeft, MemberRemoved, MemberRoleChanged
from nexuscore.modules.orgs.roles import Role
from nexuscore.modules.orgs.schemas import MemberChange, MemberOut
from nexuscore.modules.orgs.tables import Invitation, Membership, Organisation

_LOCK = select(Organisation).where(Organisation.id == bindparam("org")).with_for_update()
_ONE = select(Membership).where(Membership.org_id == bindparam("org"), Membership.user_id == bindparam("user"))
_STORED = [name for name in MemberOut.model_fields if hasattr(Membership, name)]
MEMBERS = Listing(
    select(*columns(Membership, _STORED)),
    by=Membership.id,
    sorts=(Membership.role, Membership.created_at),
    filters={
        "role": equals(Membership.role),
        "custom_role_id": equals(Membership.custom_role_id),
        "user_id": equals(Membership.user_id),
    },
)
_EVERY = select(Membership).order_by(Membership.id)
_OWNERS = select(Membership).where(Membership.role == "owner").order_by(Membership.id)
_NUMBER = select(func.count()).select_from(Membership)
_OPEN_INVITATIONS = (
    select(func.count())
    .select_from(Invitation)
    .where(Invitation.state == "pending", Invitation.expires_at > bindparam("now"))
)
_ADD = insert(Membership).returning(Membership)
_CHANGE = update(Membership).where(Membership.id == bindparam("member")).returning(Membership)
_REMOVE = delete(Membership).where(Membership.id == bindparam("member"))


class MemberLimit(ABC):
    """The slot for how many members an organisation may have, by its plan or by whatever else."""

    @abstractmethod
    async def limit(self, ctx: Ctx) -> int | None:
        """The most members of the context's organisation; None for no limit."""


async def acting(ctx: Ctx) -> identity.User | None:
    """The person who acts; None for an API key, the system, and whoever has no account here."""
    found = await identity.users(ctx, [ctx.actor.id]) if ctx.actor.kind == "user" and ctx.actor.id else []
    return found[0] if found else None


async def require_person(ctx: Ctx) -> identity.User:
    """The person who acts; stop here when it is not one."""
    person = await acting(ctx)
    if person is None:
        raise PeopleOnly
    return person


async def lock(ctx: Ctx, org_id: UUID) -> Organisation:
    """Hold the organisation until the transaction ends, so that changes of who is in it come one by one."""
    return await ctx.db.one(_LOCK, org=org_id)


async def get(ctx: Ctx, org_id: UUID, user_id: UUID) -> Membership:
    """One member."""
    return await ctx.db.one(_ONE, org=org_id, user=user_id)


async def find(ctx: Ctx, org_id: UUID, user_id: UUID | None) -> Membership | None:
    """One member, or None."""
    return await ctx.db.first(_ONE, org=org_id, user=user_id)


async def members(ctx: Ctx) -> list[Membership]:
    """Everybody in the context's organisation, longest there first."""
    return await ctx.db.all(_EVERY)


async def owners(ctx: Ctx) -> list[Membership]:
    """The owners of the context's organisation, longest there first."""
    return await ctx.db.all(_OWNERS)


async def member_role(ctx: Ctx, user_id: UUID) -> str | None:
    """The role somebody has in the context's organisation; None for who is not in it."""
    found = await find(ctx, ctx.org, user_id) if ctx.org is not None else None
    return found.role if found is not None else None


async def page(ctx: Ctx, query: PageQuery) -> Json:
    """The members, the latest first, with their names and addresses."""
    page = await ctx.db.page(MEMBERS, query.whole)
    rows: list[dict[str, Any]] = from_json(page)["data"]
    people = {user.id: user for user in await identity.users(ctx, [UUID(row["user_id"]) for row in rows])}
    for row in rows:
        person = people[UUID(row["user_id"])]
        row |= {"name": person.name, "email": person.email}
    return page_of(to_json(rows), **page.info)


async def shown(ctx: Ctx, member: Membership) -> dict[str, Any]:
    """A member as it is answered."""
    person = await identity.user(ctx, member.user_id)
    return {**{name: getattr(member, name) for name in _STORED}, "name": person.name, "email": person.email}


async def number(ctx: Ctx) -> int:
    """How many are in the context's organisation."""
    return await ctx.db.value(_NUMBER)


async def require_room(ctx: Ctx, *, invited: bool) -> None:
    """Stop here when one more would be too many; with `invited`, open invitations count as members."""
    for slot in ctx.app.fillers(MemberLimit):  # type: ignore[type-abstract]  # asked for, not made
        limit = await slot.limit(ctx)
        if limit is None:
            continue
        used = await number(ctx) + (await ctx.db.value(_OPEN_INVITATIONS, now=ctx.now) if invited else 0)
        if used >= limit:
            raise LimitReached(
                "Your plan allows {limit} members, open invitations included."
                " Remove somebody, withdraw an invitation, or choose a larger plan.",
                details={"what": "members", "limit": limit, "used": used},
                limit=limit,
            )


async def add(ctx: Ctx, org_id: UUID, user_id: UUID, role: Role, invited_by: UUID | None = None) -> Membership:
    """Put somebody into an organisation; whoever calls holds its lock."""
    if await find(ctx, org_id, user_id) is not None:
        raise AlreadyMember
    member = await ctx.db.one(
        _ADD, user_id=user_id, role=role.name, custom_role_id=role.custom_id, invited_by=invited_by
    )
    ctx.emit(MemberAdded(user_id=user_id, role=role.name, custom_role_id=role.custom_id))
    identity.forget_grants(ctx.app, user_id, org_id)
    return member


async def begin_here(ctx: Ctx, org_id: UUID) -> None:
    """Let the actor's session go on in the organisation they just came to, if it was in none."""
    if ctx.org is None:
        await identity.switch_org(ctx, org_id)


async def change(ctx: Ctx, member: Membership, change: MemberChange) -> Membership:
    """Give a member another role or other permissions on top of it."""
    await lock(ctx, member.org_id)
    member = await get(ctx, member.org_id, member.user_id)
    role = await roles.named(ctx, change.role, change.custom_role_id) or await roles.of(ctx, member)
    if role.name == "owner" != member.role:
        raise OwnershipNeedsConsent
    extra = member.permissions
    if change.permissions is not None:
        extra = require_known(ctx.app, change.permissions, "permissions")
    before = await roles.held_by(ctx, member)
    require_all(ctx, before | role.permissions | set(extra))
    return await give(ctx, member, role, extra)


async def give(ctx: Ctx, member: Membership, role: Role, extra: list[str]) -> Membership:
    """Write a member's role and extra permissions down; whoever calls holds the lock and has checked."""
    after = await ctx.db.one(
        _CHANGE, member=member.id, role=role.name, custom_role_id=role.custom_id, permissions=extra
    )
    if member.role == "owner" != role.name:
        await _require_an_owner(ctx)
    ctx.emit(
        MemberRoleChanged(
            user_id=member.user_id,
            before=member.role,
            after=role.name,
            custom_role_id=role.custom_id,
            permissions=extra,
        )
    )
    identity.forget_grants(ctx.app, member.user_id, member.org_id)
    return after


async def remove(ctx: Ctx, member: Membership) -> None:
    """Take somebody out of the organisation."""
    await lock(ctx, member.org_id)
    member = await get(ctx, member.org_id, member.user_id)
    require_all(ctx, await roles.held_by(ctx, member))
    await _remove(ctx, member)
    await _require_an_owner(ctx)
    ctx.emit(MemberRemoved(user_id=member.user_id))


async def leave(ctx: Ctx, org_id: UUID) -> None:
    """Go, by one's own will. The last owner cannot."""
    await lock(ctx, org_id)
    member = await find(ctx, org_id, ctx.actor.id)
    if member is None:
        raise NotFoundError
    await take_out(ctx, member)
    await _require_an_owner(ctx)


async def take_out(ctx: Ctx, member: Membership) -> None:
    """Let somebody go who leaves; whoever calls holds the lock."""
    await _remove(ctx, member)
    ctx.emit(MemberLeft(user_id=member.user_id))


async def _remove(ctx: Ctx, member: Membership) -> None:
    await ctx.db.execute(_REMOVE, member=member.id)
    identity.forget_grants(ctx.app, member.user_id, member.org_id)


async def _require_an_owner(ctx: Ctx) -> None:
    if not await owners(ctx):
        raise LastOwner
