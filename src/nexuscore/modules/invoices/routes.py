"""Invoices over HTTP: members read what their organisation owes; those who run the platform issue it."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query

from nexuscore.kernel import clock
from nexuscore.kernel.ctx import Ctx, RowCtx
from nexuscore.kernel.db import Json
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.http import Can, Exchange, Page, Public, Reply, Routes
from nexuscore.modules.invoices import credit_notes, documents, drafts, everywhere, gst, listings, peppol
from nexuscore.modules.invoices.errors import (
    AlreadyPaid,
    GstInSgd,
    InvoiceVoid,
    LinkExpired,
    MoneyReceived,
    NotDraft,
    NotExportable,
    NothingToInvoice,
    NotIssued,
    NotOpen,
    OverCredit,
)
from nexuscore.modules.invoices.permissions import MANAGE, READ, REPORT
from nexuscore.modules.invoices.schemas import (
    CreditNoteOut,
    Document,
    EverywhereQuery,
    GstReport,
    InvoiceChange,
    InvoiceOut,
    InvoiceQuery,
    InvoiceSummary,
    Language,
    NewCreditNote,
    NewInvoice,
    Reason,
)
from nexuscore.modules.invoices.tables import Invoice

routes = Routes("/invoices", tag="Invoices")
billing = Routes("/billing/invoices", tag="Billing")
returns = Routes("/billing/gst", tag="Billing")

CanManage = Annotated[Ctx, Can(MANAGE)]
CanReport = Annotated[Ctx, Can(REPORT)]
Year = Annotated[int, Path(ge=2000, le=2999)]
Quarter = Annotated[int, Path(ge=1, le=4)]
WithLink = Annotated[Exchange, Public("The link is signed, and expires.")]
InLanguage = Annotated[Language | None, Query(description="The language; without it, the organisation's.")]
_PRICED = (NothingToInvoice, GstInSgd)
_BEING_MADE = {202: "It is being made; ask again."}

CanRead = Annotated[Ctx, Can(READ)]
CanReadOne = Annotated[RowCtx[Invoice], Can(READ, row=drafts.get)]


@routes.get("", answer=Page[InvoiceSummary])
async def list_invoices(ctx: CanRead, query: Annotated[InvoiceQuery, Query()]) -> Json:
    """What the organisation owes and has paid, newest first."""
    return await listings.page(ctx, query)


@routes.get("/{invoice_id}", answer=InvoiceOut)
async def read_invoice(ctx: CanReadOne, invoice_id: UUID) -> InvoiceOut:
    """One invoice, with its payments and credit notes."""
    return await listings.shown(ctx, invoice_id)


@routes.get("/{invoice_id}/pdf", answer=Document, errors=(NotIssued,), also=_BEING_MADE)
async def read_invoice_pdf(ctx: CanReadOne, invoice_id: UUID, language: InLanguage = None) -> Document | Reply:
    """A link to the PDF that works for some days; 202 while it is being made."""
    return _made(documents.shown(ctx, await documents.request(ctx, invoice_id, language)))


@routes.get("/{invoice_id}/credit-notes/{credit_note_id}/pdf", answer=Document, also=_BEING_MADE)
async def read_credit_note_pdf(
    ctx: CanReadOne, invoice_id: UUID, credit_note_id: UUID, language: InLanguage = None
) -> Document | Reply:
    """The same for a credit note of the invoice."""
    return _made(documents.shown(ctx, await documents.request(ctx, invoice_id, language, credit_note_id)))


@routes.get("/{invoice_id}/peppol", errors=(NotIssued, NotExportable), media="application/xml")
async def export_invoice(ctx: CanReadOne) -> Reply:
    """The invoice as a Peppol document (UBL, PINT SG), as InvoiceNow carries it."""
    return _xml(str(ctx.row.number), peppol.invoice_xml(ctx.row))


@routes.get("/{invoice_id}/credit-notes/{credit_note_id}/peppol", errors=(NotExportable,), media="application/xml")
async def export_credit_note(ctx: CanReadOne, credit_note_id: UUID) -> Reply:
    """The same for a credit note of the invoice."""
    note = await credit_notes.get(ctx, credit_note_id)
    if note.invoice_id != ctx.row.id:
        raise NotFoundError
    return _xml(note.number, peppol.credit_note_xml(note, ctx.row))


@routes.get("/files/{document_id}", errors=(LinkExpired,), media="application/pdf")
async def download_invoice(
    exchange: WithLink,
    document_id: UUID,
    expires: Annotated[int, Query(ge=0, le=1 << 40)],
    signature: Annotated[str, Query(max_length=100)],
) -> Reply:
    """The PDF, for whoever has its link."""
    documents.check_link(exchange.app, document_id, expires, signature, clock.now())
    name, content = await documents.download(exchange.app, document_id)
    reply = Reply(body=content, media="application/pdf")
    return reply.header("content-disposition", f'inline; filename="{name}"').header("cache-control", "no-store")


def _xml(number: str, content: bytes) -> Reply:
    reply = Reply(body=content, media="application/xml; charset=utf-8")
    return reply.header("content-disposition", f'attachment; filename="{number.lower()}.xml"')


def _made(document: Document) -> Document | Reply:
    if document.state == "ready":
        return document
    return Reply(202, document.model_dump_json().encode()).header("retry-after", "1")


# --- for those who run the platform ---------------------------------------------------------------


@billing.get("", answer=Page[InvoiceSummary])
async def list_all_invoices(ctx: CanManage, query: Annotated[EverywhereQuery, Query()]) -> Json:
    """The invoices of all organisations, newest first."""
    return await everywhere.page(ctx, query)


@billing.post("", answer=InvoiceOut, status=201, errors=(*_PRICED, NotFoundError), needs_key=True)
async def draft_invoice(ctx: CanManage, new: NewInvoice) -> InvoiceOut:
    """Write an invoice for an organisation. Nothing is owed before it is finalised."""
    return await everywhere.draft(ctx, new)


@billing.get("/{invoice_id}", answer=InvoiceOut)
async def read_any_invoice(ctx: CanManage, invoice_id: UUID) -> InvoiceOut:
    """One invoice of any organisation, with its payments and credit notes."""
    return await everywhere.read(ctx, invoice_id)


@billing.patch("/{invoice_id}", answer=InvoiceOut, errors=(NotDraft, *_PRICED), needs_key=True)
async def change_invoice(ctx: CanManage, invoice_id: UUID, change: InvoiceChange) -> InvoiceOut:
    """Write a draft anew."""
    return await everywhere.change(ctx, invoice_id, change)


@billing.post("/{invoice_id}/finalise", answer=InvoiceOut, errors=(NotDraft, *_PRICED), needs_key=True)
async def finalise_invoice(ctx: CanManage, invoice_id: UUID) -> InvoiceOut:
    """Give a draft its number and its day: it is owed from now on, and no longer changes."""
    return await everywhere.finalise(ctx, invoice_id)


@billing.post("/{invoice_id}/send", answer=InvoiceOut, errors=(NotOpen,), needs_key=True)
async def send_invoice(ctx: CanManage, invoice_id: UUID) -> InvoiceOut:
    """Mail an invoice that is owed once more, to the address it was issued for."""
    return await everywhere.send(ctx, invoice_id)


@billing.post("/{invoice_id}/void", answer=InvoiceOut, errors=(AlreadyPaid, MoneyReceived, NotOpen), needs_key=True)
async def void_invoice(ctx: CanManage, invoice_id: UUID, why: Reason) -> InvoiceOut:
    """Cancel an invoice nothing was paid for. Its number stays its own."""
    return await everywhere.void(ctx, invoice_id, why.reason)


@billing.post("/{invoice_id}/uncollectible", answer=InvoiceOut, errors=(NotOpen,), needs_key=True)
async def give_up_invoice(ctx: CanManage, invoice_id: UUID, why: Reason) -> InvoiceOut:
    """Give up what is still due. Money that comes after all is taken."""
    return await everywhere.mark_uncollectible(ctx, invoice_id, why.reason)


@billing.post(
    "/{invoice_id}/credit-notes",
    answer=CreditNoteOut,
    status=201,
    errors=(NotOpen, InvoiceVoid, OverCredit),
    needs_key=True,
)
async def issue_credit_note(ctx: CanManage, invoice_id: UUID, new: NewCreditNote) -> CreditNoteOut:
    """Charge less for an invoice, with its GST to the cent."""
    return await everywhere.credit(ctx, invoice_id, new)


@returns.get("/{year}/{quarter}", answer=GstReport, replica=True)
async def read_gst_return(ctx: CanReport, year: Year, quarter: Quarter) -> GstReport:
    """The boxes of the GST return (form F5) that follow from a quarter's invoices and credit notes."""
    return await gst.report(ctx, year, quarter)


@returns.get("/{year}/{quarter}/csv", media="text/csv", replica=True)
async def download_gst_return(ctx: CanReport, year: Year, quarter: Quarter) -> Reply:
    """The documents behind the boxes, as CSV; amounts in cents."""
    reply = Reply(body=await gst.csv(ctx, year, quarter), media="text/csv; charset=utf-8")
    return reply.header("content-disposition", f'attachment; filename="gst-{year}-q{quarter}.csv"')
