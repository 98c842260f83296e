"""What identity asks us: what somebody may do in an organisation, and where their session begins."""

from uuid import UUID

from sqlalchemy import bindparam, select

from nexuscore.kernel.app import App
from nexuscore.modules.identity import Grants, Memberships
from nexuscore.modules.orgs import access
from nexuscore.modules.orgs.tables import CustomRole, Membership, Organisation

_STANDING = (
    select(Membership.role, Membership.permissions, CustomRole.permissions.label("custom"))
    .join(Organisation, Organisation.id == Membership.org_id)
    .outerjoin(CustomRole, CustomRole.id == Membership.custom_role_id)
    .where(Membership.user_id == bindparam("user"))
)
_LIVE = select(Organisation.id).where(Organisation.id == bindparam("org"))
_FIRST = (
    select(Organisation.id)
    .join(Membership, Membership.org_id == Organisation.id)
    .where(Membership.user_id == bindparam("user"))
    .order_by(Membership.id)
    .limit(1)
)


class StoredMemberships(Memberships):
    """The answers come from the tables; identity remembers them for 3 seconds."""

    async def grants(self, app: App, user_id: UUID, org_id: UUID) -> Grants | None:
        """What a person may do there; None for who is not a member, and for an organisation that is closed."""
        async with app.context(org=org_id) as ctx:
            found = await ctx.db.first(_STANDING, user=user_id)
        if found is None:
            return None
        return Grants(access.held(app, found.role, found.custom, found.permissions), found.role)

    async def key_grants(self, app: App, org_id: UUID, scopes: frozenset[str]) -> Grants | None:
        """What a key of the organisation may do, of what it was made for."""
        async with app.context(org=org_id) as ctx:
            if await ctx.db.first(_LIVE, org=org_id) is None:
                return None
        return Grants(scopes.intersection(access.organisation_permissions(app)), "key")

    async def default_org(self, app: App, user_id: UUID) -> UUID | None:
        """The organisation a person has been in longest."""
        async with app.context(across=True) as ctx:
            return await ctx.db.value(_FIRST, user=user_id)
