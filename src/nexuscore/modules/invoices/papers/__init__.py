"""Papers: invoices and credit notes as PDF, in three languages."""

from nexuscore.modules.invoices.papers.content import of_credit_note, of_invoice
from nexuscore.modules.invoices.papers.printing import Paper, printed
from nexuscore.modules.invoices.tables import Invoice

__all__ = ["Paper", "of_credit_note", "of_invoice", "printed", "printed_in"]


def printed_in(invoice: Invoice, locale: str) -> bytes:
    """An invoice that was finalised, as PDF in a language; call it in a thread."""
    return printed(of_invoice(invoice, locale))
