"""Receipt numbers: RCT-202611-0001, one after the other within a month, none lost when a transaction is."""

from nexuscore.kernel.ctx import Ctx
from nexuscore.modules import books

_NEXT = (
    "INSERT INTO payment_receipts AS r (month, last) VALUES ($1, 1)"
    " ON CONFLICT (month) DO UPDATE SET last = r.last + 1 RETURNING r.last"
)


async def take(ctx: Ctx) -> str:
    """The next receipt number."""
    month = f"{books.today(ctx):%Y%m}"
    (row,) = await ctx.db.raw(_NEXT, month)
    return f"RCT-{month}-{row.last:04d}"
