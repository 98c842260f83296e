"""Invitations as their addressee sees them: looked at, accepted, declined; with an account or before there is one.

The secret of the mail leads to the invitation. Accepting takes more: a verified account of the same
address, an inviter who may still give that role, and an invitation that nobody answered yet.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select, update

from nexuscore.kernel.crypto import hash_token
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import NotFoundError, ValidationError
from nexuscore.modules import identity
from nexuscore.modules.orgs import people, roles
from nexuscore.modules.orgs.errors import (
    AddressNotVerified,
    InvitationClosed,
    InvitationExpired,
    InvitationVoid,
    NotAddressee,
    PeopleOnly,
)
from nexuscore.modules.orgs.events import InvitationAccepted, InvitationDeclined
from nexuscore.modules.orgs.permissions import INVITE
from nexuscore.modules.orgs.roles import Role
from nexuscore.modules.orgs.schemas import InvitationOffer
from nexuscore.modules.orgs.tables import CustomRole, Invitation, Membership, Organisation

_OFFER = (
    select(
        Invitation.id,
        Invitation.org_id,
        Invitation.email,
        Invitation.role,
        Invitation.custom_role_id,
        Invitation.state,
        Invitation.expires_at,
        Invitation.invited_by,
        Organisation.name.label("organisation_name"),
        CustomRole.name.label("custom_name"),
    )
    .join(Organisation, Organisation.id == Invitation.org_id)
    .outerjoin(CustomRole, CustomRole.id == Invitation.custom_role_id)
)
_BY_TOKEN = _OFFER.where(Invitation.token_hash == bindparam("secret"))
_TO = _OFFER.where(Invitation.email == bindparam("address"))
_TO_ONE = _TO.where(Invitation.id == bindparam("invitation"))
_TO_OPEN = (
    _TO.where(Invitation.state == "pending", Invitation.expires_at > bindparam("now"))
    .order_by(Invitation.id.desc())
    .limit(100)
)
_STATE = select(Invitation).where(Invitation.id == bindparam("invitation"))
_ANSWER = (
    update(Invitation)
    .where(
        Invitation.id == bindparam("invitation"),
        Invitation.state == "pending",
        Invitation.expires_at > bindparam("now"),
    )
    .values(state=bindparam("answer"), answered_at=bindparam("now"), answered_by=bindparam("by"))
    .returning(Invitation.id)
)


async def by_token(ctx: Ctx, token: str) -> Any:
    """The invitation a mailed secret leads to, whatever its state; of closed organisations there are none."""
    async with ctx.across_orgs("an invitation is found by its secret") as everywhere:
        return await everywhere.db.one(_BY_TOKEN, secret=hash_token(token))


async def to_me(ctx: Ctx, invitation_id: UUID) -> Any:
    """An invitation to the verified address of whoever asks."""
    address = await _own_address(ctx)
    async with ctx.across_orgs("an invitation to whoever asks") as everywhere:
        return await everywhere.db.one(_TO_ONE, invitation=invitation_id, address=address)


async def mine(ctx: Ctx) -> list[InvitationOffer]:
    """The open invitations to the verified address of whoever asks."""
    try:
        address = await _own_address(ctx)
    except (NotFoundError, PeopleOnly):
        return []
    async with ctx.across_orgs("the invitations to whoever asks") as everywhere:
        found = await everywhere.db.all(_TO_OPEN, address=address, now=ctx.now)
    return [await shown(ctx, each) for each in found]


async def shown(ctx: Ctx, offer: Any) -> InvitationOffer:
    """An invitation as its addressee sees it, while it is open."""
    _require_open(ctx, offer)
    inviter = await identity.user(ctx, offer.invited_by) if offer.invited_by is not None else None
    return InvitationOffer(
        id=offer.id,
        organisation_id=offer.org_id,
        organisation_name=offer.organisation_name,
        email=offer.email,
        role=offer.role,
        role_name=offer.custom_name or roles.name_of(ctx, offer.role),
        invited_by_name=inviter.name or inviter.email if inviter is not None else None,
        expires_at=offer.expires_at,
    )


async def accept(ctx: Ctx, offer: Any) -> Membership:
    """Join. Of many who accept at once, one does."""
    person = await people.require_person(ctx)
    if person.email != offer.email:
        raise NotAddressee
    if person.email_verified_at is None:
        raise AddressNotVerified
    async with ctx.in_org(offer.org_id) as inside:
        await people.lock(inside, offer.org_id)
        await _answer(inside, offer, "accepted", person.id)
        role = await _still_offered(inside, offer)
        await people.require_room(inside, invited=False)
        inside.emit(InvitationAccepted(invitation_id=offer.id, user_id=person.id))
        await people.begin_here(ctx, offer.org_id)
        return await people.add(inside, offer.org_id, person.id, role, offer.invited_by)


async def joined(ctx: Ctx, offer: Any) -> dict[str, Any]:
    """Join, and answer with the new membership."""
    return await people.shown(ctx, await accept(ctx, offer))


async def decline(ctx: Ctx, offer: Any) -> None:
    """Say no. The secret of the mail is enough, so that nobody needs an account to be left alone."""
    async with ctx.in_org(offer.org_id) as inside:
        await _answer(inside, offer, "declined", ctx.actor.id if ctx.actor.kind == "user" else None)
        inside.emit(InvitationDeclined(invitation_id=offer.id))


async def _own_address(ctx: Ctx) -> str:
    person = await people.require_person(ctx)
    if person.email is None or person.email_verified_at is None:
        raise NotFoundError
    return person.email


async def _answer(ctx: Ctx, offer: Any, answer: str, by: UUID | None) -> None:
    if await ctx.db.first(_ANSWER, invitation=offer.id, answer=answer, by=by, now=ctx.now) is None:
        _require_open(ctx, await ctx.db.one(_STATE, invitation=offer.id))
        raise InvitationClosed


def _require_open(ctx: Ctx, invitation: Any) -> None:
    if invitation.state != "pending":
        raise InvitationClosed(details={"state": invitation.state})
    if invitation.expires_at <= ctx.now:
        raise InvitationExpired


async def _still_offered(ctx: Ctx, offer: Any) -> Role:
    """The role, if whoever invited may give it still. An invitation of an API key stands for itself."""
    try:
        role = await roles.of(ctx, offer)
    except ValidationError:
        raise InvitationVoid from None
    if offer.invited_by is None:
        return role
    inviter = await people.find(ctx, offer.org_id, offer.invited_by)
    if inviter is None or (await identity.user(ctx, inviter.user_id)).state != "active":
        raise InvitationVoid
    if not role.permissions | {INVITE.name} <= await roles.held_by(ctx, inviter):
        raise InvitationVoid
    return role
