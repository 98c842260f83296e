"""The month's usage on an invoice, for organisations that pay afterwards."""

from datetime import datetime

from nexuscore.kernel.ctx import Ctx
from nexuscore.modules import invoices
from nexuscore.modules.usage.bills import bill

SOURCE = "usage"


async def invoice(ctx: Ctx, month: str, until: datetime) -> invoices.Invoice | None:
    """Invoice what was used before `until` and is on no bill yet; None when nothing is to be paid, or it was done."""
    billed = await bill(ctx, month, until)
    if not billed.total or await invoices.of_source(ctx, SOURCE, billed.id):
        return None
    return await invoices.issue(
        ctx,
        [
            invoices.NewLine(
                description=f"{line.reason}, {line.units} units until {until:%Y-%m-%d}", unit_price=line.amount.minor
            )
            for line in billed.lines
            if line.amount
        ],
        currency=billed.total.currency,
        source=SOURCE,
        source_id=billed.id,
    )
