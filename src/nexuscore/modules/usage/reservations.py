"""Reserve, settle, release: what is under way is counted before it is done, so that no cap is overrun by many at once.

A reservation is made in a short transaction of its own, before the call outside; the account is held until it commits.
"""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import bindparam, insert, select, update

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.modules.usage import accounts, caps
from nexuscore.modules.usage.errors import AlreadySettled, CreditsExhausted, ReservationOver
from nexuscore.modules.usage.events import UsageReleased, UsageReserved, UsageSpent
from nexuscore.modules.usage.settings import UsageSettings
from nexuscore.modules.usage.tables import UsageAccount, UsageEntry, UsageReservation

MOST = 10**15

_ONE = select(UsageReservation).where(UsageReservation.id == bindparam("reservation"))
_BY_KEY = select(UsageReservation).where(UsageReservation.key == bindparam("given"))
_NEW = insert(UsageReservation).returning(UsageReservation)
_END = update(UsageReservation).where(UsageReservation.id == bindparam("reservation"))
_EXPIRE = (
    update(UsageReservation)
    .where(UsageReservation.state == "open", UsageReservation.expires_at <= bindparam("now"))
    .values(state="expired", ended_at=bindparam("now"))
    .returning(UsageReservation)
)
_ENTRY = select(UsageEntry).where(UsageEntry.id == bindparam("entry"))


async def reserve(
    ctx: Ctx,
    amount_micro: int,
    *,
    reason: str,
    user_id: UUID | None = None,
    key: str | None = None,
    life: timedelta | None = None,
) -> UsageReservation:
    """Hold up to so much for something under way, within every cap and what can be paid.

    Without `user_id` it is whoever acts. With a `key`, asking again gives the same reservation.
    """
    _check(amount_micro=amount_micro)
    account = await accounts.lock(ctx)
    if key is not None and (earlier := await ctx.db.first(_BY_KEY, given=key)) is not None:
        return earlier
    await expire(ctx)
    person, day = _person(ctx, user_id), ctx.now.date()
    caps.require_room(await caps.rooms(ctx, person, day), amount_micro)
    credits = await _credits_for(ctx, account, amount_micro)
    held = await ctx.db.one(
        _NEW,
        user_id=person,
        reason=reason,
        amount_micro=amount_micro,
        credits_micro=credits,
        day=day,
        key=key,
        created_at=ctx.now,
        expires_at=ctx.now + (life or ctx.app.settings[UsageSettings].hold),
    )
    await caps.count(ctx, person, day, reserved=amount_micro)
    ctx.emit(UsageReserved(reservation_id=held.id, reason=reason, amount_micro=amount_micro))
    return held


async def settle(
    ctx: Ctx, reservation_id: UUID, *, units: int, price_micro: int = 0, cost_micro: int | None = None
) -> UsageEntry:
    """Charge what it really was: `cost_micro`, or units times price. What was held beyond that is free again.

    What it cost beyond what was held is charged as far as caps and credits allow; the platform absorbs the rest, and
    the entry says so. Settled again with the same figures, it is the same entry.
    """
    cost = units * price_micro if cost_micro is None else cost_micro
    _check(units=units, price_micro=price_micro, cost_micro=cost)
    account = await accounts.lock(ctx)
    held = await ctx.db.one(_ONE, reservation=reservation_id)
    if held.state == "released":
        raise ReservationOver
    if held.state == "settled":
        return await _as_before(ctx, held, units, cost)
    before, held_by_all = await accounts.credits(ctx), await accounts.held(ctx)
    if held.state == "open":
        await caps.free(ctx, held.user_id, held.day, held.amount_micro)
        held_by_all -= held.credits_micro
    rooms = await caps.rooms(ctx, held.user_id, held.day)
    charged = min([cost, *(room.left_micro for room in rooms if room.left_micro is not None)])
    from_credits = min(charged, max(0, before - held_by_all))
    if not account.is_postpaid:
        charged = from_credits
    entry = await accounts.enter(
        ctx,
        at=ctx.now,
        day=held.day,
        user_id=held.user_id,
        kind="spend",
        reason=held.reason,
        units=units,
        price_micro=price_micro,
        cost_micro=cost,
        amount_micro=-from_credits,
        billable_micro=charged - from_credits,
        absorbed_micro=cost - charged,
        reservation_id=held.id,
    )
    await ctx.db.execute(_END, reservation=held.id, state="settled", ended_at=ctx.now, entry_id=entry.id)
    await caps.count(ctx, held.user_id, held.day, spent=charged)
    ctx.emit(
        UsageSpent(
            entry_id=entry.id,
            user_id=held.user_id,
            reason=held.reason,
            units=units,
            cost_micro=cost,
            absorbed_micro=cost - charged,
        )
    )
    accounts.warn(ctx, account, before, before - from_credits)
    return entry


async def spend(
    ctx: Ctx,
    *,
    reason: str,
    units: int,
    price_micro: int = 0,
    cost_micro: int | None = None,
    user_id: UUID | None = None,
    key: str | None = None,
) -> UsageEntry:
    """Reserve and settle at once, for what is known beforehand: refused when it does not fit, never absorbed."""
    cost = units * price_micro if cost_micro is None else cost_micro
    held = await reserve(ctx, cost, reason=reason, user_id=user_id, key=key)
    return await settle(ctx, held.id, units=units, price_micro=price_micro, cost_micro=cost)


async def release(ctx: Ctx, reservation_id: UUID) -> None:
    """Let go of what was held, because nothing came of it. Done twice, it is done once."""
    await accounts.lock(ctx)
    held = await ctx.db.one(_ONE, reservation=reservation_id)
    if held.state == "settled":
        raise AlreadySettled
    if held.state != "open":
        return
    await ctx.db.execute(_END, reservation=held.id, state="released", ended_at=ctx.now)
    await _let_go(ctx, held, expired=False)


async def expire(ctx: Ctx) -> int:
    """Let go of what nobody settled in time; how many there were. Whoever calls holds the account."""
    late = await ctx.db.all(_EXPIRE, now=ctx.now)
    for held in late:
        await _let_go(ctx, held, expired=True)
    return len(late)


async def _let_go(ctx: Ctx, held: UsageReservation, *, expired: bool) -> None:
    await caps.free(ctx, held.user_id, held.day, held.amount_micro)
    ctx.emit(UsageReleased(reservation_id=held.id, amount_micro=held.amount_micro, expired=expired))


async def _credits_for(ctx: Ctx, account: UsageAccount, amount: int) -> int:
    """How much of an amount is held of the credits; all of it where the organisation pays in advance."""
    free = max(0, await accounts.credits(ctx) - await accounts.held(ctx))
    if amount > free and not account.is_postpaid:
        raise CreditsExhausted(details={"free_micro": free, "asked_micro": amount, "currency": account.currency})
    return min(amount, free)


async def _as_before(ctx: Ctx, held: UsageReservation, units: int, cost: int) -> UsageEntry:
    entry = await ctx.db.one(_ENTRY, entry=held.entry_id)
    if (entry.units, entry.cost_micro) != (units, cost):
        raise AlreadySettled(details={"units": entry.units, "cost_micro": entry.cost_micro})
    return entry


def _person(ctx: Ctx, user_id: UUID | None) -> UUID | None:
    return user_id or (ctx.actor.id if ctx.actor.kind == "user" else None)


def _check(**amounts: int) -> None:
    wrong = [name for name, amount in amounts.items() if not 0 <= amount <= MOST]
    if wrong:
        raise ValidationError.of([Fault(name, "out_of_range", "This amount is out of range.") for name in wrong])
