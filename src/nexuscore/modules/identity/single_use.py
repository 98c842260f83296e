"""Secrets that work once: links and codes that are mailed, challenges, the first admin's link.

What is stored is a hash. Whoever redeems does so with one UPDATE, so of many at once exactly one succeeds.
The owner's row is locked before the secret's: two links of one person, each of which kills the other, take turns.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import randbelow
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, case, delete, insert, null, or_, select, update

from nexuscore.kernel.crypto import hash_token, new_token
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.ids import uuid7
from nexuscore.modules.identity.errors import SecretInvalid
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.tables import Secret, User

VERIFY_EMAIL = "verify_email"
CHANGE_EMAIL = "change_email"
RESET_PASSWORD = "reset_password"  # noqa: S105 - a purpose, not a password
BOOTSTRAP = "bootstrap"
SIGN_IN = "sign_in"
MAGIC_LINK = "magic_link"
PHONE = "phone"
OAUTH = "oauth"

_LIVE = (Secret.used_at.is_(None), Secret.expires_at > bindparam("now"))
_BY_TOKEN = (Secret.hash == bindparam("token_hash"), Secret.purpose == bindparam("what"), *_LIVE)
_BY_ID = (Secret.id == bindparam("secret_id"), Secret.purpose == bindparam("what"), *_LIVE)
_TRIABLE = (
    Secret.tries < bindparam("most"),
    or_(Secret.code_expires_at.is_(None), Secret.code_expires_at > bindparam("now")),
)
_OWNER = select(User.id).join(Secret, Secret.user_id == User.id).with_for_update(of=User, key_share=True)
_LOCK_BY_TOKEN = _OWNER.where(Secret.hash == bindparam("token_hash"))
_LOCK_BY_ID = _OWNER.where(Secret.id == bindparam("secret_id"))
_ISSUE = insert(Secret)
_PEEK = select(Secret).where(*_BY_TOKEN)
_PEEK_ID = select(Secret).where(*_BY_ID)
_REDEEM = update(Secret).where(*_BY_TOKEN).values(used_at=bindparam("now")).returning(Secret)
_REDEEM_ID = update(Secret).where(*_BY_ID).values(used_at=bindparam("now")).returning(Secret)
_COUNT_TRY = update(Secret).where(*_BY_ID, *_TRIABLE).values(tries=Secret.tries + 1).returning(Secret)
_TRY_CODE = (
    update(Secret)
    .where(*_BY_ID, *_TRIABLE)
    .values(
        tries=Secret.tries + 1,
        used_at=case((Secret.code_hash == bindparam("given"), bindparam("now")), else_=null()),
    )
    .returning(Secret)
)
_RENEW = update(Secret).where(*_BY_ID)
_KILL = (
    update(Secret)
    .where(Secret.user_id == bindparam("owner"), Secret.used_at.is_(None))
    .values(used_at=bindparam("now"), data={})
)
_KILL_SOME = _KILL.where(Secret.purpose == bindparam("what"))
_KILL_OF_NOBODY = (
    update(Secret)
    .where(Secret.purpose == bindparam("what"), Secret.user_id.is_(None), Secret.used_at.is_(None))
    .values(used_at=bindparam("now"))
)
_SWEEP = delete(Secret).where(Secret.expires_at < bindparam("before"))


@dataclass(frozen=True, slots=True)
class Issued:
    """A new secret, on its way to one person: the link's token, and the code if one was asked for."""

    id: UUID
    expires_at: datetime
    token: str = field(repr=False)
    code: str = field(repr=False, default="")


async def issue(
    ctx: Ctx,
    purpose: str,
    user_id: UUID | None,
    lasts: timedelta,
    *,
    code: bool = False,
    data: dict[str, Any] | None = None,
) -> Issued:
    """Make a secret. With `code`, also a short one that needs the secret's id and may be tried a few times."""
    settings = ctx.app.settings[IdentitySettings]
    token, id, expires_at = new_token("nxs_"), uuid7(), ctx.now + lasts
    digits = _digits(settings) if code else ""
    await ctx.db.execute(
        _ISSUE,
        id=id,
        purpose=purpose,
        user_id=user_id,
        hash=token.hash,
        code_hash=_code_hash(ctx, id, digits) if code else None,
        data=data or {},
        created_at=ctx.now,
        expires_at=expires_at,
        code_expires_at=ctx.now + timedelta(minutes=settings.code_minutes) if code else None,
    )
    return Issued(id, expires_at, token.value, digits)


async def renew(ctx: Ctx, secret: Secret, user_id: UUID) -> Issued:
    """Give a secret to a person, with a new token and a new code; the old ones stop working."""
    settings = ctx.app.settings[IdentitySettings]
    token, digits = new_token("nxs_"), _digits(settings)
    await ctx.db.execute(
        _RENEW,
        secret_id=secret.id,
        what=secret.purpose,
        now=ctx.now,
        user_id=user_id,
        hash=token.hash,
        code_hash=_code_hash(ctx, secret.id, digits),
        code_expires_at=ctx.now + timedelta(minutes=settings.code_minutes),
        tries=0,
    )
    return Issued(secret.id, secret.expires_at, token.value, digits)


async def new_code(ctx: Ctx, secret: Secret) -> str:
    """Give a secret a short code, in place of one it may have had."""
    settings = ctx.app.settings[IdentitySettings]
    digits = _digits(settings)
    await ctx.db.execute(
        _RENEW,
        secret_id=secret.id,
        what=secret.purpose,
        now=ctx.now,
        code_hash=_code_hash(ctx, secret.id, digits),
        code_expires_at=ctx.now + timedelta(minutes=settings.code_minutes),
        tries=0,
    )
    return digits


async def peek(ctx: Ctx, purpose: str, token: str) -> Secret:
    """The live secret a token stands for, without using it up; `SecretInvalid` when there is none."""
    return _found(await ctx.db.first(_PEEK, token_hash=hash_token(token), what=purpose, now=ctx.now))


async def peek_id(ctx: Ctx, purpose: str, secret_id: UUID) -> Secret:
    """The live secret with this id, without using it up."""
    return _found(await ctx.db.first(_PEEK_ID, secret_id=secret_id, what=purpose, now=ctx.now))


async def redeem(ctx: Ctx, purpose: str, token: str) -> Secret:
    """Use up the secret a token stands for; `SecretInvalid` for everybody but the first."""
    await ctx.db.first(_LOCK_BY_TOKEN, token_hash=hash_token(token))
    return _found(await ctx.db.first(_REDEEM, token_hash=hash_token(token), what=purpose, now=ctx.now))


async def redeem_id(ctx: Ctx, purpose: str, secret_id: UUID) -> Secret:
    """Use up the secret with this id, once what it asked for was shown."""
    await ctx.db.first(_LOCK_BY_ID, secret_id=secret_id)
    return _found(await ctx.db.first(_REDEEM_ID, secret_id=secret_id, what=purpose, now=ctx.now))


def owner_of(secret: Secret) -> UUID:
    """Whose secret it is; `SecretInvalid` when it is nobody's yet."""
    if secret.user_id is None:
        raise SecretInvalid
    return secret.user_id


async def try_code(ctx: Ctx, purpose: str, secret_id: UUID, code: str) -> Secret | None:
    """Try a code: the secret, used up, when it is right. None when it is wrong, over, used, or tried too often.

    A wrong try counts only if the transaction commits: do not raise through it, or raise what `commits`.
    """
    await ctx.db.first(_LOCK_BY_ID, secret_id=secret_id)
    given = _code_hash(ctx, secret_id, code.strip())
    most = ctx.app.settings[IdentitySettings].code_tries
    row = await ctx.db.first(_TRY_CODE, secret_id=secret_id, what=purpose, given=given, most=most, now=ctx.now)
    return row if row is not None and row.used_at is not None else None


async def count_try(ctx: Ctx, purpose: str, secret_id: UUID, most: int) -> Secret | None:
    """Count a try at what a secret asks for (a challenge); None when it is over or was tried too often."""
    await ctx.db.first(_LOCK_BY_ID, secret_id=secret_id)
    return await ctx.db.first(_COUNT_TRY, secret_id=secret_id, what=purpose, most=most, now=ctx.now)


async def kill(ctx: Ctx, user_id: UUID, purpose: str | None = None) -> None:
    """Make every secret of a person useless, or those for one purpose."""
    if purpose is None:
        await ctx.db.execute(_KILL, owner=user_id, now=ctx.now)
    else:
        await ctx.db.execute(_KILL_SOME, owner=user_id, what=purpose, now=ctx.now)


async def kill_of_nobody(ctx: Ctx, purpose: str) -> None:
    """Make secrets useless that belong to no account, such as the first admin's link."""
    await ctx.db.execute(_KILL_OF_NOBODY, what=purpose, now=ctx.now)


async def sweep(ctx: Ctx) -> None:
    """Remove what has been over for a day."""
    await ctx.db.execute(_SWEEP, before=ctx.now - timedelta(days=1))


def _digits(settings: IdentitySettings) -> str:
    return "".join(str(randbelow(10)) for _ in range(settings.code_digits))


def _code_hash(ctx: Ctx, secret_id: UUID, code: str) -> str:
    """A code is short, so its hash needs a key that no dump of the database holds."""
    return ctx.app.keyring.sign("identity.code", f"{secret_id}:{code}".encode())


def _found(row: Secret | None) -> Secret:
    if row is None:
        raise SecretInvalid
    return row
