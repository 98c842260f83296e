"""Quotes: offers priced from a published table, sent, accepted by somebody at some moment, and turned into an invoice.

    quote = await quotes.draft(ctx, NewOffer(table="audits", lines=[NewQuoteLine(item="contract", quantity="1")]))
    await quotes.send(ctx, quote.id)

`ctx` is in the scope of the organisation that is quoted. `docs/quotes.md` tells the whole story.
"""

from nexuscore.modules.quotes.pricing import refundable
from nexuscore.modules.quotes.schemas import NewOffer, NewQuoteLine
from nexuscore.modules.quotes.service import accept, draft, get, invoice, newest, revise, send, withdraw
from nexuscore.modules.quotes.tables import Quote, QuoteVersion
from nexuscore.modules.quotes.tariffs import publish

__all__ = [
    "NewOffer",
    "NewQuoteLine",
    "Quote",
    "QuoteVersion",
    "accept",
    "draft",
    "get",
    "invoice",
    "newest",
    "publish",
    "refundable",
    "revise",
    "send",
    "withdraw",
]
