"""What happens beside requests: PDFs are printed, customers are told, and the days that have passed are announced."""

from uuid import UUID

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.events import Fact, on
from nexuscore.kernel.jobs import every, outcall
from nexuscore.modules import books
from nexuscore.modules.invoices import documents, drafts, letters, payments, states
from nexuscore.modules.invoices.documents import MakeDocument, Printing
from nexuscore.modules.invoices.events import InvoiceOpened, InvoiceOverdue, InvoicePaid, InvoicePartlyPaid
from nexuscore.modules.invoices.slots import told_elsewhere


@every("20 17 * * *")
async def announce_overdue(ctx: Ctx) -> None:
    """Early in Singapore's day: announce the invoices whose last day was yesterday."""
    await states.mark_overdue(ctx, books.today(ctx))


@outcall(MakeDocument)
async def make_document(ctx: Ctx, job: MakeDocument) -> Printing | None:
    """What is to be printed."""
    return await documents.printing(ctx, job.document_id)


@make_document.call
async def _print(app: App, found: Printing) -> None:
    await documents.make(app, found)


@make_document.record
async def _printed(ctx: Ctx, found: Printing, answer: None) -> None:
    await documents.ready(ctx, found.id)


@on(InvoiceOpened)
async def mail_invoice(ctx: Ctx, fact: Fact[InvoiceOpened]) -> None:
    """Print an invoice that is owed, and send it."""
    await letters.send_invoice(ctx, fact.data.invoice_id, fact.id)


@on(InvoicePartlyPaid)
async def mail_receipt_of_a_part(ctx: Ctx, fact: Fact[InvoicePartlyPaid]) -> None:
    """Say that a part has come in."""
    if await _told_elsewhere(ctx, fact.data.invoice_id, fact.data.payment_id):
        return
    await letters.send_receipt(ctx, fact.data.invoice_id, fact.data.amount, fact.data.amount_due, fact.id)


@on(InvoicePaid)
async def mail_receipt(ctx: Ctx, fact: Fact[InvoicePaid]) -> None:
    """Say that all has come in; nothing is said where no money came."""
    if fact.data.payment_id is not None:
        if await _told_elsewhere(ctx, fact.data.invoice_id, fact.data.payment_id):
            return
        of_all = await payments.of_invoice(ctx, fact.data.invoice_id)
        amount = next(payment.amount for payment in of_all if payment.id == fact.data.payment_id)
        await letters.send_receipt(ctx, fact.data.invoice_id, amount, 0, fact.id)


@on(InvoiceOverdue)
async def mail_reminder(ctx: Ctx, fact: Fact[InvoiceOverdue]) -> None:
    """Remind, if it is still owed."""
    if (await drafts.get(ctx, fact.data.invoice_id)).state in ("open", "partly_paid"):
        await letters.send_reminder(ctx, fact.data.invoice_id, fact.id)


async def _told_elsewhere(ctx: Ctx, invoice_id: UUID, payment_id: UUID) -> bool:
    of_all = await payments.of_invoice(ctx, invoice_id)
    return await told_elsewhere(ctx, next(payment.reference for payment in of_all if payment.id == payment_id))
