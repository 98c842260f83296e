"""Papers: invoices and credit notes as PDF, in three languages."""

from nexuscore.modules.invoices.papers.content import of_credit_note, of_invoice
from nexuscore.modules.invoices.papers.printing import Paper, printed

__all__ = ["Paper", "of_credit_note", "of_invoice", "printed"]
