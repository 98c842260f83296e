"""Papers: invoices and credit notes as PDF, in three languages; and what others need to print theirs alike."""

import asyncio
from typing import Any

from nexuscore.kernel.app import App
from nexuscore.modules import orgs
from nexuscore.modules.invoices.papers.content import Words, heading, of_credit_note, of_invoice, own
from nexuscore.modules.invoices.papers.printing import Paper, printed
from nexuscore.modules.invoices.parties import customer, supplier
from nexuscore.modules.invoices.settings import InvoiceSettings
from nexuscore.modules.invoices.tables import Invoice

__all__ = [
    "Paper",
    "Words",
    "letterhead",
    "of_credit_note",
    "of_invoice",
    "own",
    "print_alike",
    "printed",
    "printed_in",
]


def printed_in(invoice: Invoice, locale: str) -> bytes:
    """An invoice that was finalised, as PDF in a language; call it in a thread."""
    return printed(of_invoice(invoice, locale))


def letterhead(app: App, words: Words, title: str, org: orgs.Organisation, *, to: str) -> dict[str, Any]:
    """The head of a paper from the supplier of the settings to an organisation as it is now."""
    return heading(words, title, supplier(app), customer(org), to=to)


async def print_alike(app: App, content: dict[str, Any]) -> bytes:
    """Another module's paper, printed with the template and the fonts of invoices."""
    return await asyncio.to_thread(printed, Paper(content), fonts=app.settings[InvoiceSettings].fonts)
