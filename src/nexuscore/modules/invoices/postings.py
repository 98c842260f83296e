"""What invoices write into the books."""

from datetime import date
from typing import Any
from uuid import UUID

from nexuscore.kernel.app import App
from nexuscore.kernel.money import Money
from nexuscore.modules import books
from nexuscore.modules.books import Account, Entry, Posting, credit, debit
from nexuscore.modules.invoices.lines import by_account
from nexuscore.modules.invoices.tables import CreditNote, Invoice, Payment

METHODS: dict[str, Account] = {
    "card": books.PROCESSOR,
    "paynow": books.BANK,
    "bank_transfer": books.BANK,
    "cash": books.CASH,
    "credit": books.CREDITS,
    "other": books.BANK,
}


def opened(app: App, invoice: Invoice) -> Entry:
    """It is owed: receivable up; revenue and GST up."""
    of = _money(invoice.currency)
    chart = {account.code: account for account in app.fillers(Account)}
    earned = [credit(chart[code], of(amount)) for code, amount in by_account(invoice.lines).items()]
    return Entry(
        "invoices.opened",
        f"Invoice {invoice.number}",
        (debit(books.RECEIVABLE, of(invoice.total)), *earned, credit(books.GST_OUTPUT, of(invoice.gst_amount))),
        reference=str(invoice.id),
        subject=invoice.id,
        on=invoice.issued_on,
    )


def voided(app: App, invoice: Invoice, on: date) -> Entry:
    """It never was."""
    return opened(app, invoice).reversed("invoices.voided", f"Invoice {invoice.number} cancelled", str(invoice.id), on)


def written_off(invoice: Invoice, amount: int) -> Entry:
    """Nobody expects it to be paid: what is due is lost."""
    lost = Money(amount, invoice.currency)
    postings = (debit(books.BAD_DEBTS, lost), credit(books.RECEIVABLE, lost))
    return Entry("invoices.uncollectible", f"Invoice {invoice.number} given up", postings, str(invoice.id), invoice.id)


def recovered(invoice: Invoice, amount: int, reference: UUID) -> Entry:
    """Something given up is owed again, because it is paid or credited after all."""
    found = Money(amount, invoice.currency)
    postings = (debit(books.RECEIVABLE, found), credit(books.BAD_DEBTS, found))
    return Entry("invoices.recovered", f"Invoice {invoice.number} recovered", postings, str(reference), invoice.id)


def moved(invoice: Invoice, payment: Payment, at: Account) -> Entry:
    """Money came in, or with a refund or a reversal went out again."""
    amount = Money(payment.amount, payment.currency)
    came: tuple[Posting, ...] = (debit(at, amount), credit(books.RECEIVABLE, amount))
    entry = Entry(
        f"invoices.{payment.kind}",
        f"{payment.kind.capitalize()} {payment.reference} for invoice {invoice.number}",
        came,
        str(payment.id),
        invoice.id,
    )
    return entry if payment.kind == "payment" else entry.reversed(entry.source, entry.memo, entry.reference)


def credited(app: App, invoice: Invoice, note: CreditNote) -> Entry:
    """It is no longer charged: revenue and GST down, receivable down.

    The net goes off the accounts the invoice was booked on, split as it was.
    """
    of = _money(note.currency)
    chart = {account.code: account for account in app.fillers(Account)}
    booked = {code: amount for code, amount in by_account(invoice.lines).items() if amount > 0}
    shares = of(note.subtotal).allocate(list(booked.values())) if booked else []
    taken = [debit(chart[code], share) for code, share in zip(booked, shares, strict=True)]
    return Entry(
        "invoices.credited",
        f"Credit note {note.number} for invoice {invoice.number}",
        (*taken, debit(books.GST_OUTPUT, of(note.gst_amount)), credit(books.RECEIVABLE, of(note.total))),
        reference=str(note.id),
        subject=invoice.id,
        on=note.issued_on,
    )


def _money(currency: str) -> Any:
    return lambda minor: Money(minor, currency)
