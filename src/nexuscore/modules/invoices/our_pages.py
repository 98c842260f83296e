"""The organisation's own invoices in the console: what it owes and has paid, each with its paper."""

from typing import Annotated
from uuid import UUID

from nexuscore.kernel.ctx import RowCtx
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.http import Can, Nav, PageQuery, Pages, Query, Reply, View, Went
from nexuscore.modules.invoices import documents, drafts, listings, lists, peppol
from nexuscore.modules.invoices.pages import as_file
from nexuscore.modules.invoices.permissions import READ
from nexuscore.modules.invoices.routes import CanRead, InLanguage
from nexuscore.modules.invoices.tables import Invoice

pages = Pages("/billing/invoices", tag="Invoices")


async def issued(ctx: RowCtx[Invoice], invoice_id: UUID) -> Invoice:
    """One of the organisation's own invoices; drafts are not its business yet."""
    invoice = await drafts.get(ctx, invoice_id)
    if invoice.number is None:
        raise NotFoundError
    return invoice


CanReadIssued = Annotated[RowCtx[Invoice], Can(READ, row=issued)]


@pages.get(title="Invoices", nav=Nav("Billing", icon="file", order=20), listing=lists.OURS)
async def our_invoices_page(ctx: CanRead, query: Annotated[PageQuery, Query()]) -> View:
    """What the organisation owes and has paid, newest first."""
    return View("our_invoices.html", invoices=await lists.ours(ctx, query))


@pages.get("/{invoice_id}", title="Invoice")
async def our_invoice_page(ctx: CanReadIssued) -> View:
    """One of them as it reads on paper, with the money that moved for it."""
    invoice = await listings.shown(ctx, ctx.row.id)
    view = View(
        "our_invoice.html",
        title=invoice.number,
        invoice=invoice,
        supplier=invoice.supplier,
        customer=invoice.customer,
        exportable=not peppol.missing(invoice),
    )
    return view.offer("invoices.invoice", invoice)


@pages.get("/{invoice_id}/pdf")
async def our_invoice_pdf_page(ctx: CanReadIssued, language: InLanguage = None) -> Went:
    """To its PDF, by a link that expires."""
    return Went(documents.path(ctx, await documents.request(ctx, ctx.row.id, language)))


@pages.get("/{invoice_id}/credit-notes/{credit_note_id}/pdf")
async def our_credit_note_pdf_page(ctx: CanReadIssued, credit_note_id: UUID, language: InLanguage = None) -> Went:
    """The same for a credit note of it."""
    return Went(documents.path(ctx, await documents.request(ctx, ctx.row.id, language, credit_note_id)))


@pages.get("/{invoice_id}/peppol")
async def our_invoice_peppol_page(ctx: CanReadIssued) -> Reply:
    """The invoice as InvoiceNow carries it."""
    return as_file(str(ctx.row.number), peppol.invoice_xml(ctx.row))
