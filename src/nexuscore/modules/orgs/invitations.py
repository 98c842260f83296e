"""Invitations as those see them who invite: sent, listed, sent again, taken back. `answers.py` is the other side."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import bindparam, case, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from nexuscore.kernel.crypto import new_token
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.filters import equals, flag
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.modules import identity, mail
from nexuscore.modules.orgs import people, preferences, roles
from nexuscore.modules.orgs.access import require_all
from nexuscore.modules.orgs.errors import AlreadyInvited, AlreadyMember, InvitationClosed, LimitReached, TooSoon
from nexuscore.modules.orgs.events import InvitationResent, InvitationRevoked, MemberInvited
from nexuscore.modules.orgs.messages import Invited
from nexuscore.modules.orgs.schemas import NewInvitation
from nexuscore.modules.orgs.settings import OrgsSettings
from nexuscore.modules.orgs.tables import Invitation, Organisation

DAYS = preferences.Setting(
    "invitations.days",
    Annotated[int, Field(ge=1, le=30)],
    None,
    "How many days an invitation is valid, from 1 to 30.",
)
_PENDING = (Invitation.state == "pending", Invitation.expires_at > bindparam("now"))
_SHOWN = select(
    Invitation.id,
    Invitation.email,
    Invitation.role,
    Invitation.custom_role_id,
    case(
        ((Invitation.state == "pending") & (Invitation.expires_at <= bindparam("now")), "expired"),
        else_=Invitation.state,
    ).label("state"),
    Invitation.expires_at,
    Invitation.sent_at,
    Invitation.invited_by,
    Invitation.created_at,
)
INVITATIONS = Listing(
    _SHOWN,
    by=Invitation.id,
    sorts=(Invitation.email, Invitation.created_at, Invitation.expires_at),
    filters={"pending": flag("Only those that are open.", *_PENDING), "role": equals(Invitation.role)},
    search=(Invitation.email,),
)
_ONE = select(Invitation).where(Invitation.org_id == bindparam("org"), Invitation.id == bindparam("invitation"))
_NUMBER = select(func.count()).select_from(Invitation).where(*_PENDING)
_INVITE = upsert(Invitation).on_conflict_do_nothing().returning(Invitation)
_EXPIRE = (
    update(Invitation)
    .where(Invitation.email == bindparam("address"), Invitation.state == "pending")
    .where(Invitation.expires_at <= bindparam("now"))
    .values(state="expired")
)
_RENEW = (
    update(Invitation)
    .where(Invitation.id == bindparam("invitation"), Invitation.state == "pending")
    .values(token_hash=bindparam("secret"), expires_at=bindparam("until"), sent_at=bindparam("now"))
    .returning(Invitation)
)
_REVOKE = (
    update(Invitation)
    .where(Invitation.id == bindparam("invitation"), Invitation.state == "pending")
    .values(state="revoked", answered_at=bindparam("now"))
    .returning(Invitation.id)
)


async def listed(ctx: Ctx, query: PageQuery) -> Json:
    """The organisation's invitations, the latest first."""
    return await ctx.db.page(INVITATIONS, query, now=ctx.now)


async def get(ctx: Ctx, org_id: UUID, invitation_id: UUID) -> Invitation:
    """One invitation."""
    return await ctx.db.one(_ONE, org=org_id, invitation=invitation_id)


async def invite(ctx: Ctx, org: Organisation, new: NewInvitation) -> Invitation:
    """Offer membership to an address and mail it. Nobody offers more than they hold."""
    name = new.role or ("member" if new.custom_role_id is None else None)
    role = await roles.named(ctx, name, new.custom_role_id)
    assert role is not None  # noqa: S101 - one of the two was given
    require_all(ctx, role.permissions)
    await people.lock(ctx, org.id)
    person = await identity.user_by_email(ctx, new.email)
    if person is not None and await people.find(ctx, org.id, person.id) is not None:
        raise AlreadyMember
    await _require_room(ctx)
    inviter = await people.acting(ctx)
    await ctx.db.execute(_EXPIRE, address=new.email, now=ctx.now)
    token = new_token("nxi_")
    invitation = await ctx.db.first(
        _INVITE,
        email=new.email,
        role=role.name,
        custom_role_id=role.custom_id,
        token_hash=token.hash,
        expires_at=_until(ctx, org),
        sent_at=ctx.now,
        invited_by=inviter.id if inviter is not None else None,
    )
    if invitation is None:
        raise AlreadyInvited
    ctx.emit(MemberInvited(invitation_id=invitation.id, role=role.name, custom_role_id=role.custom_id))
    await _mail(ctx, org, invitation, token.value, person.locale if person else org.locale)
    return invitation


async def resend(ctx: Ctx, org: Organisation, invitation: Invitation) -> Invitation:
    """Mail an open or expired invitation again, with a new secret and a new expiry; the former link is dead."""
    role = await roles.of(ctx, invitation)
    require_all(ctx, role.permissions)
    waited = ctx.now - invitation.sent_at
    wait = timedelta(seconds=ctx.app.settings[OrgsSettings].resend_wait_s)
    if waited < wait:
        raise TooSoon(retry_after=(wait - waited).total_seconds())
    token = new_token("nxi_")
    renewed = await ctx.db.first(
        _RENEW, invitation=invitation.id, secret=token.hash, until=_until(ctx, org), now=ctx.now
    )
    if renewed is None:
        raise InvitationClosed(details={"state": invitation.state})
    ctx.emit(InvitationResent(invitation_id=invitation.id))
    person = await identity.user_by_email(ctx, invitation.email)
    await _mail(ctx, org, renewed, token.value, person.locale if person else org.locale)
    return renewed


async def revoke(ctx: Ctx, invitation: Invitation) -> None:
    """Take an invitation back; its link is dead."""
    if await ctx.db.first(_REVOKE, invitation=invitation.id, now=ctx.now) is None:
        raise InvitationClosed(details={"state": invitation.state})
    ctx.emit(InvitationRevoked(invitation_id=invitation.id))


async def _require_room(ctx: Ctx) -> None:
    most = ctx.app.settings[OrgsSettings].most_invitations
    if await ctx.db.value(_NUMBER, now=ctx.now) >= most:
        raise LimitReached(
            "{limit} invitations are open at the same time, more are not possible. Withdraw some first.",
            details={"what": "invitations", "limit": most},
            limit=most,
        )
    await people.require_room(ctx, invited=True)


def _until(ctx: Ctx, org: Organisation) -> datetime:
    own: int | None = preferences.setting(ctx.app, org, DAYS.name)
    return ctx.now + timedelta(days=own or ctx.app.settings[OrgsSettings].invitation_days)


async def _mail(ctx: Ctx, org: Organisation, invitation: Invitation, token: str, locale: str) -> None:
    inviter = await identity.user(ctx, invitation.invited_by) if invitation.invited_by is not None else None
    message = Invited(
        organisation=org.name,
        inviter=(inviter.name or inviter.email or org.name) if inviter is not None else org.name,
        link=identity.page(ctx.app, "invitation", token=token),
        expires_at=invitation.expires_at,
        zone=org.time_zone,
    )
    await mail.send(ctx, message, to=invitation.email, locale=locale)
