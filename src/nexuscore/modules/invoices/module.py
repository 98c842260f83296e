"""The manifest: all that invoices add to an app."""

from nexuscore.kernel.module import Module, Slot
from nexuscore.modules.invoices import events, gst_pages, jobs, note_pages, our_pages, pages, permissions
from nexuscore.modules.invoices.checks import CHECKS
from nexuscore.modules.invoices.figures import OwedFigures, RevenueFigures
from nexuscore.modules.invoices.finding import CreditNoteFinder, InvoiceFinder
from nexuscore.modules.invoices.messages import MESSAGES
from nexuscore.modules.invoices.routes import billing, returns, routes
from nexuscore.modules.invoices.seeds import InvoiceSeed
from nexuscore.modules.invoices.settings import InvoiceSettings
from nexuscore.modules.invoices.slots import MoneyByHand, Receipts
from nexuscore.modules.invoices.tables import Counter, CreditNote, Document, Invoice, Payment

module = Module(
    name="invoices",
    package=__package__,
    needs=("identity", "orgs", "mail", "books"),
    settings=(InvoiceSettings,),
    tables=(Counter, Invoice, Payment, CreditNote, Document),
    routes=(routes, billing, returns),
    pages=(our_pages.pages, pages.pages, note_pages.pages, gst_pages.pages),
    events=events.ALL,
    listeners=(jobs.mail_invoice, jobs.mail_receipt_of_a_part, jobs.mail_receipt, jobs.mail_reminder),
    workers=(jobs.make_document,),
    schedules=(jobs.announce_overdue,),
    permissions=permissions.ALL,
    slots=(Slot(Receipts), Slot(MoneyByHand, single=True)),
    contributes=(
        InvoiceSeed(),
        *CHECKS,
        MESSAGES,
        OwedFigures(),
        RevenueFigures(),
        InvoiceFinder(),
        CreditNoteFinder(),
    ),
)
