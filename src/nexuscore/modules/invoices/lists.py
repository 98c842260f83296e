"""Lists as the console shows them: invoices and credit notes of everybody, each with its customer's name."""

from datetime import date
from typing import Any

from sqlalchemy import and_, bindparam, case, func, literal_column, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.filters import equals, flag, since, until
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.tables import columns
from nexuscore.modules import books
from nexuscore.modules.invoices.schemas import State
from nexuscore.modules.invoices.tables import OWED, CreditNote, Invoice
from nexuscore.modules.orgs import Organisation

_TODAY: Any = bindparam("today")
_IS_LATE = (Invoice.state.in_(OWED), Invoice.due_on < _TODAY)
_LATE = case((and_(*_IS_LATE), _TODAY - Invoice.due_on)).label("days_overdue")
_STILL_OWED = case((Invoice.number.is_not(None), Invoice.amount_due))  # nobody owes a draft
_INVOICE = (
    *("id", "org_id", "number", "state", "currency", "total", "amount_paid", "gst_amount"),
    *("issued_on", "due_on", "customer_reference", "created_at"),
)
INVOICES = Listing(
    select(
        *columns(Invoice, _INVOICE), Organisation.name.label("customer"), _LATE, _STILL_OWED.label("amount_due")
    ).join(Organisation, Organisation.id == Invoice.org_id),
    by=Invoice.id,
    sorts={
        "number": Invoice.number,
        "customer": Organisation.name,
        "issued_on": Invoice.issued_on,
        "due_on": Invoice.due_on,
        "total": Invoice.total,
        "amount_due": _STILL_OWED,
    },
    filters={
        "state": equals(Invoice.state, State),
        "overdue": flag("Only what is overdue.", *_IS_LATE),
        "org_id": equals(Invoice.org_id),
        "since": since(Invoice.issued_on, date),
        "until": until(Invoice.issued_on, date),
    },
    search=(Invoice.number, Organisation.name, Organisation.uen, Invoice.customer_reference),
)
_OURS = ("id", "number", "state", "currency", "total", "gst_amount", "issued_on", "due_on", "customer_reference")
OURS = Listing(
    select(*columns(Invoice, _OURS), _LATE, Invoice.amount_due).where(Invoice.number.is_not(None)),
    by=Invoice.id,
    sorts={name: getattr(Invoice, name) for name in ("number", "issued_on", "due_on", "total")},
    filters={"state": equals(Invoice.state, State), "overdue": flag("Only what is overdue.", *_IS_LATE)},
    search=(Invoice.number, Invoice.customer_reference),
)
_NOTE = ("id", "number", "invoice_id", "currency", "subtotal", "gst_amount", "total", "reason", "issued_on")
CREDIT_NOTES = Listing(
    select(*columns(CreditNote, _NOTE), Invoice.number.label("invoice"), Organisation.name.label("customer"))
    .join(Invoice, Invoice.id == CreditNote.invoice_id)
    .join(Organisation, Organisation.id == CreditNote.org_id),
    by=CreditNote.id,
    sorts={
        "number": CreditNote.number,
        "customer": Organisation.name,
        "issued_on": CreditNote.issued_on,
        "total": CreditNote.total,
    },
    filters={"since": since(CreditNote.issued_on, date), "until": until(CreditNote.issued_on, date)},
    search=(CreditNote.number, Invoice.number, Organisation.name, CreditNote.reason),
)
_OWED = (
    select(
        Invoice.currency,
        func.sum(Invoice.amount_due).op("::")(literal_column("bigint")).label("owed"),
        func.coalesce(func.sum(Invoice.amount_due).filter(Invoice.due_on < _TODAY), 0)
        .op("::")(literal_column("bigint"))
        .label("late"),
        func.count().label("number"),
    )
    .where(Invoice.state.in_(OWED))
    .group_by(Invoice.currency)
    .order_by(Invoice.currency)
)


async def invoices(ctx: Ctx, query: PageQuery) -> Json:
    """Everybody's invoices, newest first."""
    async with ctx.across_orgs("the invoices of everybody") as everywhere:
        return await everywhere.db.page(INVOICES, query, today=books.today(ctx))


async def ours(ctx: Ctx, query: PageQuery) -> Json:
    """What the context's organisation was invoiced, newest first."""
    return await ctx.db.page(OURS, query, today=books.today(ctx))


async def credit_notes(ctx: Ctx, query: PageQuery) -> Json:
    """Everybody's credit notes, newest first."""
    async with ctx.across_orgs("the credit notes of everybody") as everywhere:
        return await everywhere.db.page(CREDIT_NOTES, query)


async def owed(ctx: Ctx) -> list[Any]:
    """What is owed now, and how much of it is late, by currency."""
    async with ctx.across_orgs("what everybody owes") as everywhere:
        return await everywhere.db.all(_OWED, today=books.today(ctx))
