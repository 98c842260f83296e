"""The platform's fee in the console: what it is, what it makes of a price, who changed it when and why."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from pydantic_core import from_json

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import ValidationError
from nexuscore.kernel.http import Nav, PageQuery, Pages, Query, View, Went, amount_of
from nexuscore.modules import identity
from nexuscore.modules.fees import service
from nexuscore.modules.fees.arithmetic import OrderFigures
from nexuscore.modules.fees.errors import FeeMoved
from nexuscore.modules.fees.routes import CanChange, CanRead
from nexuscore.modules.fees.schemas import Currency, FeeChangeIn
from nexuscore.modules.fees.variants import FeeVariant

HOME = "/console/billing/platform/fee"
pages = Pages("/billing/platform/fee", tag="Platform fee")


class FeeQuery(PageQuery):
    """The history, and the order that is worked out beside it. `subject` is who pays, where a variant is tried."""

    base: str = Field("100.00", max_length=20)
    quantity: int = Field(5, ge=1, le=10_000)
    currency: Currency = "SGD"
    subject: UUID | None = None


@pages.get(title="Platform fee", nav=Nav("Platform", icon="percent", order=33))
async def platform_fee_page(ctx: CanRead, query: Annotated[FeeQuery, Query()]) -> View:
    """The fee, an order worked out with it, and every fee there has been."""
    return View(
        "fee.html",
        fee=await service.configuration(ctx),
        asked=query,
        figures=await _figures(ctx, query),
        history=await _history(ctx, PageQuery(limit=query.limit, cursor=query.cursor)),
        variants=[type(each).__name__ for each in ctx.app.fillers(FeeVariant)],  # type: ignore[type-abstract]  # asked for, not made
    )


@pages.post("", once=True, errors=(FeeMoved,))
async def change_platform_fee_page(ctx: CanChange, change: FeeChangeIn) -> Went:
    """Change it, after the password was asked for once more."""
    await service.change(ctx, change)
    return Went(HOME, say="The fee is changed. It holds from now on, for new orders.")


async def _figures(ctx: Ctx, query: FeeQuery) -> OrderFigures | None:
    """What an order comes to; None for a price that is none."""
    try:
        base = amount_of(query.base, query.currency, "base", least=0)
    except ValidationError:
        return None
    return await service.order(ctx, base, query.quantity, subject=query.subject)


async def _history(ctx: Ctx, query: PageQuery) -> dict[str, Any]:
    """A page of the history, with the names of those who changed it."""
    page: dict[str, Any] = from_json(await service.history(ctx, query))
    ids = sorted({UUID(row["changed_by"]) for row in page["data"] if row["changed_by"]})
    names = {str(user.id): user.name or user.email or "" for user in await identity.users(ctx, ids)}
    for row in page["data"]:
        row["who"] = names.get(row["changed_by"] or "", "")
    return page
