"""Quotes over HTTP: the customer reads and accepts; those who run the platform price, write, send and invoice."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from sqlalchemy import select

from nexuscore.kernel import clock
from nexuscore.kernel.ctx import Ctx, RowCtx
from nexuscore.kernel.db import Json
from nexuscore.kernel.http import Can, Exchange, Page, PageQuery, Public, Reply, Routes
from nexuscore.kernel.paging import Listing
from nexuscore.kernel.tables import columns
from nexuscore.modules import invoices
from nexuscore.modules.invoices import GstInSgd
from nexuscore.modules.quotes import links, papers, service, tariffs
from nexuscore.modules.quotes.errors import (
    NoSuchPrice,
    QuoteChanged,
    QuoteClosed,
    QuoteExpiredError,
    QuoteLinkExpired,
    QuoteNotAccepted,
)
from nexuscore.modules.quotes.permissions import ACCEPT, MANAGE, READ
from nexuscore.modules.quotes.schemas import (
    Acceptance,
    NewOffer,
    NewPriceTable,
    NewQuote,
    OfferOut,
    PriceTableOut,
    QuoteOut,
    QuoteQuery,
    QuoteSummary,
    Reason,
    RefundOut,
    RefundQuery,
)
from nexuscore.modules.quotes.tables import PriceTable, Quote

routes = Routes("/quotes", tag="Quotes")
billing = Routes("/billing/quotes", tag="Billing")
prices = Routes("/billing/price-tables", tag="Billing")

CanRead = Annotated[Ctx, Can(READ)]
CanReadOne = Annotated[RowCtx[Quote], Can(READ, row=service.offered)]
CanAccept = Annotated[RowCtx[Quote], Can(ACCEPT, row=service.offered)]
CanManage = Annotated[Ctx, Can(MANAGE)]
CanReadPaper = Annotated[Exchange, Can(READ)]
CanManagePaper = Annotated[Exchange, Can(MANAGE)]
WithLink = Annotated[Exchange, Public("The link is signed, and expires with its quote.")]
InLanguage = Annotated[
    Literal["en", "he", "pl"] | None, Query(description="The language; without it, the organisation's.")
]
_LISTED = Listing(select(*columns(Quote, QuoteSummary.model_fields)), by=Quote.id)
_SENT = Listing(_LISTED.rows.where(Quote.state != "draft"), by=Quote.id)


@routes.get("", answer=Page[QuoteSummary])
async def list_quotes(ctx: CanRead, query: Annotated[QuoteQuery, Query()]) -> Json:
    """The quotes the organisation got, newest first."""
    return await ctx.db.page(_SENT, query)


@routes.get("/{quote_id}", answer=QuoteOut)
async def read_quote(ctx: CanReadOne) -> QuoteOut:
    """One quote with every version of it."""
    return await _shown(ctx, ctx.row)


@routes.get("/{quote_id}/pdf", media="application/pdf")
async def read_quote_pdf(exchange: CanReadPaper, quote_id: UUID, language: InLanguage = None) -> Reply:
    """The quote as PDF, as it is offered now."""
    async with _asking(exchange) as ctx:
        quote = await service.offered(ctx, quote_id)
        content = await papers.content(ctx, quote, language)
    return await _printed(exchange, quote.number, content)


@routes.get("/{quote_id}/file", errors=(QuoteLinkExpired, QuoteClosed), media="application/pdf")
async def download_quote(
    exchange: WithLink,
    quote_id: UUID,
    revision: Annotated[int, Query(ge=1, le=1 << 30)],
    expires: Annotated[int, Query(ge=0, le=1 << 40)],
    signature: Annotated[str, Query(max_length=100)],
    language: InLanguage = None,
) -> Reply:
    """The PDF, for whoever has the link of the mail."""
    links.check(exchange.app, quote_id, revision, expires, signature, clock.now())
    async with exchange.app.context() as ctx:
        number, content = await papers.linked(ctx, quote_id, revision, language)
    return await _printed(exchange, number, content)


@routes.post(
    "/{quote_id}/accept",
    answer=QuoteOut,
    errors=(QuoteClosed, QuoteExpiredError, QuoteChanged),
    needs_key=True,
)
async def accept_quote(ctx: CanAccept, accepted: Acceptance) -> QuoteOut:
    """Accept exactly what was read. Who accepted, when and from where is kept."""
    return await _shown(ctx, await service.accept(ctx, ctx.row.id, accepted))


# --- for those who run the platform ---------------------------------------------------------------


@prices.get("", answer=Page[PriceTableOut])
async def list_price_tables(ctx: CanManage, query: Annotated[PageQuery, Query()]) -> Json:
    """Every version of every price table, newest first."""
    return await tariffs.page(ctx, query)


@prices.post("", answer=PriceTableOut, status=201, needs_key=True)
async def publish_prices(ctx: CanManage, new: NewPriceTable) -> PriceTable:
    """Publish the next version of a price table. Quotes that stand keep their prices."""
    return await tariffs.publish(ctx, new)


@billing.get("", answer=Page[QuoteSummary])
async def list_all_quotes(ctx: CanManage, query: Annotated[QuoteQuery, Query()]) -> Json:
    """The quotes of all organisations, drafts included."""
    async with ctx.across_orgs("the quotes of everybody") as everywhere:
        return await everywhere.db.page(_LISTED, query)


@billing.post("", answer=QuoteOut, status=201, errors=(NoSuchPrice, GstInSgd), needs_key=True)
async def draft_quote(ctx: CanManage, new: NewQuote) -> QuoteOut:
    """Write a quote for an organisation at the prices that hold now."""
    async with ctx.in_org(new.org_id) as there:
        return await _shown(there, await service.draft(there, new))


@billing.post(
    "/{quote_id}/versions", answer=QuoteOut, status=201, errors=(NoSuchPrice, QuoteClosed, GstInSgd), needs_key=True
)
async def revise_quote(ctx: CanManage, quote_id: UUID, offer: NewOffer) -> QuoteOut:
    """Offer something else: a new version, to be sent again."""
    async with _theirs(ctx, quote_id) as there:
        return await _shown(there, await service.revise(there, quote_id, offer))


@billing.post("/{quote_id}/send", answer=QuoteOut, errors=(QuoteClosed,), needs_key=True)
async def send_quote(ctx: CanManage, quote_id: UUID) -> QuoteOut:
    """Send the newest version; it can be accepted for some days."""
    async with _theirs(ctx, quote_id) as there:
        return await _shown(there, await service.send(there, quote_id))


@billing.post("/{quote_id}/withdraw", answer=QuoteOut, errors=(QuoteClosed,), needs_key=True)
async def withdraw_quote(ctx: CanManage, quote_id: UUID, why: Reason) -> QuoteOut:
    """Offer it no longer."""
    async with _theirs(ctx, quote_id) as there:
        return await _shown(there, await service.withdraw(there, quote_id, why.reason))


@billing.post("/{quote_id}/invoice", answer=QuoteOut, errors=(QuoteNotAccepted,), needs_key=True)
async def invoice_quote(ctx: CanManage, quote_id: UUID) -> QuoteOut:
    """Issue the invoice for what was accepted, once."""
    async with _theirs(ctx, quote_id) as there:
        await service.invoice(there, quote_id)
        return await _shown(there, await service.get(there, quote_id))


@billing.get("/{quote_id}/refund", answer=RefundOut, errors=(QuoteNotAccepted,))
async def read_refund_of_quote(ctx: CanManage, quote_id: UUID, query: Annotated[RefundQuery, Query()]) -> RefundOut:
    """What would go back of what was paid, by how far the work is: 75, 50, 25 per cent, or nothing."""
    async with _theirs(ctx, quote_id) as there:
        paid, rush, back = await service.refund(there, quote_id, query.progress)
    return RefundOut(
        currency=paid.currency, paid=paid.minor, rush=rush.minor, progress=query.progress, refundable=back.minor
    )


@billing.get("/{quote_id}/pdf", media="application/pdf")
async def read_any_quote_pdf(exchange: CanManagePaper, quote_id: UUID, language: InLanguage = None) -> Reply:
    """The quote of any organisation as PDF, drafts included: what the customer will read."""
    async with _asking(exchange) as ctx, _theirs(ctx, quote_id) as there:
        quote = await service.get(there, quote_id)
        content = await papers.content(there, quote, language)
    return await _printed(exchange, quote.number, content)


@asynccontextmanager
async def _asking(exchange: Exchange) -> AsyncIterator[Ctx]:
    """A transaction as whoever asks; it is over before anything is printed."""
    who = exchange.identity
    async with exchange.app.context(
        org=who.org, actor=who.actor, locale=exchange.locale, request_id=exchange.request_id
    ) as ctx:
        yield ctx


async def _printed(exchange: Exchange, number: str, content: dict[str, Any]) -> Reply:
    reply = Reply(body=await invoices.print_alike(exchange.app, content), media="application/pdf")
    reply = reply.header("content-disposition", f'inline; filename="{number.lower()}.pdf"')
    return reply.header("cache-control", "no-store")


@asynccontextmanager
async def _theirs(ctx: Ctx, quote_id: UUID) -> AsyncIterator[Ctx]:
    org_id = await service.organisation_of(ctx, quote_id)
    async with ctx.in_org(org_id) as there:
        yield there


async def _shown(ctx: Ctx, quote: Quote) -> QuoteOut:
    offers = [OfferOut.model_validate(version) for version in await service.versions(ctx, quote.id)]
    return QuoteOut(**{name: getattr(quote, name) for name in QuoteSummary.model_fields}, versions=offers)
