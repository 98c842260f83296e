"""What customers are told by mail, in the language of their organisation."""

from uuid import UUID

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.ids import uuid7
from nexuscore.modules import mail
from nexuscore.modules.invoices import documents, drafts, messages
from nexuscore.modules.invoices.errors import NotOpen
from nexuscore.modules.invoices.events import InvoiceResent
from nexuscore.modules.invoices.papers.content import Words
from nexuscore.modules.invoices.settling import about
from nexuscore.modules.invoices.tables import OWED, Invoice


async def send_invoice(ctx: Ctx, invoice_id: UUID, event: UUID) -> None:
    """The invoice itself; what costs nothing is not sent."""
    invoice = await drafts.get(ctx, invoice_id)
    document = await documents.request(ctx, invoice_id)
    if invoice.total == 0 or invoice.due_on is None:
        return
    words = _words(invoice)
    message = messages.InvoiceSent(
        number=str(invoice.number),
        supplier=_supplier(invoice),
        total=_money(words, invoice.total),
        due=words.date(invoice.due_on),
        link=documents.link(ctx, document),
    )
    await _send(ctx, invoice, message, event)


async def send_again(ctx: Ctx, invoice_id: UUID) -> None:
    """The invoice once more, when somebody asks for it; there is nothing to send of one that is not owed."""
    invoice = await drafts.lock(ctx, invoice_id)
    if invoice.state not in OWED or not invoice.amount_due:
        raise NotOpen(details={"state": invoice.state})
    await send_invoice(ctx, invoice_id, uuid7())
    ctx.emit(InvoiceResent(**about(invoice), to=str((invoice.customer or {})["email"])))


async def send_receipt(ctx: Ctx, invoice_id: UUID, amount: int, left: int, event: UUID) -> None:
    """That a payment has come in."""
    invoice = await drafts.get(ctx, invoice_id)
    words = _words(invoice)
    message = messages.PaymentReceived(
        number=str(invoice.number),
        supplier=_supplier(invoice),
        amount=_money(words, amount),
        left=_money(words, left) if left else "",
    )
    await _send(ctx, invoice, message, event)


async def send_reminder(ctx: Ctx, invoice_id: UUID, event: UUID) -> None:
    """That the day has passed; not when it was paid meanwhile."""
    invoice = await drafts.get(ctx, invoice_id)
    if not invoice.amount_due or invoice.due_on is None:
        return
    words = _words(invoice)
    message = messages.PaymentOverdue(
        number=str(invoice.number),
        supplier=_supplier(invoice),
        left=_money(words, invoice.amount_due),
        due=words.date(invoice.due_on),
        link=documents.link(ctx, await documents.request(ctx, invoice_id)),
    )
    await _send(ctx, invoice, message, event)


async def _send(ctx: Ctx, invoice: Invoice, message: mail.Message, event: UUID) -> None:
    customer = invoice.customer or {}
    await mail.send(ctx, message, to=customer["email"], locale=customer["locale"], idempotency=str(event))


def _money(words: Words, minor: int) -> str:
    """An amount without the marks that turn text around, which mails refuse."""
    return words.money(minor).strip("\N{LEFT-TO-RIGHT ISOLATE}\N{POP DIRECTIONAL ISOLATE}")


def _words(invoice: Invoice) -> Words:
    return Words(str((invoice.customer or {}).get("locale", "en")), invoice.currency)


def _supplier(invoice: Invoice) -> str:
    return str((invoice.supplier or {})["name"])
