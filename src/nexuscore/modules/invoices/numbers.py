"""Numbers: INV-202611-0001, one after the other within a month of the books, with no gap.

The month's counter row is locked until the transaction ends: whoever is next waits; a rollback gives the number back.
"""

from datetime import date
from typing import Literal

from nexuscore.kernel.ctx import Ctx

Series = Literal["INV", "CN"]
_NEXT = (
    "INSERT INTO invoice_counters AS c (series, month, last) VALUES ($1, $2, 1)"
    " ON CONFLICT (series, month) DO UPDATE SET last = c.last + 1 RETURNING c.last"
)


async def take(ctx: Ctx, series: Series, day: date) -> str:
    """The next number of a series in the month of `day`."""
    month = f"{day:%Y%m}"
    (row,) = await ctx.db.raw(_NEXT, series, month)
    return f"{series}-{month}-{row.last:04d}"
