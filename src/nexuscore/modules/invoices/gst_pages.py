"""The GST return in the console: a quarter as form F5 asks for it, and the documents behind it."""

from typing import Annotated

from pydantic import Field

from nexuscore.kernel.http import Nav, Pages, Query, Schema, View
from nexuscore.modules import books
from nexuscore.modules.invoices import gst, parties
from nexuscore.modules.invoices.routes import CanReport

pages = Pages("/billing/platform/gst", tag="Billing")
SHOWN = 200  # documents on the page; the file has them all
FIRST = 2000


class QuarterQuery(Schema):
    """Which quarter; the current one, unless it is said."""

    year: int | None = Field(None, ge=FIRST, le=2999)
    quarter: int | None = Field(None, ge=1, le=4)
    csv: str | None = Field(None, max_length=40)


@pages.get(title="GST report", nav=Nav("Platform", icon="chart", order=40))
async def gst_page(ctx: CanReport, query: Annotated[QuarterQuery, Query()]) -> View:
    """The boxes of form F5 that sales decide, and every document they are made of."""
    today = books.today(ctx)
    year, quarter = query.year or today.year, query.quarter or (today.month + 2) // 3
    rows = [row.model_dump(mode="json") for row in await gst.rows(ctx, year, quarter)]
    return View(
        "gst.html",
        report=await gst.report(ctx, year, quarter),
        rows=rows if query.csv else rows[:SHOWN],
        number=len(rows),
        supplier=parties.supplier(ctx.app),
        years=range(today.year, max(today.year - 7, FIRST) - 1, -1),
        earlier=_beside(year, quarter, -1),
        later=_beside(year, quarter, 1) if (year, quarter) < (today.year, (today.month + 2) // 3) else None,
    )


def _beside(year: int, quarter: int, step: int) -> tuple[int, int]:
    """The quarter before, or after."""
    at = 4 * year + quarter - 1 + step
    return at // 4, at % 4 + 1
