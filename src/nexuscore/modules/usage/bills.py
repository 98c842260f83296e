"""What is to be invoiced: spending that credits did not pay, each entry on one bill, once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, exists, func, insert, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.money import Money, exponent
from nexuscore.modules.usage import accounts
from nexuscore.modules.usage.events import UsageBilled
from nexuscore.modules.usage.tables import UsageBill, UsageBilledEntry, UsageEntry

_open = (
    UsageEntry.billable_micro > 0,
    UsageEntry.at < bindparam("until"),
    ~exists().where(UsageBilledEntry.entry_id == UsageEntry.id),
)
_OPEN = (
    select(
        UsageEntry.reason,
        func.count().label("entries"),
        func.sum(UsageEntry.units).label("units"),
        func.sum(UsageEntry.billable_micro).label("cost_micro"),
    )
    .where(*_open)
    .group_by(UsageEntry.reason)
    .order_by(UsageEntry.reason)
)
_BY_KEY = select(UsageBill).where(UsageBill.key == bindparam("given"))
_NEW = insert(UsageBill).returning(UsageBill)
_MARK = insert(UsageBilledEntry).from_select(
    ["entry_id", "bill_id"], select(UsageEntry.id, bindparam("bill", type_=UsageBill.id.type)).where(*_open)
)
MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Billable:
    """What was used for one reason and is to be paid."""

    reason: str
    entries: int
    units: int
    cost_micro: int
    amount: Money


@dataclass(frozen=True, slots=True)
class Billed:
    """A bill: its lines add up to its total."""

    id: UUID
    key: str
    until: datetime
    total: Money
    lines: tuple[Billable, ...]


async def billable(ctx: Ctx, until: datetime) -> list[Billable]:
    """What would be on a bill of everything before `until`, by reason; nothing is marked."""
    account = await accounts.terms(ctx)
    return [] if account is None else lines_of(await ctx.db.all(_OPEN, until=until), account.currency)


async def bill(ctx: Ctx, key: str, until: datetime) -> Billed:
    """Put everything before `until` that is on no bill yet on one; asked again with the same key, it is the same bill.

    Whoever calls invoices it in this transaction. An entry that is written late is on the next bill, never on none.
    """
    account = await accounts.lock(ctx)
    earlier = await ctx.db.first(_BY_KEY, given=key)
    if earlier is not None:
        return _billed(earlier)
    lines = lines_of(await ctx.db.all(_OPEN, until=until), account.currency)
    total = sum((line.amount for line in lines), Money.zero(account.currency))
    row = await ctx.db.one(
        _NEW,
        key=key,
        until=until,
        currency=account.currency,
        total_minor=total.minor,
        lines=[_plain(line) for line in lines],
        created_at=ctx.now,
    )
    await ctx.db.execute(_MARK, until=until, bill=row.id)
    ctx.emit(UsageBilled(bill_id=row.id, key=key, total_minor=total.minor, currency=account.currency))
    return _billed(row)


def lines_of(rows: Sequence[Any], currency: str) -> list[Billable]:
    """Rows as lines in whole cents: the sum is rounded half up, once, and shared out so that the lines add up to it."""
    costs = [int(row.cost_micro) for row in rows]
    shares = minor_of(sum(costs), currency).allocate(costs) if costs else []
    return [
        Billable(row.reason, int(row.entries), int(row.units), cost, share)
        for row, cost, share in zip(rows, costs, shares, strict=True)
    ]


def minor_of(micro: int, currency: str) -> Money:
    """Micro-units as money, rounded half up."""
    return Money(1, currency).times(Fraction(micro * 10 ** exponent(currency), MICRO))


def _plain(line: Billable) -> dict[str, Any]:
    return {
        "reason": line.reason,
        "entries": line.entries,
        "units": line.units,
        "cost_micro": line.cost_micro,
        "minor": line.amount.minor,
    }


def _billed(row: UsageBill) -> Billed:
    lines = tuple(
        Billable(each["reason"], each["entries"], each["units"], each["cost_micro"], Money(each["minor"], row.currency))
        for each in row.lines
    )
    return Billed(row.id, row.key, row.until, Money(row.total_minor, row.currency), lines)
