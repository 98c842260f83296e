"""Invoices as they are shown: in lists, and one with its money and credit notes."""

from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, case, func, literal_column, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.paging import Listing
from nexuscore.kernel.tables import columns
from nexuscore.modules import books
from nexuscore.modules.invoices import credit_notes, payments
from nexuscore.modules.invoices.schemas import (
    CreditNoteOut,
    EverywhereQuery,
    InvoiceOut,
    InvoiceQuery,
    InvoiceSummary,
    PaymentOut,
)
from nexuscore.modules.invoices.tables import OWED, Invoice

_RATE = Invoice.gst_rate.op("::")(literal_column("text")).label("gst_rate")
_OVERDUE = case(
    (Invoice.state.in_(OWED), func.greatest(bindparam("today") - Invoice.due_on, literal_column("0"))),
    else_=literal_column("0"),
).label("days_overdue")
_STORED = [name for name in InvoiceSummary.model_fields if name not in ("gst_rate", "days_overdue")]
_WHOLE = [
    name for name in InvoiceOut.model_fields if name not in ("gst_rate", "days_overdue", "payments", "credit_notes")
]
_LIST = select(*columns(Invoice, _STORED), _RATE, _OVERDUE)
_ONE = select(*columns(Invoice, _WHOLE), _RATE, _OVERDUE).where(Invoice.id == bindparam("invoice_id"))
_IN_STATE = Invoice.state == bindparam("in_state")
_OF_ORG = Invoice.org_id == bindparam("of_org")
_LISTINGS = {
    (False, False): Listing(_LIST, by=Invoice.id),
    (True, False): Listing(_LIST.where(_IN_STATE), by=Invoice.id),
    (False, True): Listing(_LIST.where(_OF_ORG), by=Invoice.id),
    (True, True): Listing(_LIST.where(and_(_IN_STATE, _OF_ORG)), by=Invoice.id),
}


async def page(ctx: Ctx, query: InvoiceQuery) -> Json:
    """Invoices as far as the scope sees, newest first."""
    given = {"in_state": query.state, "of_org": query.org_id if isinstance(query, EverywhereQuery) else None}
    shape = given["in_state"] is not None, given["of_org"] is not None
    set_ = {name: value for name, value in given.items() if value is not None}
    return await ctx.db.page(_LISTINGS[shape], query, today=books.today(ctx), **set_)


async def shown(ctx: Ctx, invoice_id: UUID) -> InvoiceOut:
    """One invoice with everything about it."""
    row = await ctx.db.one(_ONE, invoice_id=invoice_id, today=books.today(ctx))
    moved = await payments.of_invoice(ctx, invoice_id)
    notes = await credit_notes.of_invoice(ctx, invoice_id)
    return InvoiceOut(
        **_fields(row, [*_WHOLE, "gst_rate", "days_overdue"]),
        payments=[PaymentOut.model_validate(payment) for payment in moved],
        credit_notes=[CreditNoteOut.model_validate(note) for note in notes],
    )


def _fields(row: Any, names: list[str]) -> dict[str, Any]:
    return {name: row[name] for name in names}
