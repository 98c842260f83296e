"""The manifest: all that quotes add to an app."""

from nexuscore.kernel.module import Module
from nexuscore.modules.quotes import events, jobs, our_pages, pages, permissions, price_pages, tables
from nexuscore.modules.quotes.finding import QuoteFinder
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
    pages=(our_pages.pages, pages.pages, price_pages.pages),
    events=events.ALL,
    schedules=(jobs.expire_quotes,),
    permissions=permissions.ALL,
    contributes=(MESSAGES, QuoteFinder()),
)
