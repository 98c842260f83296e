"""The account: held by whoever changes something, and what its credits are."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from nexuscore.kernel.ctx import Ctx
from nexuscore.modules.usage.events import CreditsLow
from nexuscore.modules.usage.settings import UsageSettings
from nexuscore.modules.usage.tables import UsageAccount, UsageEntry, UsageReservation, UsageSnapshot

_new = upsert(UsageAccount)
_LOCK = _new.on_conflict_do_update(index_elements=["org_id"], set_={"currency": UsageAccount.currency}).returning(
    UsageAccount
)
_ACCOUNT = select(UsageAccount)
_NEXT = update(UsageAccount).values(last_number=UsageAccount.last_number + 1).returning(UsageAccount.last_number)
_ENTER = insert(UsageEntry).returning(UsageEntry)
_SNAP = insert(UsageSnapshot)
_snapped = (
    select(UsageSnapshot.number, UsageSnapshot.balance_micro)
    .order_by(UsageSnapshot.number.desc())
    .limit(1)
    .cte("snapped")
)
_BALANCE = select(
    func.coalesce(select(_snapped.c.balance_micro).scalar_subquery(), 0)
    + func.coalesce(
        select(func.sum(UsageEntry.amount_micro))
        .where(UsageEntry.number > func.coalesce(select(_snapped.c.number).scalar_subquery(), 0))
        .scalar_subquery(),
        0,
    )
)
_HELD = select(func.coalesce(func.sum(UsageReservation.credits_micro), 0)).where(UsageReservation.state == "open")


@dataclass(frozen=True, slots=True)
class Balance:
    """The credits an organisation has, those of them that are held, and those that are free."""

    credits_micro: int
    held_micro: int
    currency: str

    @property
    def free_micro(self) -> int:
        """What can be reserved."""
        return self.credits_micro - self.held_micro


async def lock(ctx: Ctx) -> UsageAccount:
    """Hold the organisation's account until the transaction ends; made if there is none."""
    settings = ctx.app.settings[UsageSettings]
    return await ctx.db.one(_LOCK, currency=settings.currency, warn_below_micro=settings.warn_below_micro)


async def terms(ctx: Ctx) -> UsageAccount | None:
    """The account, not held; None while nothing was ever used."""
    return await ctx.db.first(_ACCOUNT)


async def credits(ctx: Ctx) -> int:
    """The sum of all entries, from the latest snapshot on."""
    return int(await ctx.db.value(_BALANCE))


async def held(ctx: Ctx) -> int:
    """The credits that are held by open reservations."""
    return int(await ctx.db.value(_HELD))


async def balance(ctx: Ctx) -> Balance:
    """The organisation's credits."""
    return Balance(await credits(ctx), await held(ctx), ctx.app.settings[UsageSettings].currency)


async def enter(ctx: Ctx, *, at: datetime, day: date, user_id: UUID | None, **columns: Any) -> UsageEntry:
    """Write the next line of the ledger; whoever calls holds the account."""
    number = await ctx.db.value(_NEXT)
    entry = await ctx.db.one(_ENTER, number=number, at=at, day=day, user_id=user_id, **columns)
    if number % ctx.app.settings[UsageSettings].snapshot_every == 0:
        await ctx.db.execute(_SNAP, number=number, balance_micro=await credits(ctx), at=at)
    return entry


def warn(ctx: Ctx, account: UsageAccount, before: int, after: int) -> None:
    """Announce that the credits fell below the mark, once each time they do."""
    if after < account.warn_below_micro <= before:
        ctx.emit(CreditsLow(balance_micro=after, warn_below_micro=account.warn_below_micro))
