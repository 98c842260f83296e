"""Roles: the four everybody knows, and those an organisation makes for itself."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete as sql_delete, insert, select, update

from nexuscore.kernel import i18n
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.modules import identity
from nexuscore.modules.orgs import access
from nexuscore.modules.orgs.access import require_all, require_known
from nexuscore.modules.orgs.errors import RoleInUse
from nexuscore.modules.orgs.events import RoleChanged, RoleCreated, RoleDeleted
from nexuscore.modules.orgs.schemas import NewRole, RoleChange
from nexuscore.modules.orgs.tables import CUSTOM, ROLES, CustomRole, Invitation, Membership

_ALL = select(CustomRole).order_by(CustomRole.name)
_ONE = select(CustomRole).where(CustomRole.org_id == bindparam("org"), CustomRole.id == bindparam("role"))
_HERE = select(CustomRole).where(CustomRole.id == bindparam("role"))
_MAKE = insert(CustomRole).returning(CustomRole)
_CHANGE = update(CustomRole).where(CustomRole.id == bindparam("role")).returning(CustomRole)
_DELETE = sql_delete(CustomRole).where(CustomRole.id == bindparam("role"))
_HOLDERS = select(Membership.user_id).where(Membership.custom_role_id == bindparam("role"))
_OFFERED = select(Invitation.id).where(Invitation.custom_role_id == bindparam("role"), Invitation.state == "pending")
_NAMES = {"owner": "Owner", "admin": "Administrator", "member": "Member", "viewer": "Viewer"}


@dataclass(frozen=True, slots=True)
class Role:
    """A role and what it holds. `name` is "custom" for an organisation's own, which `custom_id` then names."""

    name: str
    custom_id: UUID | None
    permissions: frozenset[str]


async def named(ctx: Ctx, name: str | None, custom_id: UUID | None) -> Role | None:
    """The role a request names, built in or the organisation's own; None when it names none."""
    if custom_id is not None:
        custom = await ctx.db.first(_HERE, role=custom_id)
        if custom is None:
            raise ValidationError.of([Fault("custom_role_id", "unknown_role", "There is no such role.")])
        return Role(CUSTOM, custom.id, access.held_by_role(ctx.app, CUSTOM, custom.permissions))
    if name is None:
        return None
    return Role(name, None, access.held_by_role(ctx.app, name))


async def of(ctx: Ctx, held: Membership | Invitation) -> Role:
    """The role somebody has, or is offered."""
    role = await named(ctx, held.role, held.custom_role_id)
    assert role is not None  # noqa: S101 - `held.role` is never null
    return role


def name_of(ctx: Ctx, role: str) -> str:
    """A built-in role in words, in the reader's language."""
    return i18n.translate(ctx.locale, _NAMES[role])


async def held_by(ctx: Ctx, member: Membership) -> frozenset[str]:
    """Everything a member holds: the role's permissions and the extra ones."""
    role = await of(ctx, member)
    return role.permissions | (set(member.permissions) & access.organisation_permissions(ctx.app).keys())


async def get(ctx: Ctx, org_id: UUID, role_id: UUID) -> CustomRole:
    """One of the organisation's own roles."""
    return await ctx.db.one(_ONE, org=org_id, role=role_id)


async def listed(ctx: Ctx) -> list[dict[str, Any]]:
    """Every role there is in the context's organisation: the four, then its own by name."""
    built_in = [
        {
            "role": name,
            "custom_role_id": None,
            "name": name_of(ctx, name),
            "permissions": sorted(access.held_by_role(ctx.app, name)),
        }
        for name in ROLES
    ]
    return built_in + [shown(ctx, role) for role in await ctx.db.all(_ALL)]


def shown(ctx: Ctx, role: CustomRole) -> dict[str, Any]:
    """One of the organisation's own roles as it is answered."""
    return {
        "role": CUSTOM,
        "custom_role_id": role.id,
        "name": role.name,
        "permissions": sorted(access.held_by_role(ctx.app, CUSTOM, role.permissions)),
    }


async def matrix(ctx: Ctx) -> dict[str, Any]:
    """Roles by permissions: every role, and for every permission what it means and which roles hold it."""
    roles = await listed(ctx)
    return {
        "roles": roles,
        "permissions": [
            {
                **permission,
                "held_by": [
                    str(r["custom_role_id"] or r["role"]) for r in roles if permission["name"] in r["permissions"]
                ],
            }
            for permission in permissions(ctx)
        ],
    }


def permissions(ctx: Ctx) -> list[dict[str, Any]]:
    """Every permission there is in an organisation, in words, and the roles that hold it at first."""
    known = access.organisation_permissions(ctx.app)
    return [
        {
            "name": name,
            "meaning": i18n.translate(ctx.locale, known[name].meaning),
            "roles": [role for role in ROLES if role == "owner" or role in known[name].roles],
        }
        for name in sorted(known)
    ]


async def create(ctx: Ctx, new: NewRole) -> CustomRole:
    """Make a role. It cannot hold what its maker does not."""
    wanted = require_known(ctx.app, new.permissions, "permissions")
    require_all(ctx, wanted)
    _require_free(new.name)
    role = await ctx.db.one(_MAKE, name=new.name, permissions=wanted, created_by=ctx.actor.id)
    ctx.emit(RoleCreated(role_id=role.id, name=role.name, permissions=wanted))
    return role


async def change(ctx: Ctx, role: CustomRole, change: RoleChange) -> CustomRole:
    """Rename a role, or let it hold other permissions: neither more nor less than the one who asks holds."""
    fields: dict[str, Any] = change.model_dump(exclude_none=True)
    if not fields:
        return role
    if change.name is not None:
        _require_free(change.name)
    if change.permissions is not None:
        fields["permissions"] = require_known(ctx.app, change.permissions, "permissions")
        require_all(ctx, access.held_by_role(ctx.app, CUSTOM, role.permissions) | set(fields["permissions"]))
    changed = await ctx.db.one(_CHANGE, role=role.id, **fields)
    ctx.emit(RoleChanged(role_id=role.id, name=changed.name, permissions=changed.permissions))
    await _forget_holders(ctx, role)
    return changed


async def delete(ctx: Ctx, role: CustomRole) -> None:
    """Remove a role that nobody has and nobody is offered."""
    require_all(ctx, access.held_by_role(ctx.app, CUSTOM, role.permissions))
    if await ctx.db.first(_HOLDERS, role=role.id) or await ctx.db.first(_OFFERED, role=role.id):
        raise RoleInUse
    await ctx.db.execute(_DELETE, role=role.id)
    ctx.emit(RoleDeleted(role_id=role.id))


async def _forget_holders(ctx: Ctx, role: CustomRole) -> None:
    for row in await ctx.db.all(_HOLDERS, role=role.id):
        identity.forget_grants(ctx.app, row.user_id, role.org_id)


def _require_free(name: str) -> None:
    if name.casefold() in (*ROLES, CUSTOM):
        raise ValidationError.of([Fault("name", "reserved", "This name belongs to a built-in role.")])
