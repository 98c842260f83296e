"""Price tables in the console: what holds now, and the form that publishes the next version."""

from decimal import Decimal
from typing import Annotated

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http import Nav, PageQuery, Pages, Query, View, Went
from nexuscore.kernel.i18n import translate
from nexuscore.modules.invoices import plain_amount
from nexuscore.modules.quotes import tariffs
from nexuscore.modules.quotes.routes import CanManage
from nexuscore.modules.quotes.tables import PriceTable
from nexuscore.modules.quotes.typed import TypedPrices, prices_of

pages = Pages("/billing/platform/prices", tag="Quotes")
HERE = "/console/billing/platform/prices"
_BLANK = 3


@pages.get(title="Prices", nav=Nav("Platform", icon="list", order=26))
async def prices_page(ctx: CanManage, query: Annotated[PageQuery, Query()]) -> View:
    """The tables that hold now, and every version there was."""
    return View("prices.html", tables=await tariffs.current(ctx), versions=await tariffs.page(ctx, query))


@pages.get("/new", title="Publish prices")
async def new_prices_page(ctx: CanManage, name: str = "") -> View:
    """A form; by the name of a table it is filled with what holds now."""
    return _form(ctx, next((each for each in await tariffs.current(ctx) if each.name == name), None))


@pages.post("/new", once=True)
async def publish_prices_page(ctx: CanManage, typed: TypedPrices) -> Went:
    """Publish the next version. Quotes that stand keep their prices."""
    table = await tariffs.publish(ctx, prices_of(typed))
    return Went(HERE, say="{name}, version {number}, is published.", name=table.name, number=table.version)


@pages.post("/new/line", shows=new_prices_page)
async def new_price_line_page(ctx: CanManage) -> View:
    """The same form with one more row; nothing is kept yet."""
    return _form(ctx, None, more=1)


def _form(ctx: Ctx, table: PriceTable | None, more: int = 0) -> View:
    """The form of a price table, with rows to spare."""
    prices = [] if table is None else table.prices
    currency = "SGD" if table is None else table.currency
    rows = [{**price, "unit_price": plain_amount(price["unit_price"], currency)} for price in prices]
    title = translate(ctx.locale, "Publish prices")
    rush, cap = ("50", "15") if table is None else map(_plain, (table.rush_percent, table.discount_cap))
    count = len(rows) + _BLANK
    return View("prices_form.html", title=title, table=table, typed=rows, rows=count, more=more, rush=rush, cap=cap)


def _plain(percent: Decimal) -> str:
    """A percentage as a field holds it."""
    return f"{percent.normalize():f}"
