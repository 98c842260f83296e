"""The manifest: all that usage adds to an app."""

from nexuscore.kernel.module import Module
from nexuscore.modules.usage import events, jobs, pages, permissions, platform_pages, tables
from nexuscore.modules.usage.checks import CHECKS
from nexuscore.modules.usage.routes import routes
from nexuscore.modules.usage.settings import UsageSettings

module = Module(
    name="usage",
    package=__package__,
    needs=("books", "identity", "invoices", "orgs"),
    settings=(UsageSettings,),
    tables=tables.ALL,
    routes=(routes,),
    pages=(pages.pages, platform_pages.pages),
    events=events.ALL,
    listeners=(jobs.when_paid, jobs.when_reversed, jobs.when_credited),
    workers=(jobs.let_go, jobs.invoice_month, jobs.recognise),
    schedules=(jobs.expire, jobs.invoice_months, jobs.recognise_revenue),
    permissions=permissions.ALL,
    contributes=CHECKS,
)
