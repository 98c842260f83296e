"""When an account is closed: its owner leaves every organisation, and none is left without an owner."""

from uuid import UUID

from sqlalchemy import bindparam, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.tables import with_deleted
from nexuscore.modules import identity
from nexuscore.modules.orgs import organisations, people
from nexuscore.modules.orgs.access import held_by_role
from nexuscore.modules.orgs.roles import Role
from nexuscore.modules.orgs.tables import CUSTOM, ROLES, Membership, Organisation

_OF_PERSON = select(Membership).where(Membership.user_id == bindparam("user")).order_by(Membership.id)
_ANY = with_deleted(select(Organisation).where(Organisation.id == bindparam("org")).with_for_update())
_RANK = {name: rank for rank, name in enumerate((*ROLES[:3], CUSTOM, ROLES[3]))}


async def leave_everywhere(ctx: Ctx, user_id: UUID) -> None:
    """Take a closed account out of its organisations. What nobody else is in is closed with it."""
    async with ctx.across_orgs("a closed account leaves its organisations") as everywhere:
        held = await everywhere.db.all(_OF_PERSON, user=user_id)
    for membership in held:
        async with ctx.in_org(membership.org_id) as inside:
            await _leave(inside, membership)


async def _leave(ctx: Ctx, member: Membership) -> None:
    organisation = await ctx.db.one(_ANY, org=member.org_id)
    others = [each for each in await people.members(ctx) if each.user_id != member.user_id]
    if not any(each.role == "owner" for each in others):
        heir = await _heir(ctx, others)
        if heir is not None:
            await people.give(ctx, heir, Role("owner", None, held_by_role(ctx.app, "owner")), [])
        elif not organisation.is_deleted:
            await organisations.close(ctx, organisation)
    await people.take_out(ctx, member)


async def _heir(ctx: Ctx, others: list[Membership]) -> Membership | None:
    """Who takes over from the last owner: of the highest role whoever has been there longest, with a live account."""
    found = await identity.users(ctx, [member.user_id for member in others])
    active = {person.id for person in found if person.state == "active"}
    waiting = [member for member in others if member.user_id in active]
    return min(waiting, key=lambda member: (_RANK[member.role], member.id), default=None)
