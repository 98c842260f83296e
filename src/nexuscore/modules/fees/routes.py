"""The platform's fee over HTTP: parse, call one verb, return."""

from typing import Annotated, Any

from fastapi import Query

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.http import Can, Page, PageQuery, Public, Routes
from nexuscore.kernel.money import Money
from nexuscore.modules.fees import service
from nexuscore.modules.fees.errors import FeeMoved
from nexuscore.modules.fees.permissions import CHANGE, READ
from nexuscore.modules.fees.schemas import Currency, FeeChangeIn, FeeChangeOut, FeeOut, FiguresOut

routes = Routes("/platform-fee", tag="Platform fee")

CanRead = Annotated[Ctx, Can(READ)]
CanChange = Annotated[Ctx, Can(CHANGE, fresh=True)]
Anybody = Annotated[Ctx, Public("a price with the fee on it is shown before anybody signs in")]


@routes.get("", answer=FeeOut)
async def read_platform_fee(ctx: CanRead) -> Any:
    """The fee as it is set, and what it comes to."""
    return _shown(await service.configuration(ctx))


@routes.patch("", answer=FeeOut, needs_key=True, errors=(FeeMoved,))
async def change_platform_fee(ctx: CanChange, change: FeeChangeIn) -> Any:
    """Change the fee, switch it off or on. Orders already made keep the percentage they were made with."""
    return _shown(await service.change(ctx, change))


@routes.get("/history", answer=Page[FeeChangeOut])
async def list_platform_fees(ctx: CanRead, query: Annotated[PageQuery, Query()]) -> Json:
    """Every fee there has been: from when to when, who set it, and why."""
    return await service.history(ctx, query)


@routes.get("/figures", answer=FiguresOut)
async def figure_platform_fee(
    ctx: Anybody,
    base: Annotated[int, Query(ge=0, le=10**12, description="The price of one, in minor units.")],
    currency: Annotated[Currency, Query(description="ISO 4217.")],
    quantity: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Any:
    """What so many at a price come to: the host's subtotal, the fee, and what the buyer pays."""
    return await service.order(ctx, Money(base, currency), quantity)


def _shown(fee: service.Configuration) -> FeeOut:
    return FeeOut.model_validate(fee)
