"""Ownership: offered by an owner, taken by a member. Nothing changes until the other side accepts."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import AuthorizationError, Fault, NotFoundError, ValidationError
from nexuscore.modules import identity, mail
from nexuscore.modules.orgs import access, people
from nexuscore.modules.orgs.errors import TransferPending, TransferVoid
from nexuscore.modules.orgs.events import (
    OwnershipTransferAccepted,
    OwnershipTransferCancelled,
    OwnershipTransferDeclined,
    OwnershipTransferOffered,
)
from nexuscore.modules.orgs.messages import OwnershipOffered
from nexuscore.modules.orgs.roles import Role
from nexuscore.modules.orgs.schemas import NewTransfer
from nexuscore.modules.orgs.settings import OrgsSettings
from nexuscore.modules.orgs.tables import Organisation, OwnershipTransfer

_OPEN = (
    select(OwnershipTransfer)
    .where(OwnershipTransfer.org_id == bindparam("org"), OwnershipTransfer.state == "pending")
    .where(OwnershipTransfer.expires_at > bindparam("now"))
)
_EXPIRE = (
    update(OwnershipTransfer)
    .where(OwnershipTransfer.state == "pending", OwnershipTransfer.expires_at <= bindparam("now"))
    .values(state="expired")
)
_OFFER = upsert(OwnershipTransfer).on_conflict_do_nothing().returning(OwnershipTransfer)
_ANSWER = (
    update(OwnershipTransfer)
    .where(OwnershipTransfer.id == bindparam("transfer"), OwnershipTransfer.state == "pending")
    .values(state=bindparam("answer"), answered_at=bindparam("now"))
    .returning(OwnershipTransfer.id)
)


async def get(ctx: Ctx, org_id: UUID) -> OwnershipTransfer:
    """The open offer of an organisation's ownership; there is at most one."""
    return await ctx.db.one(_OPEN, org=org_id, now=ctx.now)


async def offer(ctx: Ctx, org: Organisation, new: NewTransfer) -> OwnershipTransfer:
    """Offer ownership to a member and mail it."""
    await people.lock(ctx, org.id)
    giver = await people.find(ctx, org.id, (await people.require_person(ctx)).id)
    if giver is None or giver.role != "owner":
        raise AuthorizationError(code="ownership_denied")
    taker = await people.find(ctx, org.id, new.user_id)
    if taker is None or taker.role == "owner":
        raise ValidationError.of([Fault("user_id", "not_a_candidate", "Choose a member who is not an owner yet.")])
    await ctx.db.execute(_EXPIRE, now=ctx.now)
    transfer = await ctx.db.first(
        _OFFER,
        from_user_id=giver.user_id,
        to_user_id=taker.user_id,
        step_down=new.step_down,
        expires_at=ctx.now + timedelta(days=ctx.app.settings[OrgsSettings].transfer_days),
    )
    if transfer is None:
        raise TransferPending
    ctx.emit(
        OwnershipTransferOffered(
            transfer_id=transfer.id,
            from_user_id=giver.user_id,
            to_user_id=taker.user_id,
            step_down=new.step_down,
        )
    )
    await _mail(ctx, org, transfer)
    return transfer


async def accept(ctx: Ctx, org_id: UUID) -> None:
    """Become an owner. The one who offered must be one still, and steps down if that was the offer."""
    await people.lock(ctx, org_id)
    transfer = await _to_me(ctx, org_id)
    giver = await people.find(ctx, org_id, transfer.from_user_id)
    taker = await people.find(ctx, org_id, transfer.to_user_id)
    if taker is None or giver is None or giver.role != "owner":
        raise TransferVoid
    await ctx.db.one(_ANSWER, transfer=transfer.id, answer="accepted", now=ctx.now)
    ctx.emit(OwnershipTransferAccepted(transfer_id=transfer.id, to_user_id=taker.user_id))
    await people.give(ctx, taker, _role(ctx, "owner"), [])
    if transfer.step_down:
        await people.give(ctx, giver, _role(ctx, "admin"), [])


async def decline(ctx: Ctx, org_id: UUID) -> None:
    """Say no; everything stays as it is."""
    transfer = await _to_me(ctx, org_id)
    await ctx.db.one(_ANSWER, transfer=transfer.id, answer="declined", now=ctx.now)
    ctx.emit(OwnershipTransferDeclined(transfer_id=transfer.id, to_user_id=transfer.to_user_id))


async def cancel(ctx: Ctx, transfer: OwnershipTransfer) -> None:
    """Take the offer back."""
    await ctx.db.one(_ANSWER, transfer=transfer.id, answer="cancelled", now=ctx.now)
    ctx.emit(OwnershipTransferCancelled(transfer_id=transfer.id, to_user_id=transfer.to_user_id))


async def _to_me(ctx: Ctx, org_id: UUID) -> OwnershipTransfer:
    transfer = await get(ctx, org_id)
    if transfer.to_user_id != ctx.actor.id:
        raise NotFoundError
    return transfer


def _role(ctx: Ctx, name: str) -> Role:
    return Role(name, None, access.held_by_role(ctx.app, name))


async def _mail(ctx: Ctx, org: Organisation, transfer: OwnershipTransfer) -> None:
    giver = await identity.user(ctx, transfer.from_user_id)
    taker = await identity.user(ctx, transfer.to_user_id)
    if taker.email is not None:
        message = OwnershipOffered(
            organisation=org.name,
            owner=giver.name or giver.email or "",
            link=identity.page(ctx.app, "organisations", id=str(org.id)),
            expires_at=transfer.expires_at,
            zone=org.time_zone,
        )
        await mail.send(ctx, message, to=taker.email, locale=taker.locale)
