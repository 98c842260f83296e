"""Codes that raise people: invite codes that stand for a platform role, and the unlock code of the settings.

A code never lowers anybody. What is stored is its hash; of many who redeem the last use at once, one succeeds.
"""

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import bindparam, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from nexuscore.kernel.crypto import hash_token, new_token, same
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.errors import AuthenticationError, Fault, NotFoundError, ValidationError
from nexuscore.kernel.filters import equals
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.tables import columns
from nexuscore.modules.identity.directory import user as one_user
from nexuscore.modules.identity.errors import SecretInvalid
from nexuscore.modules.identity.events import (
    InviteCodeCreated,
    InviteCodeRevoked,
    InviteCodeUsed,
    Unlocked,
)
from nexuscore.modules.identity.exchanges import begin
from nexuscore.modules.identity.people import set_platform_role
from nexuscore.modules.identity.roles import RANK
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.tables import User
from nexuscore.modules.identity.way_schemas import InviteCodeOut, NewInviteCode, PlatformRole
from nexuscore.modules.identity.way_tables import InviteCode, InviteCodeUse

_NEW = insert(InviteCode).returning(InviteCode)
CODES = Listing(
    select(*columns(InviteCode, InviteCodeOut.model_fields)),
    by=InviteCode.id,
    sorts=(InviteCode.label, InviteCode.created_at, InviteCode.expires_at),
    filters={"role": equals(InviteCode.role, PlatformRole)},
    search=(InviteCode.label,),
)
_LIVE = (
    InviteCode.uses_left > 0,
    or_(InviteCode.expires_at.is_(None), InviteCode.expires_at > bindparam("now")),
)
_PEEK = select(InviteCode).where(InviteCode.hash == bindparam("code_hash"))
_TAKE = (
    update(InviteCode)
    .where(InviteCode.hash == bindparam("code_hash"), *_LIVE)
    .values(
        uses_left=InviteCode.uses_left - 1,
        first_used_by=func.coalesce(InviteCode.first_used_by, bindparam("taker")),
        first_used_at=func.coalesce(InviteCode.first_used_at, bindparam("now")),
    )
    .returning(InviteCode)
)
_USE = upsert(InviteCodeUse).on_conflict_do_nothing().returning(InviteCodeUse.code_id)
_REVOKE = (
    update(InviteCode)
    .where(InviteCode.id == bindparam("code_id"), InviteCode.uses_left > 0)
    .values(uses_left=0)
    .returning(InviteCode.id)
)
_LOCK = select(User).where(User.id == bindparam("taker")).with_for_update()


@dataclass(frozen=True, slots=True)
class NewCode:
    """A code that was just made, shown this once."""

    row: InviteCode
    code: str = field(repr=False)


async def create(ctx: Ctx, new: NewInviteCode) -> NewCode:
    """Make a code."""
    if new.expires_at is not None and new.expires_at <= ctx.now:
        raise ValidationError.of([Fault("expires_at", "in_the_past", "This time is over already.")])
    token = new_token(nbytes=16)
    row = await ctx.db.one(
        _NEW,
        hash=token.hash,
        role=new.role,
        label=new.label,
        uses_left=new.uses,
        expires_at=new.expires_at,
        created_by=ctx.actor.id,
    )
    ctx.emit(InviteCodeCreated(code_id=row.id, role=row.role, uses=row.uses_left))
    return NewCode(row, token.value)


async def page(ctx: Ctx, query: PageQuery) -> Json:
    """All codes, the newest first."""
    return await ctx.db.page(CODES, query)


async def revoke(ctx: Ctx, code_id: UUID) -> None:
    """Take back what is left of a code."""
    if await ctx.db.first(_REVOKE, code_id=code_id) is None:
        raise NotFoundError
    ctx.emit(InviteCodeRevoked(code_id=code_id))


async def redeem(exchange: Exchange, code: str) -> str:
    """Redeem a code for the caller; their platform role afterwards."""
    async with begin(exchange) as ctx:
        taker = ctx.actor.id
        if taker is None:
            raise AuthenticationError
        found = await ctx.db.first(_PEEK, code_hash=hash_token(code))
        if found is None:
            raise SecretInvalid
        if await ctx.db.first(_USE, code_id=found.id, user_id=taker, used_at=ctx.now) is None:
            return (await one_user(ctx, taker)).platform_role  # the same person again: nothing more is used up
        taken = await ctx.db.first(_TAKE, code_hash=hash_token(code), taker=taker, now=ctx.now)
        if taken is None:
            raise SecretInvalid
        ctx.emit(InviteCodeUsed(user_id=taker, code_id=taken.id, role=taken.role, label=taken.label))
        return await _raise(ctx, taker, taken.role)


async def unlock(exchange: Exchange, code: str) -> str:
    """Make the caller a user, if they know the unlock code; their platform role afterwards."""
    wanted = exchange.app.settings[IdentitySettings].unlock_code
    if wanted is None or not same(code, wanted.get_secret_value()):
        raise SecretInvalid
    async with begin(exchange) as ctx:
        if ctx.actor.id is None:
            raise AuthenticationError
        ctx.emit(Unlocked(user_id=ctx.actor.id))
        return await _raise(ctx, ctx.actor.id, "user")


async def _raise(ctx: Ctx, taker: UUID, role: str) -> str:
    """Raise somebody to `role`; whoever stands there or above stays."""
    user = await ctx.db.one(_LOCK, taker=taker)
    if RANK[user.platform_role] >= RANK[role]:
        return user.platform_role
    return (await set_platform_role(ctx, user, role)).platform_role
