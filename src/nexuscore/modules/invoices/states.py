"""What becomes of an invoice: finalised, voided, given up, overdue."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.modules import books, orgs
from nexuscore.modules.invoices import drafts, numbers, parties, postings
from nexuscore.modules.invoices.drafts import CHANGE, CREATE, lock
from nexuscore.modules.invoices.errors import AlreadyPaid, MoneyReceived, NotDraft, NotOpen
from nexuscore.modules.invoices.events import (
    InvoiceOpened,
    InvoiceOverdue,
    InvoicePaid,
    InvoiceUncollectible,
    InvoiceVoided,
)
from nexuscore.modules.invoices.lines import NewLine, again
from nexuscore.modules.invoices.settling import about
from nexuscore.modules.invoices.tables import OWED, Invoice

AT_ONCE = 500
_OVERDUE = (
    select(Invoice.id, Invoice.org_id)
    .where(Invoice.state.in_(OWED), Invoice.due_on < bindparam("today"), Invoice.overdue_at.is_(None))
    .order_by(Invoice.due_on)
    .limit(AT_ONCE)
)


async def finalise(ctx: Ctx, invoice_id: UUID) -> Invoice:
    """Give a draft its number and its day: it is owed from now on, and no longer changes."""
    return await _finalise(ctx, await lock(ctx, invoice_id))


async def issue(ctx: Ctx, lines: Sequence[NewLine], *, currency: str = "SGD", **terms: Any) -> Invoice:
    """`draft` and `finalise` in one statement; `terms` are those of `draft`."""
    customer = await drafts.debtor(ctx)
    columns = await drafts.priced(ctx, lines, currency, customer)
    agreed = drafts.terms(ctx, **terms)
    opening = await _opening(ctx, customer, columns, agreed["due_days"])
    opened = await ctx.db.one(CREATE, **columns, **agreed, **opening)
    drafts.announce(ctx, opened)
    return await _opened(ctx, opened)


async def _finalise(ctx: Ctx, invoice: Invoice) -> Invoice:
    if invoice.state != "draft":
        raise NotDraft(details={"state": invoice.state})
    customer = await orgs.organisation(ctx, invoice.org_id)
    columns = await drafts.priced(ctx, again(invoice.lines), invoice.currency, customer)
    opening = await _opening(ctx, customer, columns, invoice.due_days)
    return await _opened(ctx, await ctx.db.one(CHANGE, invoice_id=invoice.id, **columns, **opening))


async def _opening(ctx: Ctx, customer: orgs.Organisation, columns: dict[str, Any], due_days: int) -> dict[str, Any]:
    """What makes an invoice one that is owed: its number, its days, its parties. What costs nothing is paid."""
    today = books.today(ctx)
    free = sum(line["amount"] for line in columns["lines"]) == 0
    return {
        "state": "paid" if free else "open",
        "number": await numbers.take(ctx, "INV", today),
        "issued_on": today,
        "due_on": today + timedelta(days=due_days),
        "paid_at": ctx.now if free else None,
        "supplier": parties.supplier(ctx.app),
        "customer": parties.customer(customer),
    }


async def _opened(ctx: Ctx, opened: Invoice) -> Invoice:
    if opened.total:
        await books.post(ctx, postings.opened(ctx.app, opened))
    ctx.emit(
        InvoiceOpened(
            **about(opened),
            subtotal=opened.subtotal,
            gst_amount=opened.gst_amount,
            total=opened.total,
            due_on=opened.due_on,
        )
    )
    if opened.state == "paid":
        ctx.emit(InvoicePaid(**about(opened), total=0, amount_paid=0, payment_id=None))
    return opened


async def void(ctx: Ctx, invoice_id: UUID, reason: str) -> Invoice:
    """Cancel an invoice nothing was paid or credited for. Its number stays its own."""
    invoice = await lock(ctx, invoice_id)
    if invoice.state == "paid":
        raise AlreadyPaid
    if invoice.state == "partly_paid" or invoice.amount_credited or invoice.amount_paid:
        raise MoneyReceived
    if invoice.state not in ("draft", "open"):
        raise NotOpen(details={"state": invoice.state})
    today = books.today(ctx)
    changed = await ctx.db.one(CHANGE, invoice_id=invoice_id, state="void", reason=reason, voided_on=today)
    if invoice.state == "open":
        await books.post(ctx, postings.voided(ctx.app, invoice, today))
    ctx.emit(InvoiceVoided(**about(changed), total=changed.total, reason=reason))
    return changed


async def mark_uncollectible(ctx: Ctx, invoice_id: UUID, reason: str) -> Invoice:
    """Give up what is still due. Money that comes after all is taken."""
    invoice = await lock(ctx, invoice_id)
    if invoice.state not in OWED:
        raise NotOpen(details={"state": invoice.state})
    due = invoice.amount_due
    changed = await ctx.db.one(CHANGE, invoice_id=invoice_id, state="uncollectible", reason=reason, written_off=due)
    await books.post(ctx, postings.written_off(invoice, due))
    ctx.emit(InvoiceUncollectible(**about(changed), amount_due=due, reason=reason))
    return changed


async def mark_overdue(ctx: Ctx, today: date) -> int:
    """Announce every invoice whose day has passed, once; how many there were."""
    announced = 0
    while True:
        async with ctx.across_orgs("invoices of everybody become overdue") as everywhere:
            found = await everywhere.db.all(_OVERDUE, today=today)
        for row in found:
            async with ctx.in_org(row.org_id) as there:
                invoice = await lock(there, row.id)
                if invoice.state in OWED and invoice.overdue_at is None:
                    await there.db.execute(CHANGE, invoice_id=row.id, overdue_at=ctx.now)
                    there.emit(InvoiceOverdue(**about(invoice), amount_due=invoice.amount_due, due_on=invoice.due_on))
        announced += len(found)
        if len(found) < AT_ONCE:
            return announced
