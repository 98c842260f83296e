"""What the console's search finds of organisations: members, roles, and the organisations one is in."""

from collections.abc import Sequence
from typing import ClassVar

from sqlalchemy import bindparam, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.filters import holding
from nexuscore.kernel.http.pages import Finder, Found
from nexuscore.kernel.i18n import translate
from nexuscore.modules import identity
from nexuscore.modules.orgs.organisations import OWN_CALLED
from nexuscore.modules.orgs.permissions import MANAGE_ROLES, SEE_MEMBERS
from nexuscore.modules.orgs.tables import CustomRole, Membership

_HERE = select(Membership.user_id)
_ROLES = (
    select(CustomRole.id, CustomRole.name)
    .where(CustomRole.name.ilike(bindparam("words")))
    .order_by(CustomRole.name)
    .limit(5)
)


class MemberFinder(Finder):
    """Who is in the organisation, by name or address."""

    permission: ClassVar[str | None] = SEE_MEMBERS.name

    async def find(self, ctx: Ctx, words: str) -> Sequence[Found]:
        """A few of them."""
        if ctx.org is None:
            return []
        ids = [row.user_id for row in await ctx.db.all(_HERE)]
        kind = translate(ctx.locale, "Member")
        return [
            Found(user.name or user.email or "", kind, f"/console/members?user_id={user.id}", user.email or "")
            for user in await identity.users_called(ctx, words, among=ids)
        ]


class RoleFinder(Finder):
    """The organisation's own roles."""

    permission: ClassVar[str | None] = MANAGE_ROLES.name

    async def find(self, ctx: Ctx, words: str) -> Sequence[Found]:
        """A few of them."""
        kind = translate(ctx.locale, "Role")
        rows = await ctx.db.all(_ROLES, words=holding(words))
        return [Found(row.name, kind, f"/console/roles/{row.id}") for row in rows]


class OwnOrganisationFinder(Finder):
    """The organisations somebody is in: whoever they are, these are theirs."""

    permission: ClassVar[str | None] = None

    async def find(self, ctx: Ctx, words: str) -> Sequence[Found]:
        """A few of them."""
        if ctx.actor.kind != "user":
            return []
        async with ctx.across_orgs("somebody's own organisations") as everywhere:
            rows = await everywhere.db.all(OWN_CALLED, user=ctx.actor.id, words=holding(words))
        kind = translate(ctx.locale, "Organisation")
        return [Found(row.name, kind, "/console/organisations", row.slug) for row in rows]
