"""Credit notes in the console: everybody's, one as it reads on paper, and the form that issues one for an invoice."""

from typing import Annotated
from uuid import UUID

from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.http import Nav, PageQuery, Pages, Query, Reply, View, Went
from nexuscore.modules.invoices import credit_notes, documents, drafts, everywhere, listings, lists, peppol
from nexuscore.modules.invoices.everywhere import theirs
from nexuscore.modules.invoices.pages import HERE, acts_of, as_file
from nexuscore.modules.invoices.routes import CanManage, InLanguage
from nexuscore.modules.invoices.schemas import NewCreditNote
from nexuscore.modules.invoices.typed import TypedCredit, credit_of

pages = Pages("/billing/platform", tag="Invoices")
NOTES = "/console/billing/platform/credit-notes"


@pages.get(
    "/credit-notes",
    title="Credit notes",
    nav=Nav("Platform", icon="note", order=21),
    listing=lists.CREDIT_NOTES,
)
async def credit_notes_page(ctx: CanManage, query: Annotated[PageQuery, Query()]) -> View:
    """Everybody's credit notes."""
    return View("credit_notes.html", notes=await lists.credit_notes(ctx, query))


@pages.get("/credit-notes/{credit_note_id}", title="Credit note")
async def credit_note_page(ctx: CanManage, credit_note_id: UUID) -> View:
    """One credit note, with the invoice it is for."""
    invoice_id = await credit_notes.invoice_of(ctx, credit_note_id)
    async with theirs(ctx, invoice_id) as there:
        note = await credit_notes.get(there, credit_note_id)
        invoice = await listings.shown(there, invoice_id)
    return View("credit_note.html", title=note.number, note=note, invoice=invoice, acts=acts_of(invoice))


@pages.get("/credit-notes/{credit_note_id}/pdf")
async def credit_note_pdf_page(ctx: CanManage, credit_note_id: UUID, language: InLanguage = None) -> Went:
    """To its PDF, by a link that expires."""
    invoice_id = await credit_notes.invoice_of(ctx, credit_note_id)
    async with theirs(ctx, invoice_id) as there:
        document = await documents.request(there, invoice_id, language, credit_note_id)
        return Went(documents.path(there, document))


@pages.get("/credit-notes/{credit_note_id}/peppol")
async def credit_note_peppol_page(ctx: CanManage, credit_note_id: UUID) -> Reply:
    """The credit note as InvoiceNow carries it."""
    invoice_id = await credit_notes.invoice_of(ctx, credit_note_id)
    async with theirs(ctx, invoice_id) as there:
        note = await credit_notes.get(there, credit_note_id)
        return as_file(note.number, peppol.credit_note_xml(note, await drafts.get(there, invoice_id)))


@pages.get("/invoices/{invoice_id}/credit", title="New credit note")
async def new_credit_note_page(ctx: CanManage, invoice_id: UUID) -> View:
    """What to charge less: all that is left, some lines, or an amount."""
    invoice = await everywhere.read(ctx, invoice_id)
    if "credit" not in acts_of(invoice):
        raise NotFoundError
    return View("credit_form.html", invoice=invoice, left=invoice.total - invoice.amount_credited)


@pages.post("/invoices/{invoice_id}/credit", once=True)
async def issue_credit_note_page(ctx: CanManage, invoice_id: UUID, new: TypedCredit) -> Went:
    """Issue it, with its GST to the cent."""
    async with theirs(ctx, invoice_id) as there:
        row = await drafts.lock(there, invoice_id)
        left = credit_notes.what_is_left(row, await credit_notes.of_invoice(there, invoice_id))
        asked = credit_of(new, await listings.shown(there, invoice_id), left)
    given = NewCreditNote.model_validate(
        {"reason": new.reason, "amounts" if isinstance(asked, dict) else "amount": asked}
    )
    note = await everywhere.credit(ctx, invoice_id, given)
    return Went(f"{HERE}/{invoice_id}", say="{number} is issued.", number=note.number)
