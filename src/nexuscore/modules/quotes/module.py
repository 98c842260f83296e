"""The manifest: all that quotes add to an app."""

from nexuscore.kernel.module import Module
from nexuscore.modules.quotes import events, jobs, permissions, tables
from nexuscore.modules.quotes.messages import MESSAGES
from nexuscore.modules.quotes.routes import billing, prices, routes
from nexuscore.modules.quotes.settings import QuoteSettings

module = Module(
    name="quotes",
    package=__package__,
    needs=("identity", "orgs", "mail", "books", "invoices"),
    settings=(QuoteSettings,),
    tables=(tables.PriceTable, tables.QuoteCounter, tables.Quote, tables.QuoteVersion),
    routes=(routes, billing, prices),
    events=events.ALL,
    schedules=(jobs.expire_quotes,),
    permissions=permissions.ALL,
    contributes=(MESSAGES,),
)
