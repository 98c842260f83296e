"""Drafts: an invoice while it is written. It has no number, nobody owes it, and it may still be changed."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, select, update

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import Fault, NotFoundError, ValidationError
from nexuscore.kernel.money import exponent
from nexuscore.modules import books, orgs
from nexuscore.modules.books import Account
from nexuscore.modules.invoices.errors import GstInSgd, NotDraft, NothingToInvoice
from nexuscore.modules.invoices.events import InvoiceChanged, InvoiceDrafted
from nexuscore.modules.invoices.lines import NewLine, stored
from nexuscore.modules.invoices.settings import InvoiceSettings
from nexuscore.modules.invoices.tables import Invoice
from nexuscore.modules.invoices.tax import treatment

ONE = select(Invoice).where(Invoice.id == bindparam("invoice_id"))
LOCKED = ONE.with_for_update()
CHANGE = update(Invoice).where(Invoice.id == bindparam("invoice_id")).returning(Invoice)
CREATE = insert(Invoice).returning(Invoice)
_OF_SOURCE = (
    select(Invoice)
    .where(Invoice.source == bindparam("of_source"), Invoice.source_id == bindparam("of_id"))
    .order_by(Invoice.id)
)
_INCOME = ("income", "liability")


async def get(ctx: Ctx, invoice_id: UUID) -> Invoice:
    """One invoice of the context's organisation."""
    return await ctx.db.one(ONE, invoice_id=invoice_id)


async def lock(ctx: Ctx, invoice_id: UUID) -> Invoice:
    """One invoice, held until the transaction ends, so that changes of it come one by one."""
    return await ctx.db.one(LOCKED, invoice_id=invoice_id)


async def of_source(ctx: Ctx, source: str, source_id: UUID) -> list[Invoice]:
    """The invoices for one thing, such as a subscription, oldest first."""
    return await ctx.db.all(_OF_SOURCE, of_source=source, of_id=source_id)


async def organisation_of(ctx: Ctx, invoice_id: UUID) -> UUID:
    """Whose invoice it is, for those who serve all organisations; `NotFoundError` when there is none."""
    async with ctx.across_orgs("an invoice is found by its id") as everywhere:
        return (await everywhere.db.one(ONE, invoice_id=invoice_id)).org_id


async def draft(
    ctx: Ctx,
    lines: Sequence[NewLine],
    *,
    currency: str = "SGD",
    due_days: int | None = None,
    source: str | None = None,
    source_id: UUID | None = None,
    customer_reference: str | None = None,
    memo: str | None = None,
) -> Invoice:
    """Write an invoice for the context's organisation. Its GST is that of today, and is computed anew at the end.

    `source` and `source_id` say what it is for ("subscription" and its id): every event about the invoice repeats them.
    """
    agreed = terms(ctx, due_days, source, source_id, customer_reference, memo)
    invoice = await ctx.db.one(CREATE, **await priced(ctx, lines, currency), **agreed)
    announce(ctx, invoice)
    return invoice


def terms(
    ctx: Ctx,
    due_days: int | None = None,
    source: str | None = None,
    source_id: UUID | None = None,
    customer_reference: str | None = None,
    memo: str | None = None,
) -> dict[str, Any]:
    """The columns of an invoice that are not its money."""
    return {
        "due_days": ctx.app.settings[InvoiceSettings].due_days if due_days is None else due_days,
        "source": source,
        "source_id": source_id,
        "customer_reference": customer_reference,
        "memo": memo,
        "created_by": ctx.actor.id,
    }


def announce(ctx: Ctx, invoice: Invoice) -> None:
    """Say that an invoice was written."""
    ctx.emit(
        InvoiceDrafted(
            invoice_id=invoice.id,
            currency=invoice.currency,
            total=invoice.total,
            source=invoice.source,
            source_id=invoice.source_id,
        )
    )


async def change(ctx: Ctx, invoice_id: UUID, lines: Sequence[NewLine], **changed_terms: Any) -> Invoice:
    """Write a draft anew: all its lines, and whichever of its terms are given."""
    invoice = await lock(ctx, invoice_id)
    if invoice.state != "draft":
        raise NotDraft(details={"state": invoice.state})
    columns = await priced(ctx, lines, invoice.currency)
    changed = await ctx.db.one(CHANGE, invoice_id=invoice_id, **columns, **changed_terms)
    ctx.emit(InvoiceChanged(invoice_id=invoice_id, currency=changed.currency, total=changed.total))
    return changed


async def priced(
    ctx: Ctx, lines: Sequence[NewLine], currency: str, customer: orgs.Organisation | None = None
) -> dict[str, Any]:
    """The columns that lines make today: the lines with their amounts and codes, the invoice's code and rate."""
    _check(ctx, lines, currency)
    treated = treatment(ctx.app, customer or await debtor(ctx), books.today(ctx))
    kept = stored(lines, currency, treated)
    if sum(line["amount"] for line in kept) < 0 or sum(line["amount"] for line in kept if line["code"] == "SR") < 0:
        raise NothingToInvoice
    codes = {line["code"] for line in kept}
    if "SR" in codes and currency != "SGD":
        raise GstInSgd
    code = treated.code if treated.code in codes else kept[0]["code"]
    return {"currency": currency, "lines": kept, "gst_code": code, "gst_rate": treated.rate}


async def debtor(ctx: Ctx) -> orgs.Organisation:
    """The organisation the context acts in, which is to owe."""
    if ctx.org is None:
        raise NotFoundError
    return await orgs.organisation(ctx, ctx.org)


def accounts(app: App) -> dict[str, str]:
    """What a line can be booked on, with what each account means."""
    return {account.code: account.meaning for account in app.fillers(Account) if account.kind in _INCOME}


def _check(ctx: Ctx, lines: Sequence[NewLine], currency: str) -> None:
    faults = []
    try:
        exponent(currency)
    except ValueError:
        faults.append(Fault("currency", "unknown_currency", "There is no such currency."))
    known = accounts(ctx.app)
    faults += [
        Fault(f"lines.{number}.account", "unknown_account", "There is no such account of income.")
        for number, line in enumerate(lines)
        if line.account not in known
    ]
    if not lines:
        faults.append(Fault("lines", "missing", "An invoice has at least one line."))
    if faults:
        raise ValidationError.of(faults)
