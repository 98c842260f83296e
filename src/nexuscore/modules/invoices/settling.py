"""What money and credit notes do to an invoice: its sums, the state that follows from them, and what was given up."""

from typing import Any
from uuid import UUID

from nexuscore.kernel.ctx import Ctx
from nexuscore.modules import books
from nexuscore.modules.invoices import postings
from nexuscore.modules.invoices.drafts import CHANGE
from nexuscore.modules.invoices.events import InvoicePaid
from nexuscore.modules.invoices.tables import Invoice


async def settle(
    ctx: Ctx, invoice: Invoice, by: UUID, *, paid: int = 0, refunded: int = 0, credited: int = 0
) -> Invoice:
    """Add to what was paid, refunded and credited, in one step; `by` is the payment or credit note that does it.

    What comes in for an invoice that was given up is taken off the bad debts first. Becoming paid is announced.
    """
    sums = {
        "amount_paid": invoice.amount_paid + paid,
        "amount_refunded": invoice.amount_refunded + refunded,
        "amount_credited": invoice.amount_credited + credited,
    }
    found = min(max(paid + credited - refunded, 0), invoice.written_off)
    if found:
        await books.post(ctx, postings.recovered(invoice, found, by))
    state = state_after(invoice.state, invoice.total, **sums)
    changed = await ctx.db.one(
        CHANGE,
        invoice_id=invoice.id,
        **sums,
        state=state,
        written_off=invoice.written_off - found,
        paid_at=(invoice.paid_at or ctx.now) if state == "paid" else None,
    )
    if state == "paid" and invoice.state != "paid":
        ctx.emit(
            InvoicePaid(
                **about(changed),
                total=changed.total,
                amount_paid=changed.amount_paid,
                payment_id=by if paid else None,
            )
        )
    return changed


def state_after(state: str, total: int, *, amount_paid: int, amount_refunded: int, amount_credited: int) -> str:
    """The state of an invoice that was open, by its sums."""
    if total - amount_credited - amount_paid + amount_refunded <= 0:
        return "paid" if amount_paid else "credited"
    if state == "uncollectible":
        return state
    return "partly_paid" if amount_paid > amount_refunded else "open"


def about(invoice: Invoice) -> dict[str, Any]:
    """What every event says of its invoice."""
    return {
        "invoice_id": invoice.id,
        "number": invoice.number,
        "currency": invoice.currency,
        "source": invoice.source,
        "source_id": invoice.source_id,
    }
