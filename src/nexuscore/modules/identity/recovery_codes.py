"""Recovery codes: ten at a time, shown once, each good for one sign-in in place of a lost second factor."""

from secrets import choice
from uuid import UUID

from sqlalchemy import bindparam, delete, func, insert, select, update

from nexuscore.kernel.crypto import hash_token
from nexuscore.kernel.ctx import Ctx
from nexuscore.modules.identity import mails
from nexuscore.modules.identity.events import RecoveryCodesMade, RecoveryCodeUsed
from nexuscore.modules.identity.factor_tables import RecoveryCode
from nexuscore.modules.identity.tables import User

HOW_MANY = 10

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: nothing in it is mistaken for something else
_LENGTH = 16  # 80 bits: too many for anybody who has the hashes
_MISREAD = str.maketrans("oil", "011", "- \t\u2010\u2011\u2012\u2013")

_NEW = insert(RecoveryCode)
_FORGET = delete(RecoveryCode).where(RecoveryCode.user_id == bindparam("owner"))
_USE = (
    update(RecoveryCode)
    .where(
        RecoveryCode.user_id == bindparam("owner"),
        RecoveryCode.hash == bindparam("given"),
        RecoveryCode.used_at.is_(None),
    )
    .values(used_at=bindparam("now"))
)
_LEFT = select(func.count(RecoveryCode.id)).where(
    RecoveryCode.user_id == bindparam("owner"), RecoveryCode.used_at.is_(None)
)


async def make(ctx: Ctx, user_id: UUID) -> list[str]:
    """New codes for a person whose row is locked; the old ones stop working. Only their hashes are kept."""
    await forget(ctx, user_id)
    codes = [_code() for _ in range(HOW_MANY)]
    for code in codes:
        await ctx.db.execute(_NEW, user_id=user_id, hash=_hash(user_id, code), created_at=ctx.now)
    ctx.emit(RecoveryCodesMade(user_id=user_id))
    return codes


async def use(ctx: Ctx, user: User, code: str) -> bool:
    """Use up a code; true for exactly one who brings it. Its owner is told."""
    if not await ctx.db.execute(_USE, owner=user.id, given=_hash(user.id, code), now=ctx.now):
        return False
    left = await ctx.db.value(_LEFT, owner=user.id)
    ctx.emit(RecoveryCodeUsed(user_id=user.id, left=left))
    message = mails.RecoveryCodeUsed(
        left=left, at=ctx.now, zone=user.time_zone, security=mails.page(ctx.app, "security")
    )
    await mails.post(ctx, user, message)
    return True


async def forget(ctx: Ctx, user_id: UUID) -> None:
    """Remove a person's codes."""
    await ctx.db.execute(_FORGET, owner=user_id)


def _code() -> str:
    letters = "".join(choice(_ALPHABET) for _ in range(_LENGTH))
    return "-".join(letters[at : at + 4] for at in range(0, _LENGTH, 4))


def _hash(user_id: UUID, code: str) -> bytes:
    """The same however the code is written: with or without dashes, an O for a zero, in capitals."""
    return hash_token(f"{user_id}:{code.lower().translate(_MISREAD)}")
