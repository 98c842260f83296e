"""Invoices in the console, for those who run the platform: who owes what, and one with all that can be done with it."""

from typing import Annotated, Any
from uuid import UUID

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http import Nav, PageQuery, Pages, Query, Reply, View, Went
from nexuscore.kernel.i18n import translate
from nexuscore.modules import books
from nexuscore.modules.invoices import (
    customers,
    documents,
    drafts,
    everywhere,
    listings,
    lists,
    peppol,
)
from nexuscore.modules.invoices.everywhere import theirs
from nexuscore.modules.invoices.history import history
from nexuscore.modules.invoices.routes import CanManage, InLanguage
from nexuscore.modules.invoices.schemas import InvoiceOut, NewPayment, Reason
from nexuscore.modules.invoices.settings import InvoiceSettings
from nexuscore.modules.invoices.tables import OWED
from nexuscore.modules.invoices.tax import treatment
from nexuscore.modules.invoices.typed import TypedInvoice, TypedPayment, lines_of, plain_amount, positive

pages = Pages("/billing/platform/invoices", tag="Invoices")
HERE = "/console/billing/platform/invoices"
_BLANK = 3  # rows of a new invoice


@pages.get(title="All invoices", nav=Nav("Platform", icon="file", order=20), listing=lists.INVOICES)
async def invoices_page(ctx: CanManage, query: Annotated[PageQuery, Query()]) -> View:
    """Everybody's invoices, and what is owed."""
    return View("invoices.html", invoices=await lists.invoices(ctx, query), owed=await lists.owed(ctx))


@pages.get("/new", title="New invoice")
async def new_invoice_page(ctx: CanManage, org_id: UUID | None = None, q: str = "") -> View:
    """Whom to invoice; and then, for what."""
    if org_id is None:
        found = await customers.find_customers(ctx, q[:200])
        return View("customers.html", words=q, found=found, to=f"{HERE}/new", back=HERE)
    return _form(ctx, await customers.customer(ctx, org_id), None)


@pages.post("/new", once=True)
async def create_invoice_page(ctx: CanManage, org_id: UUID, new: TypedInvoice) -> Went:
    """Write a draft."""
    async with ctx.in_org(org_id) as there:
        invoice = await drafts.draft(
            there,
            lines_of(new.lines, new.currency),
            currency=new.currency,
            due_days=new.due_days,
            customer_reference=new.customer_reference,
            memo=new.memo,
        )
    return Went(f"{HERE}/{invoice.id}", say="The draft is written.")


@pages.post("/new/line", shows=new_invoice_page)
async def new_invoice_line_page(ctx: CanManage, org_id: UUID) -> View:
    """The same form with one more row; nothing is kept yet."""
    return _form(ctx, await customers.customer(ctx, org_id), None, more=1)


@pages.get("/{invoice_id}", title="Invoice")
async def invoice_page(ctx: CanManage, invoice_id: UUID) -> View:
    """One invoice as it reads on paper, the money that moved for it, and what happened to it."""
    async with theirs(ctx, invoice_id) as there:
        invoice = await listings.shown(there, invoice_id)
        happened = await history(there, invoice_id)
    return View(
        "invoice.html",
        title=invoice.number,
        invoice=invoice,
        customer=invoice.customer or vars_of(await customers.customer(ctx, invoice.org_id)),
        supplier=invoice.supplier,
        acts=acts_of(invoice),
        due=plain_amount(invoice.amount_due, invoice.currency),
        history=happened,
    )


def acts_of(invoice: InvoiceOut) -> set[str]:
    """What may be done with an invoice now: what the page offers is what the verbs take."""
    is_open, is_draft = invoice.state == "open", invoice.state == "draft"
    may = {
        "edit": is_draft,
        "finalise": is_draft,
        "discard": is_draft,
        "send": invoice.state in OWED and invoice.total > 0,
        "void": is_open and not (invoice.amount_paid or invoice.amount_credited),
        "give_up": invoice.state in OWED,
        "pay": invoice.state in (*OWED, "uncollectible") and invoice.amount_due > 0,
        "credit": invoice.number is not None and invoice.state != "void" and invoice.total > invoice.amount_credited,
        "paper": invoice.number is not None,
        "peppol": invoice.number is not None and not peppol.missing(invoice),
    }
    return {act for act, yes in may.items() if yes}


def vars_of(org: Any) -> dict[str, Any]:
    """A customer as a draft shows them: as they are now."""
    return {"name": org.name, "uen": org.uen, "gst_number": org.gst_number, "address": org.address} | {
        "email": org.billing_email
    }


# --- drafts -----------------------------------------------------------------------------------------


@pages.get("/{invoice_id}/edit", title="Change the draft")
async def edit_invoice_page(ctx: CanManage, invoice_id: UUID) -> View:
    """The form of a draft."""
    invoice = await everywhere.read(ctx, invoice_id)
    return _form(ctx, await customers.customer(ctx, invoice.org_id), invoice)


@pages.post("/{invoice_id}/edit", once=True)
async def change_invoice_page(ctx: CanManage, invoice_id: UUID, change: TypedInvoice) -> Went:
    """Write it anew; a field that was emptied is empty."""
    async with theirs(ctx, invoice_id) as there:
        now = await drafts.get(there, invoice_id)
        await drafts.change(
            there,
            invoice_id,
            lines_of(change.lines, now.currency),
            due_days=now.due_days if change.due_days is None else change.due_days,
            customer_reference=change.customer_reference,
            memo=change.memo,
        )
    return Went(f"{HERE}/{invoice_id}", say="The draft is changed.")


@pages.post("/{invoice_id}/line", shows=edit_invoice_page)
async def invoice_line_page(ctx: CanManage, invoice_id: UUID) -> View:
    """The same form with one more row; nothing is kept yet."""
    invoice = await everywhere.read(ctx, invoice_id)
    return _form(ctx, await customers.customer(ctx, invoice.org_id), invoice, more=1)


def _form(ctx: Ctx, customer: Any, invoice: InvoiceOut | None, more: int = 0) -> View:
    """The form of an invoice, with rows to spare."""
    lines = [] if invoice is None else invoice.lines
    here = f"{HERE}/new" if invoice is None else f"{HERE}/{invoice.id}"
    return View(
        "invoice_form.html",
        title=translate(ctx.locale, "New invoice" if invoice is None else "Change the draft"),
        invoice=invoice,
        customer=customer,
        typed=[{**line.model_dump(), "unit_price": _price(line.unit_price, invoice)} for line in lines],
        rows=len(lines) + (1 if lines else _BLANK),
        more=more,
        due_days=ctx.app.settings[InvoiceSettings].due_days if invoice is None else invoice.due_days,
        save=f"{here}?org_id={customer.id}" if invoice is None else f"{here}/edit",
        one_more=f"{here}/line?org_id={customer.id}" if invoice is None else f"{here}/line",
        registered=ctx.app.settings[InvoiceSettings].supplier_gst_number is not None,
        treated=treatment(ctx.app, customer, books.today(ctx)),
        accounts=drafts.accounts(ctx.app),
    )


def _price(minor: int, invoice: InvoiceOut | None) -> str:
    return plain_amount(minor, invoice.currency if invoice else "SGD")


# --- what becomes of one ----------------------------------------------------------------------------


@pages.post("/{invoice_id}/finalise", shows=invoice_page, once=True)
async def finalise_invoice_page(ctx: CanManage, invoice_id: UUID) -> Went:
    """Give a draft its number: it is owed from now on."""
    invoice = await everywhere.finalise(ctx, invoice_id)
    return Went(f"{HERE}/{invoice_id}", say="{number} is issued and on its way.", number=invoice.number)


@pages.post("/{invoice_id}/send", shows=invoice_page, once=True)
async def send_invoice_page(ctx: CanManage, invoice_id: UUID) -> Went:
    """Mail it once more."""
    invoice = await everywhere.send(ctx, invoice_id)
    return Went(f"{HERE}/{invoice_id}", say="{number} is sent again.", number=invoice.number)


@pages.post("/{invoice_id}/void", shows=invoice_page, once=True)
async def void_invoice_page(ctx: CanManage, invoice_id: UUID, why: Reason) -> Went:
    """Cancel one that nothing was paid for; a draft is thrown away by it."""
    invoice = await everywhere.void(ctx, invoice_id, why.reason)
    if invoice.number is None:
        return Went(HERE, say="The draft is discarded.", kind="warning")
    return Went(f"{HERE}/{invoice_id}", say="{number} is cancelled.", kind="warning", number=invoice.number)


@pages.post("/{invoice_id}/uncollectible", shows=invoice_page, once=True)
async def give_up_invoice_page(ctx: CanManage, invoice_id: UUID, why: Reason) -> Went:
    """Give up what is still due."""
    invoice = await everywhere.mark_uncollectible(ctx, invoice_id, why.reason)
    return Went(f"{HERE}/{invoice_id}", say="{number} is given up.", kind="warning", number=invoice.number)


@pages.post("/{invoice_id}/payments", shows=invoice_page, once=True)
async def pay_invoice_page(ctx: CanManage, invoice_id: UUID, new: TypedPayment) -> Went:
    """Note money that came in."""
    now = await everywhere.read(ctx, invoice_id)
    amount = positive(new.amount, now.currency)
    given = NewPayment(amount=amount, currency=now.currency, method=new.method, reference=new.reference)
    invoice = await everywhere.record_payment(ctx, invoice_id, given)
    return Went(f"{HERE}/{invoice_id}", say="The payment for {number} is recorded.", number=invoice.number)


# --- paper ------------------------------------------------------------------------------------------


@pages.get("/{invoice_id}/pdf")
async def invoice_pdf_page(ctx: CanManage, invoice_id: UUID, language: InLanguage = None) -> Went:
    """To its PDF, by a link that expires; it is printed on the way if it was not before."""
    async with theirs(ctx, invoice_id) as there:
        document = await documents.request(there, invoice_id, language)
        return Went(documents.path(there, document))


@pages.get("/{invoice_id}/peppol")
async def invoice_peppol_page(ctx: CanManage, invoice_id: UUID) -> Reply:
    """The invoice as InvoiceNow carries it."""
    async with theirs(ctx, invoice_id) as there:
        invoice = await drafts.get(there, invoice_id)
        return as_file(str(invoice.number), peppol.invoice_xml(invoice))


def as_file(number: str, content: bytes) -> Reply:
    """An XML document to keep."""
    reply = Reply(body=content, media="application/xml; charset=utf-8")
    return reply.header("content-disposition", f'attachment; filename="{number.lower()}.xml"')
