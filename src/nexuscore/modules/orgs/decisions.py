"""Why somebody may do something, or why not: the decision the rest of the house makes, told step by step."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, select

from nexuscore.kernel import i18n
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.tables import with_deleted
from nexuscore.modules import identity
from nexuscore.modules.orgs import access, people, roles
from nexuscore.modules.orgs.tables import CUSTOM, CustomRole, Membership, Organisation

_ORGANISATION = with_deleted(select(Organisation).where(Organisation.id == bindparam("org")))
_CUSTOM = select(CustomRole).where(CustomRole.id == bindparam("role"))


@dataclass(frozen=True, slots=True)
class Standing:
    """Somebody in the organisation a question is about, with the role as it is called there."""

    organisation: Organisation
    member: Membership | None
    role_name: str
    custom: list[str]


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether somebody may, and the reasons in the order they were looked at."""

    allowed: bool
    reasons: list[str]


async def explain(ctx: Ctx, user_id: UUID, permission: str) -> list[str]:
    """Why somebody may, or may not, do something in the context's organisation."""
    return (await can_explain(ctx, user_id, permission)).reasons


async def can_explain(ctx: Ctx, user_id: UUID, permission: str) -> Decision:
    """Whether somebody may do something in the context's organisation, and why."""
    person = await identity.user(ctx, user_id)
    standing = await _standing(ctx, user_id)
    known = permission in ctx.app.permissions
    allowed = person.state == "active" and permission in _held(ctx, person, standing)
    reasons = [
        i18n.translate(ctx.locale, text, **params) for text, params in _reasons(ctx, person, standing, permission)
    ]
    return Decision(allowed and known, reasons)


def _held(ctx: Ctx, person: identity.User, standing: Standing | None) -> frozenset[str]:
    """What the person holds, by the functions that decide everywhere."""
    held = identity.permissions_of(ctx.app, person.platform_role)
    if standing is None or standing.member is None or standing.organisation.is_deleted:
        return held
    member = standing.member
    return held | access.held(ctx.app, member.role, standing.custom, member.permissions)


async def _standing(ctx: Ctx, user_id: UUID) -> Standing | None:
    organisation = await ctx.db.first(_ORGANISATION, org=ctx.org) if ctx.org is not None else None
    if organisation is None:
        return None
    member = await people.find(ctx, organisation.id, user_id)
    if member is None:
        return Standing(organisation, None, "", [])
    if member.role != CUSTOM:
        return Standing(organisation, member, roles.name_of(ctx, member.role), [])
    custom = await ctx.db.one(_CUSTOM, role=member.custom_role_id)
    return Standing(organisation, member, custom.name, custom.permissions)


Reason = tuple[str, dict[str, str]]


def _reasons(ctx: Ctx, person: identity.User, standing: Standing | None, permission: str) -> Iterator[Reason]:
    declared = ctx.app.permissions.get(permission)
    if declared is None:
        yield "No module declares the permission {permission}.", {"permission": permission}
        return
    if person.state != "active":
        yield "The account is {state}: whoever it belongs to can do nothing.", {"state": person.state}
    yield from _platform_reasons(ctx, person, permission)
    if standing is None:
        yield "No organisation was asked about.", {}
        return
    where = {"organisation": standing.organisation.name}
    if standing.organisation.is_deleted:
        yield "{organisation} is deleted: nobody can do anything in it.", where
    if standing.member is None:
        yield "They are not a member of {organisation}.", where
        return
    yield "They are in {organisation} with the role {role}.", {**where, "role": standing.role_name}
    yield from _organisation_reasons(ctx, standing, permission)


def _platform_reasons(ctx: Ctx, person: identity.User, permission: str) -> Iterator[Reason]:
    role = {"role": person.platform_role, "permission": permission}
    if permission in identity.permissions_of(ctx.app, person.platform_role):
        yield "The platform role {role} holds {permission}, everywhere.", role
    elif any(name.startswith(access.PLATFORM) for name in ctx.app.permissions[permission].roles):
        yield "The platform role {role} does not hold {permission}.", role


def _organisation_reasons(ctx: Ctx, standing: Standing, permission: str) -> Iterator[Reason]:
    member = standing.member
    assert member is not None  # noqa: S101 - asked only about members
    given = {"role": standing.role_name, "permission": permission}
    if permission not in access.organisation_permissions(ctx.app):
        yield "{permission} is the platform's alone: no role of an organisation can hold it.", given
    elif member.role == "owner":
        yield "An owner holds every permission of the organisation.", {}
    elif permission in access.held_by_role(ctx.app, member.role, standing.custom):
        yield "The role {role} holds {permission}.", given
    else:
        yield "The role {role} does not hold {permission}.", given
        if permission in member.permissions:
            yield "{permission} was given to them on top of the role.", given
        else:
            yield "{permission} was not given to them on top of the role either.", given
