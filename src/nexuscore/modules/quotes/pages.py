"""Quotes in the console, for those who run the platform: everybody's, and one with all its versions and acts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.http import Nav, PageQuery, Pages, Query, View, Went
from nexuscore.kernel.money import Money
from nexuscore.modules import invoices
from nexuscore.modules.quotes import lists, pricing, service, tariffs
from nexuscore.modules.quotes.routes import CanManage
from nexuscore.modules.quotes.schemas import Reason
from nexuscore.modules.quotes.settings import QuoteSettings
from nexuscore.modules.quotes.tables import Quote, QuoteVersion
from nexuscore.modules.quotes.typed import TypedOffer, offer_of

pages = Pages("/billing/platform/quotes", tag="Quotes")
HERE = "/console/billing/platform/quotes"
STEPS = (None, Decimal(25), Decimal(50), Decimal(75), Decimal(100))


@asynccontextmanager
async def theirs(ctx: Ctx, quote_id: UUID) -> AsyncIterator[Ctx]:
    """The scope of the organisation whose quote it is."""
    org_id = await service.organisation_of(ctx, quote_id)
    async with ctx.in_org(org_id) as there:
        yield there


@pages.get(title="All quotes", nav=Nav("Platform", icon="edit", order=25), listing=lists.QUOTES)
async def quotes_page(ctx: CanManage, query: Annotated[PageQuery, Query()]) -> View:
    """Everybody's quotes, drafts too."""
    return View("quotes.html", quotes=await lists.quotes(ctx, query), prices=await tariffs.current(ctx))


@pages.get("/new", title="New quote")
async def new_quote_page(ctx: CanManage, org_id: UUID | None = None, table: str = "", q: str = "") -> View:
    """For whom; then by which prices; then what."""
    if org_id is None:
        found = await invoices.find_customers(ctx, q[:200])
        return View("customers.html", words=q, found=found, to=f"{HERE}/new", back=HERE)
    customer, tables = await invoices.customer(ctx, org_id), await tariffs.current(ctx)
    chosen = next((each for each in tables if each.name == table), tables[0] if len(tables) == 1 else None)
    if chosen is None:
        return View("tables.html", customer=customer, tables=tables)
    return View("quote_form.html", customer=customer, table=chosen, offer=None, quote=None, action=_new(org_id, chosen))


def _new(org_id: UUID, table: Any) -> str:
    return f"{HERE}/new?org_id={org_id}&table={table.name}"


@pages.post("/new", once=True)
async def create_quote_page(ctx: CanManage, org_id: UUID, typed: TypedOffer) -> Went:
    """Write it at the prices that hold now."""
    async with ctx.in_org(org_id) as there:
        quote = await service.draft(there, offer_of(typed))
    return Went(f"{HERE}/{quote.id}", say="{number} is written.", number=quote.number)


@pages.get("/{quote_id}", title="Quote")
async def quote_page(ctx: CanManage, quote_id: UUID) -> View:
    """One quote: what it offers, what it offered before, who took it, and what would go back."""
    async with theirs(ctx, quote_id) as there:
        quote, versions = await service.get(there, quote_id), await service.versions(there, quote_id)
        happened = await invoices.history(there, quote_id)
        ladder = await ladder_of(there, quote, versions[0])
    return View(
        "quote.html",
        title=quote.number,
        quote=quote,
        versions=versions,
        customer=await invoices.customer(ctx, quote.org_id),
        acts=acts_of(quote),
        ladder=ladder,
        history=happened,
    )


def acts_of(quote: Quote) -> set[str]:
    """What may be done with a quote now."""
    if quote.state in ("draft", "sent"):
        return {"send", "revise", "withdraw"}
    return {"invoice"} if quote.state == "accepted" else set()


async def ladder_of(ctx: Ctx, quote: Quote, version: QuoteVersion) -> dict[str, Any] | None:
    """What would go back of what was paid, at each step of the work; nothing before it is invoiced."""
    if quote.invoice_id is None:
        return None
    paid, rush, _ = await service.refund(ctx, quote.id, None)
    fee = Money(ctx.app.settings[QuoteSettings].cancellation_fee, paid.currency)
    return {
        "currency": paid.currency,
        "paid": paid.minor,
        "rush": rush.minor,
        "steps": [(step, pricing.refundable(paid, rush, step, fee).minor) for step in STEPS],
    }


@pages.get("/{quote_id}/revise", title="New version")
async def new_version_page(ctx: CanManage, quote_id: UUID) -> View:
    """The form of the next version, filled with the newest one; at the prices that hold now."""
    async with theirs(ctx, quote_id) as there:
        quote, offer = await service.get(there, quote_id), await service.newest(there, quote_id)
        table = await tariffs.newest(there, (await tariffs.get(there, offer.table_id)).name)
    if "revise" not in acts_of(quote):
        raise NotFoundError
    customer = await invoices.customer(ctx, quote.org_id)
    action = f"{HERE}/{quote_id}/revise"
    return View("quote_form.html", customer=customer, table=table, offer=offer, quote=quote, action=action)


@pages.post("/{quote_id}/revise", once=True)
async def revise_quote_page(ctx: CanManage, quote_id: UUID, typed: TypedOffer) -> Went:
    """Offer something else; it has to be sent again."""
    async with theirs(ctx, quote_id) as there:
        quote = await service.revise(there, quote_id, offer_of(typed))
    return Went(f"{HERE}/{quote_id}", say="Version {number} is written.", number=quote.revision)


@pages.post("/{quote_id}/send", shows=quote_page, once=True)
async def send_quote_page(ctx: CanManage, quote_id: UUID) -> Went:
    """Send the newest version."""
    async with theirs(ctx, quote_id) as there:
        quote = await service.send(there, quote_id)
    return Went(f"{HERE}/{quote_id}", say="{number} is on its way.", number=quote.number)


@pages.post("/{quote_id}/withdraw", shows=quote_page, once=True)
async def withdraw_quote_page(ctx: CanManage, quote_id: UUID, why: Reason) -> Went:
    """Offer it no longer, or note that it was declined."""
    async with theirs(ctx, quote_id) as there:
        quote = await service.withdraw(there, quote_id, why.reason)
    return Went(f"{HERE}/{quote_id}", say="{number} is withdrawn.", kind="warning", number=quote.number)


@pages.post("/{quote_id}/invoice", shows=quote_page, once=True)
async def invoice_quote_page(ctx: CanManage, quote_id: UUID) -> Went:
    """Make what was accepted an invoice."""
    async with theirs(ctx, quote_id) as there:
        issued = await service.invoice(there, quote_id)
    return Went(f"/console/billing/platform/invoices/{issued.id}", say="{number} is issued.", number=issued.number)
