"""The organisation's own quotes in the console: read, and accepted by those who may."""

from typing import Annotated

from nexuscore.kernel.http import Nav, PageQuery, Pages, Query, View, Went
from nexuscore.modules import books
from nexuscore.modules.quotes import lists, service
from nexuscore.modules.quotes.routes import CanAccept, CanRead, CanReadOne
from nexuscore.modules.quotes.schemas import Acceptance
from nexuscore.modules.quotes.typed import TypedAcceptance

pages = Pages("/billing/quotes", tag="Quotes")
HERE = "/console/billing/quotes"


@pages.get(title="Quotes", nav=Nav("Billing", icon="edit", order=25), listing=lists.OURS)
async def our_quotes_page(ctx: CanRead, query: Annotated[PageQuery, Query()]) -> View:
    """What the organisation was offered, newest first."""
    return View("our_quotes.html", quotes=await lists.ours(ctx, query))


@pages.get("/{quote_id}", title="Quote")
async def our_quote_page(ctx: CanReadOne) -> View:
    """What is offered, what was before, and how to take it."""
    quote = ctx.row
    holds = quote.state == "sent" and quote.valid_until is not None and books.today(ctx) <= quote.valid_until
    versions = await service.versions(ctx, quote.id)
    return View("our_quote.html", title=quote.number, quote=quote, versions=versions, holds=holds)


@pages.post("/{quote_id}/accept", shows=our_quote_page, once=True)
async def accept_quote_page(ctx: CanAccept, accepted: TypedAcceptance) -> Went:
    """Accept exactly what was read."""
    terms = Acceptance(revision=accepted.revision, total=accepted.total)
    quote = await service.accept(ctx, ctx.row.id, terms)
    return Went(f"{HERE}/{quote.id}", say="{number} is accepted. Thank you.", number=quote.number)
