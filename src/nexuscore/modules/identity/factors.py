"""Second factors: which ones a person has set up, and what follows when that changes.

Every change first locks the person's row, so that two changes at once see each other: the first factor
brings the recovery codes, the last one takes them along.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, func, select

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.modules.identity import mails, recovery_codes, sessions
from nexuscore.modules.identity.counters import Counter
from nexuscore.modules.identity.errors import SecondFactorOff, SecondFactorRequired
from nexuscore.modules.identity.events import SecondFactorDisabled, SecondFactorEnabled
from nexuscore.modules.identity.factor_tables import Passkey, RecoveryCode, TotpSecret
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.tables import User

PASSKEY = "passkey"
TOTP = "totp"
RECOVERY_CODE = "recovery_code"
VERIFIED = "user_verification"  # beside "passkey": its authenticator checked who holds it, so it counts as two

_OWNER: Any = bindparam("owner")
_USER = select(User).where(User.id == _OWNER)
_LOCK = _USER.with_for_update(key_share=True)
_HELD = select(
    select(func.count(Passkey.id)).where(Passkey.user_id == _OWNER).scalar_subquery().label("passkeys"),
    select(func.count(TotpSecret.user_id))
    .where(TotpSecret.user_id == _OWNER, TotpSecret.confirmed_at.is_not(None))
    .scalar_subquery()
    .label("totp"),
    select(func.count(RecoveryCode.id))
    .where(RecoveryCode.user_id == _OWNER, RecoveryCode.used_at.is_(None))
    .scalar_subquery()
    .label("recovery_codes"),
)
_FORGET = [delete(table).where(table.user_id == _OWNER) for table in (Passkey, TotpSecret, RecoveryCode)]


async def factors_of(ctx: Ctx, user: User) -> list[str]:
    """The second factors that are confirmed, the one to offer first at the front; empty when there are none."""
    held = await ctx.db.one(_HELD, owner=user.id)
    factors = [name for name, count in ((PASSKEY, held.passkeys), (TOTP, held.totp)) if count]
    return [*factors, RECOVERY_CODE] if factors and held.recovery_codes else factors


async def lock(ctx: Ctx, user_id: UUID | None) -> User:
    """A person whose second factors are about to change; others who change them wait until this transaction ends."""
    return await ctx.db.one(_LOCK, owner=user_id)


def tries(app: App, user: User) -> Counter:
    """How often somebody's codes may be tried in a day, whichever operation takes them. A right one clears it."""
    most = app.settings[IdentitySettings].second_factor_tries_per_day
    return Counter("second_factor", str(user.id), most, timedelta(days=1))


async def status(ctx: Ctx) -> dict[str, Any]:
    """The caller's second factors, and whether their role demands one."""
    user, held = await ctx.db.one(_USER, owner=ctx.actor.id), await ctx.db.one(_HELD, owner=ctx.actor.id)
    return {
        "totp": bool(held.totp),
        "passkeys": held.passkeys,
        "recovery_codes_left": held.recovery_codes,
        "required": is_required(ctx, user),
        "missing": "second_factor_missing" in ctx.actor.facts,
    }


def is_required(ctx: Ctx, user: User) -> bool:
    """Whether somebody's role needs a second factor."""
    return user.platform_role == "admin" and ctx.app.settings[IdentitySettings].require_second_factor_for_admins


async def turned_on(ctx: Ctx, user: User, factor: str, *, first: bool, name: str = "") -> list[str] | None:
    """What follows a new factor: facts, a mail, a session that has shown it; and codes for when it is lost."""
    if first:
        ctx.emit(SecondFactorEnabled(user_id=user.id, factor=factor))
    await sessions.add_factor(ctx, factor)
    message = mails.SecondFactorEnabled(
        factor=factor, name=name, at=ctx.now, zone=user.time_zone, security=mails.page(ctx.app, "security")
    )
    await mails.post(ctx, user, message)
    held = await ctx.db.one(_HELD, owner=user.id)
    return None if held.recovery_codes else await recovery_codes.make(ctx, user.id)


async def turned_off(ctx: Ctx, user: User, factor: str, *, last: bool, name: str = "") -> None:
    """What follows when a factor is gone. Who must have one cannot give up the only one."""
    held = await ctx.db.one(_HELD, owner=user.id)
    if not held.totp and not held.passkeys:
        if is_required(ctx, user):
            raise SecondFactorRequired
        await recovery_codes.forget(ctx, user.id)
    if last:
        ctx.emit(SecondFactorDisabled(user_id=user.id, factor=factor))
    message = mails.SecondFactorDisabled(
        factor=factor, name=name, at=ctx.now, zone=user.time_zone, security=mails.page(ctx.app, "security")
    )
    await mails.post(ctx, user, message)


async def new_recovery_codes(ctx: Ctx) -> list[str]:
    """New recovery codes for the caller; the ones before stop working."""
    user = await lock(ctx, ctx.actor.id)
    if not await factors_of(ctx, user):
        raise SecondFactorOff
    return await recovery_codes.make(ctx, user.id)


async def forget(ctx: Ctx, user_id: UUID) -> None:
    """Remove all second factors of somebody whose account is gone."""
    for statement in _FORGET:
        await ctx.db.execute(statement, owner=user_id)
