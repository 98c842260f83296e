"""The fee in force, what it makes of an amount, and its change. Three reads are cached, so most ask no database."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic_core import to_jsonable_python
from sqlalchemy import Text, bindparam, cast, func, or_, select, update
from sqlalchemy.orm import aliased

from nexuscore.kernel import cache
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.money import Money
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.tables import columns
from nexuscore.modules.fees.arithmetic import LEAST, OrderFigures, buyer_price, checked, fee_of, figures_of
from nexuscore.modules.fees.errors import FeeMoved
from nexuscore.modules.fees.events import PlatformFeeChanged
from nexuscore.modules.fees.schemas import FeeChangeIn, FeeChangeOut
from nexuscore.modules.fees.tables import FeeChange, PlatformFee
from nexuscore.modules.fees.variants import Chosen, FeeVariant

CONFIGURATION, PERCENTAGE, DECIMAL = KEYS = (
    "platform_fee_config",
    "platform_fee_percentage",
    "platform_fee_decimal",
)
KEPT = timedelta(hours=1)

_READ = select(
    PlatformFee,
    (PlatformFee.changed_in == cast(func.pg_current_xact_id_if_assigned(), Text)).label("is_own"),
)
_LOCK = select(PlatformFee).with_for_update()
_CHANGE = update(PlatformFee).where(PlatformFee.id == 1).returning(PlatformFee)
_TEXT = "fee_percentage"  # PostgreSQL would make it a JSON number, which is a float to whoever reads it
_next = aliased(FeeChange)
_HISTORY = Listing(
    select(
        *columns(FeeChange, [name for name in FeeChangeOut.model_fields if hasattr(FeeChange, name) and name != _TEXT]),
        cast(FeeChange.fee_percentage, Text).label(_TEXT),
        select(_next.effective_from)
        .where(_next.version == FeeChange.version + 1)
        .scalar_subquery()
        .label("effective_until"),
    ),
    by=FeeChange.version,
)
_AT = (
    select(FeeChange)
    .where(or_(FeeChange.effective_from <= bindparam("moment"), FeeChange.version == 1))
    .order_by(FeeChange.version.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Configuration:
    """The fee as it is set. Switched off, it takes nothing: an inactive fee is zero, not the last one."""

    id: int
    fee_percentage: Decimal
    is_active: bool
    description: str
    version: int
    updated_by: UUID | None
    updated_at: datetime

    @property
    def percentage(self) -> Decimal:
        """What is taken of a hundred."""
        return self.fee_percentage if self.is_active else LEAST

    @property
    def decimal(self) -> Decimal:
        """What is taken of one."""
        return self.percentage.scaleb(-2)


class _OwnWriting(Exception):
    """The row this transaction reads is one it wrote and may yet take back, so nobody else may get it from a cache."""

    def __init__(self, value: object) -> None:
        super().__init__("not to be kept")
        self.value = value


async def configuration(ctx: Ctx) -> Configuration:
    """The fee as it is set, cached for an hour."""
    kept = await _kept(ctx, CONFIGURATION, _packed)
    return Configuration(
        id=kept["id"],
        fee_percentage=Decimal(kept["fee_percentage"]),
        is_active=kept["is_active"],
        description=kept["description"],
        version=kept["version"],
        updated_by=kept["updated_by"] and UUID(kept["updated_by"]),
        updated_at=datetime.fromisoformat(kept["updated_at"]),
    )


async def percentage(ctx: Ctx) -> Decimal:
    """What is taken of a hundred, cached for an hour: 10.00."""
    return Decimal(await _kept(ctx, PERCENTAGE, lambda fee: str(fee.percentage)))


async def decimal(ctx: Ctx) -> Decimal:
    """What is taken of one, cached for an hour: 0.1000."""
    return Decimal(await _kept(ctx, DECIMAL, lambda fee: str(fee.decimal)))


async def warm(ctx: Ctx) -> None:
    """Have all three in the cache."""
    await configuration(ctx)
    await percentage(ctx)
    await decimal(ctx)


async def fee_on(ctx: Ctx, base: Money, quantity: int = 1, *, subject: UUID | None = None) -> Money:
    """The fee on so many at a base price, rounded half up on the whole."""
    return fee_of(base, quantity, (await _for(ctx, subject)).percentage)


async def final_price(ctx: Ctx, base: Money, *, subject: UUID | None = None) -> Money:
    """What a buyer sees as the price of one. What they pay for several is `order(...).total`."""
    return buyer_price(base, (await _for(ctx, subject)).percentage)


async def order(ctx: Ctx, base: Money, quantity: int, *, subject: UUID | None = None) -> OrderFigures:
    """All figures of an order, to be frozen with it. `subject` is who pays, for those a variant is tried on."""
    chosen = await _for(ctx, subject)
    version = (await configuration(ctx)).version
    return figures_of(base, quantity, chosen.percentage, version=version, variant=chosen.variant)


async def percentage_at(ctx: Ctx, moment: datetime) -> Decimal:
    """What was taken of a hundred at some moment, by the history."""
    row = await ctx.db.one(_AT, moment=moment)
    return row.fee_percentage if row.is_active else LEAST


async def history(ctx: Ctx, query: PageQuery) -> Json:
    """Every fee there has been, the newest first."""
    return await ctx.db.page(_HISTORY, query)


async def change(ctx: Ctx, change: FeeChangeIn) -> Configuration:
    """Change the fee, from the commit on. The row is locked, so that of two changes each is made of what it saw."""
    before = await ctx.db.one(_LOCK)
    if change.version not in (None, before.version):
        raise FeeMoved(details={"version": before.version})
    given = change.model_dump(exclude={"reason", "version"}, exclude_none=True)
    new = {name: value for name, value in given.items() if value != getattr(before, name)}
    if not new:
        return _configured(before)
    after = await ctx.db.one(
        _CHANGE,
        **new,
        reason=change.reason,
        updated_by=ctx.actor.id if ctx.actor.kind == "user" else None,
        updated_at=ctx.now,
    )
    async with ctx.across_orgs("the platform's fee belongs to no organisation") as everywhere:
        everywhere.emit(
            PlatformFeeChanged(
                fields=sorted(new),
                before=before.fee_percentage,
                after=after.fee_percentage,
                is_active=after.is_active,
                fee_version=after.version,
                reason=change.reason,
            )
        )
    forget(ctx)
    return _configured(after)


def forget(ctx: Ctx) -> None:
    """Forget all three reads with the commit, in every process; without one, nothing."""
    for key in KEYS:
        cache.forget(ctx, key, everybodys=True)


async def _for(ctx: Ctx, subject: UUID | None) -> Chosen:
    """The percentage for whoever pays: the configured one, or what a variant says while the fee is active."""
    configured = Chosen(await percentage(ctx), "")
    slots = ctx.app.fillers(FeeVariant) if subject is not None else ()  # type: ignore[type-abstract]  # asked for, not made
    if subject is None or not slots or not (await configuration(ctx)).is_active:
        return configured
    chosen = await slots[0].choose(ctx, subject, configured.percentage)
    return configured if chosen is None else Chosen(checked(chosen.percentage), chosen.variant)


async def _kept(ctx: Ctx, key: str, of: Callable[[Configuration], Any]) -> Any:
    """What `of` makes of the committed row, from the cache if it is there: text and plain values, never a float."""

    async def make() -> Any:
        row = await ctx.db.one(_READ)
        value = of(_configured(row))
        if row.is_own:
            raise _OwnWriting(value)
        return value

    try:
        if ctx.db.forgets or ctx.db.lagging:  # what is read here is not for others, or older than what they know
            return await make()
        return await ctx.app.cache.remember(key, KEPT, make, early=0)
    except _OwnWriting as own:
        return own.value


def _configured(row: Any) -> Configuration:
    return Configuration(**{field.name: getattr(row, field.name) for field in fields(Configuration)})


def _packed(fee: Configuration) -> dict[str, Any]:
    packed: dict[str, Any] = to_jsonable_python(asdict(fee))
    return packed
