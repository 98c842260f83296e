"""Time-based codes (RFC 6238) of an authenticator app. A code counts once, and only after one was shown to be right."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from nexuscore.kernel.crypto import same
from nexuscore.kernel.ctx import Ctx
from nexuscore.modules.identity import counters, factors
from nexuscore.modules.identity.errors import SecondFactorInvalid, TotpAlreadyOn, TotpOff
from nexuscore.modules.identity.factor_tables import TotpSecret
from nexuscore.modules.identity.factors import TOTP
from nexuscore.modules.identity.tables import User

_SECONDS = 30
_DRIFT = (0, -1, 1)  # a clock may be one step off, either way
_PURPOSE = "identity.totp"

_MINE = TotpSecret.user_id == bindparam("owner")
_draft = insert(TotpSecret)
_DRAFT = _draft.on_conflict_do_update(
    index_elements=[TotpSecret.user_id],
    set_={"sealed": _draft.excluded.sealed, "created_at": _draft.excluded.created_at},
    where=TotpSecret.confirmed_at.is_(None),
).returning(TotpSecret)
_DRAFTED = select(TotpSecret).where(_MINE, TotpSecret.confirmed_at.is_(None))
_ON = select(TotpSecret).where(_MINE, TotpSecret.confirmed_at.is_not(None))
_CONFIRM = (
    update(TotpSecret)
    .where(_MINE, TotpSecret.confirmed_at.is_(None))
    .values(confirmed_at=bindparam("now"), last_step=bindparam("step"))
)
_USE_STEP = (
    update(TotpSecret)
    .where(_MINE, TotpSecret.confirmed_at.is_not(None), TotpSecret.last_step < bindparam("step"))
    .values(last_step=bindparam("step"), sealed=bindparam("resealed"))
)
_OFF = delete(TotpSecret).where(_MINE)


@dataclass(frozen=True, slots=True)
class Draft:
    """A secret to put into an app: as text, as the address apps read, and as a picture of that address."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)
    qr: str = field(repr=False)


async def set_up(ctx: Ctx) -> Draft:
    """A new secret for the caller, in place of one that was never confirmed. Nothing asks for its codes yet."""
    import pyotp
    import segno

    user = await factors.lock(ctx, ctx.actor.id)
    secret = pyotp.random_base32()
    sealed = ctx.app.keyring.seal(_PURPOSE, secret, context=str(user.id))
    if await ctx.db.first(_DRAFT, user_id=user.id, sealed=sealed, created_at=ctx.now) is None:
        raise TotpAlreadyOn
    name = user.email or user.phone or user.name or str(user.id)
    uri = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ctx.app.kernel.title.replace(":", " "))
    return Draft(secret, uri, segno.make(uri, error="m").svg_data_uri(scale=4, border=4, light="#fff"))


async def confirm(ctx: Ctx, code: str) -> list[str] | None:
    """Turn the caller's app on after a first right code. The recovery codes, if these are the first."""
    user = await factors.lock(ctx, ctx.actor.id)
    await counters.require(ctx, factors.tries(ctx.app, user))
    draft = await ctx.db.first(_DRAFTED, owner=user.id)
    if draft is None:
        raise TotpOff
    step = _step_of(_open(ctx, draft), code, ctx.now, after=0)
    if step is None:
        raise SecondFactorInvalid
    await ctx.db.execute(_CONFIRM, owner=user.id, step=step, now=ctx.now)
    await counters.clear(ctx, factors.tries(ctx.app, user))
    return await factors.turned_on(ctx, user, TOTP, first=True)


async def turn_off(ctx: Ctx) -> None:
    """Forget the caller's app, confirmed or not."""
    user = await factors.lock(ctx, ctx.actor.id)
    was_on = await ctx.db.first(_ON, owner=user.id) is not None
    if not await ctx.db.execute(_OFF, owner=user.id):
        raise TotpOff
    if was_on:
        await factors.turned_off(ctx, user, TOTP, last=True)


async def accept(ctx: Ctx, user: User, code: str) -> bool:
    """Whether a code is right now, and was not used before; of many who bring it at once, true for one."""
    row = await ctx.db.first(_ON, owner=user.id)
    if row is None:
        return False
    step = _step_of(_open(ctx, row), code, ctx.now, after=row.last_step)
    if step is None:
        return False
    resealed = ctx.app.keyring.reseal(_PURPOSE, row.sealed, context=str(user.id))
    return await ctx.db.execute(_USE_STEP, owner=user.id, step=step, resealed=resealed) == 1


def _open(ctx: Ctx, row: TotpSecret) -> str:
    return ctx.app.keyring.open_sealed(_PURPOSE, row.sealed, context=str(row.user_id)).decode()


def _step_of(secret: str, code: str, now: datetime, *, after: int) -> int | None:
    """The step of 30 seconds a code belongs to, of those around now and later than `after`."""
    import pyotp

    totp, current = pyotp.TOTP(secret), int(now.timestamp()) // _SECONDS
    steps = [current + drift for drift in _DRIFT if current + drift > after]
    return next((step for step in steps if same(totp.generate_otp(step), code)), None)
