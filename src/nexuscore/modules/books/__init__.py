"""Books: a double-entry journal in minor units, beneath everything that moves money.

    await books.post(
        ctx,
        Entry(
            "invoices.payment",
            "Payment of INV-202611-0001",
            (debit(books.BANK, paid), credit(books.RECEIVABLE, paid)),
            reference=str(payment_id),
            subject=invoice_id,
        ),
    )

An entry sums to zero in every currency, and nothing of it is ever changed. A module that keeps money elsewhere too
contributes a `Check` that holds it against the journal: `nexus billing verify` runs them all. See `docs/books.md`.
"""

from nexuscore.modules.books.chart import (
    BAD_DEBTS,
    BANK,
    CASH,
    CREDITS,
    DISPUTED,
    GST_OUTPUT,
    OWED_TO_HOSTS,
    PLATFORM_FEES,
    PROCESSOR,
    PROCESSOR_FEES,
    RECEIVABLE,
    REVENUE,
    SALES_TAX,
    UNAPPLIED,
    Account,
)
from nexuscore.modules.books.checks import Check, Finding
from nexuscore.modules.books.entries import Entry, Posting, credit, debit
from nexuscore.modules.books.errors import AlreadyPosted, EntryRefused
from nexuscore.modules.books.journal import post, today, zone
from nexuscore.modules.books.reports import balance, report
from nexuscore.modules.books.schemas import AccountTotals

__all__ = [
    "BAD_DEBTS",
    "BANK",
    "CASH",
    "CREDITS",
    "DISPUTED",
    "GST_OUTPUT",
    "OWED_TO_HOSTS",
    "PLATFORM_FEES",
    "PROCESSOR",
    "PROCESSOR_FEES",
    "RECEIVABLE",
    "REVENUE",
    "SALES_TAX",
    "UNAPPLIED",
    "Account",
    "AccountTotals",
    "AlreadyPosted",
    "Check",
    "Entry",
    "EntryRefused",
    "Finding",
    "Posting",
    "balance",
    "credit",
    "debit",
    "post",
    "report",
    "today",
    "zone",
]
