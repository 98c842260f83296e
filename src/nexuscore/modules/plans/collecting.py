"""Getting an invoice paid with the saved card, if the organisation has one. The answer comes as an event."""

from nexuscore.kernel.ctx import Ctx
from nexuscore.modules import invoices, payments


async def try_to_charge(ctx: Ctx, invoice: invoices.Invoice, attempt: str) -> bool:
    """Charge the saved card; False when there is none, or nothing to pay. The same attempt charges once."""
    if not invoice.amount_due:
        return False
    try:
        await payments.charge(ctx, invoice.id, key=f"{invoice.id}:{attempt}")
    except payments.NoSavedMethod:
        return False
    return True
