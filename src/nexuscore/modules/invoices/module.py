"""The manifest: all that invoices add to an app."""

from nexuscore.kernel.module import Module
from nexuscore.modules.invoices import events, jobs, permissions
from nexuscore.modules.invoices.checks import CHECKS
from nexuscore.modules.invoices.routes import billing, routes
from nexuscore.modules.invoices.settings import InvoiceSettings
from nexuscore.modules.invoices.tables import Counter, CreditNote, Invoice, Payment

module = Module(
    name="invoices",
    package=__package__,
    needs=("orgs", "books"),
    settings=(InvoiceSettings,),
    tables=(Counter, Invoice, Payment, CreditNote),
    routes=(routes, billing),
    events=events.ALL,
    schedules=(jobs.announce_overdue,),
    permissions=permissions.ALL,
    contributes=CHECKS,
)
