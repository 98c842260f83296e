"""Price tables: published by version. A quote keeps the prices of the version it was written from."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.dialects.postgresql import distinct_on

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.kernel.money import exponent
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.tables import columns
from nexuscore.modules.quotes.errors import NoSuchPrice
from nexuscore.modules.quotes.events import PriceTablePublished
from nexuscore.modules.quotes.schemas import NewPriceTable, PriceTableOut
from nexuscore.modules.quotes.tables import PriceTable

_NEWEST = select(PriceTable).where(PriceTable.name == bindparam("called")).order_by(PriceTable.version.desc()).limit(1)
_CURRENT = select(PriceTable).ext(distinct_on(PriceTable.name)).order_by(PriceTable.name, PriceTable.version.desc())
_ONE = select(PriceTable).where(PriceTable.id == bindparam("table_id"))
_LAST = select(func.coalesce(func.max(PriceTable.version), 0)).where(PriceTable.name == bindparam("called"))
_PUBLISH = insert(PriceTable).returning(PriceTable)
_ALL = Listing(select(*columns(PriceTable, PriceTableOut.model_fields)), by=PriceTable.id)


async def publish(ctx: Ctx, new: NewPriceTable) -> PriceTable:
    """Publish prices. Two who publish the same version at once: the second is told of the conflict."""
    try:
        exponent(new.currency)
    except ValueError:
        raise ValidationError.of([Fault("currency", "unknown_currency", "There is no such currency.")]) from None
    table = await ctx.db.one(
        _PUBLISH,
        name=new.name,
        version=await ctx.db.value(_LAST, called=new.name) + 1,
        currency=new.currency,
        prices=[each.model_dump() for each in new.prices],
        rush_percent=new.rush_percent,
        discount_cap=new.discount_cap,
        published_at=ctx.now,
        published_by=ctx.actor.id,
    )
    ctx.emit(PriceTablePublished(table_id=table.id, name=table.name, revision=table.version))
    return table


async def newest(ctx: Ctx, name: str) -> PriceTable:
    """The version that holds now."""
    table = await ctx.db.first(_NEWEST, called=name)
    if table is None:
        raise NoSuchPrice(details={"table": name})
    return table


async def current(ctx: Ctx) -> Sequence[PriceTable]:
    """Every table as it holds now, by name."""
    return await ctx.db.all(_CURRENT)


async def get(ctx: Ctx, table_id: UUID) -> PriceTable:
    """One version of a table."""
    return await ctx.db.one(_ONE, table_id=table_id)


async def page(ctx: Ctx, query: PageQuery) -> Json:
    """All versions of all tables, the newest first."""
    return await ctx.db.page(_ALL, query)


def item_of(table: PriceTable, code: str) -> dict[str, Any]:
    """One price of a table."""
    found: dict[str, Any] | None = next((item for item in table.prices if item["code"] == code), None)
    if found is None:
        raise NoSuchPrice(details={"table": table.name, "item": code})
    return found
