"""How much may be spent in a day and in a month: by the organisation, and by one person in it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import NotFoundError
from nexuscore.modules import orgs
from nexuscore.modules.usage.errors import CapReached
from nexuscore.modules.usage.events import CapChanged
from nexuscore.modules.usage.tables import WHOLE, UsageCap, UsageTotal

Period = Literal["day", "month"]

_CAPS = select(UsageCap).where(or_(UsageCap.user_id == WHOLE, UsageCap.user_id == bindparam("person")))
_EVERY_CAP = select(UsageCap).order_by(UsageCap.user_id)
_TOTALS = select(UsageTotal).where(
    or_(UsageTotal.user_id == WHOLE, UsageTotal.user_id == bindparam("person")),
    or_(UsageTotal.starts == bindparam("day"), UsageTotal.starts == bindparam("month")),
)
_new = upsert(UsageCap)
_SET = _new.on_conflict_do_update(
    index_elements=["org_id", "user_id"],
    set_={"day_micro": _new.excluded.day_micro, "month_micro": _new.excluded.month_micro},
).returning(UsageCap)
_more = upsert(UsageTotal)
_ADD = _more.on_conflict_do_update(
    index_elements=["org_id", "user_id", "period", "starts"],
    set_={
        "spent_micro": UsageTotal.spent_micro + _more.excluded.spent_micro,
        "reserved_micro": UsageTotal.reserved_micro + _more.excluded.reserved_micro,
    },
)
_LESS = (
    update(UsageTotal)
    .where(
        UsageTotal.user_id == bindparam("person"),
        UsageTotal.period == bindparam("kind"),
        UsageTotal.starts == bindparam("first"),
    )
    .values(reserved_micro=UsageTotal.reserved_micro - bindparam("freed"))
)


@dataclass(frozen=True, slots=True)
class Room:
    """One cap, and what is left of it."""

    user_id: UUID | None
    period: Period
    starts: date
    cap_micro: int | None
    spent_micro: int
    reserved_micro: int

    @property
    def left_micro(self) -> int | None:
        """What may still be reserved; None without a cap."""
        return None if self.cap_micro is None else max(0, self.cap_micro - self.spent_micro - self.reserved_micro)

    @property
    def ends_at(self) -> datetime:
        """When it begins anew."""
        following = self.starts + timedelta(days=1 if self.period == "day" else 31)
        return datetime.combine(following if self.period == "day" else following.replace(day=1), time(), UTC)


def periods(day: date) -> tuple[tuple[Period, date], tuple[Period, date]]:
    """The day and the month a day is in, by their first days."""
    return ("day", day), ("month", day.replace(day=1))


async def rooms(ctx: Ctx, user_id: UUID | None, day: date) -> list[Room]:
    """What is spent and left in a day and its month: for the organisation, and for the person if there is one."""
    person = user_id or WHOLE
    caps = {cap.user_id: cap for cap in await ctx.db.all(_CAPS, person=person)}
    totals = {
        (total.user_id, total.period, total.starts): total
        for total in await ctx.db.all(_TOTALS, person=person, day=day, month=day.replace(day=1))
    }
    found = []
    for who in dict.fromkeys((WHOLE, person)):
        for period, starts in periods(day):
            total, cap = totals.get((who, period, starts)), caps.get(who)
            found.append(
                Room(
                    user_id=None if who == WHOLE else who,
                    period=period,
                    starts=starts,
                    cap_micro=None if cap is None else getattr(cap, f"{period}_micro"),
                    spent_micro=0 if total is None else total.spent_micro,
                    reserved_micro=0 if total is None else total.reserved_micro,
                )
            )
    return found


def require_room(found: list[Room], amount: int) -> None:
    """Stop here when so much more would go over a cap."""
    for room in found:
        if room.left_micro is not None and amount > room.left_micro:
            raise CapReached(
                details={
                    "user_id": room.user_id,
                    "period": room.period,
                    "cap_micro": room.cap_micro,
                    "spent_micro": room.spent_micro,
                    "reserved_micro": room.reserved_micro,
                    "asked_micro": amount,
                    "ends_at": room.ends_at,
                },
                period=room.period,
            )


async def count(ctx: Ctx, user_id: UUID | None, day: date, *, spent: int = 0, reserved: int = 0) -> None:
    """Add to what is spent and reserved; whoever calls holds the account."""
    for who in dict.fromkeys((WHOLE, user_id or WHOLE)):
        for period, starts in periods(day):
            await ctx.db.execute(
                _ADD, user_id=who, period=period, starts=starts, spent_micro=spent, reserved_micro=reserved
            )


async def free(ctx: Ctx, user_id: UUID | None, day: date, amount: int) -> None:
    """Take off what was reserved; whoever calls holds the account."""
    for who in dict.fromkeys((WHOLE, user_id or WHOLE)):
        for period, starts in periods(day):
            await ctx.db.execute(_LESS, person=who, kind=period, first=starts, freed=amount)


async def every_cap(ctx: Ctx) -> list[UsageCap]:
    """The organisation's caps, its own first."""
    return await ctx.db.all(_EVERY_CAP)


async def set_cap(ctx: Ctx, user_id: UUID | None, day_micro: int | None, month_micro: int | None) -> UsageCap:
    """Set both caps of the organisation or of one member. What is spent already stays spent."""
    if user_id is not None and await orgs.member_role(ctx, user_id) is None:
        raise NotFoundError
    cap = await ctx.db.one(
        _SET, user_id=user_id or WHOLE, day_micro=day_micro, month_micro=month_micro, updated_at=ctx.now
    )
    ctx.emit(CapChanged(user_id=user_id, day_micro=day_micro, month_micro=month_micro))
    return cap


def shown(cap: Any) -> dict[str, Any]:
    """A cap as it is answered."""
    return {
        "user_id": None if cap.user_id == WHOLE else cap.user_id,
        "day_micro": cap.day_micro,
        "month_micro": cap.month_micro,
    }
