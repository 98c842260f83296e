"""Quotes: written, revised, sent, accepted, invoiced. Verbs act in the scope of the organisation that is quoted."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, select, update

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.money import Money
from nexuscore.modules import books, identity, invoices, mail, orgs
from nexuscore.modules.invoices import NewLine
from nexuscore.modules.quotes import events, links, pricing, tariffs
from nexuscore.modules.quotes.errors import (
    QuoteChanged,
    QuoteClosed,
    QuoteExpiredError,
    QuoteNotAccepted,
)
from nexuscore.modules.quotes.messages import QuoteOffered
from nexuscore.modules.quotes.schemas import Acceptance, NewOffer
from nexuscore.modules.quotes.settings import QuoteSettings, read_places
from nexuscore.modules.quotes.tables import Quote, QuoteVersion

_ONE = select(Quote).where(Quote.id == bindparam("quote_id"))
_LOCKED = _ONE.with_for_update()
_CREATE = insert(Quote).returning(Quote)
_CHANGE = update(Quote).where(Quote.id == bindparam("quote_id")).returning(Quote)
_OFFER = insert(QuoteVersion).returning(QuoteVersion)
_VERSIONS = (
    select(QuoteVersion).where(QuoteVersion.quote_id == bindparam("of_quote")).order_by(QuoteVersion.revision.desc())
)
AT_ONCE = 500
_OVER = (
    select(Quote.id, Quote.org_id).where(Quote.state == "sent", Quote.valid_until < bindparam("today")).limit(AT_ONCE)
)
_NUMBER = (
    "INSERT INTO quote_counters AS c (month, last) VALUES ($1, 1)"
    " ON CONFLICT (month) DO UPDATE SET last = c.last + 1 RETURNING c.last"
)


async def get(ctx: Ctx, quote_id: UUID) -> Quote:
    """One quote of the context's organisation."""
    return await ctx.db.one(_ONE, quote_id=quote_id)


async def offered(ctx: Ctx, quote_id: UUID) -> Quote:
    """One quote, if the organisation was sent it as it is now."""
    quote = await get(ctx, quote_id)
    if quote.state == "draft":
        raise NotFoundError
    return quote


async def versions(ctx: Ctx, quote_id: UUID) -> Sequence[QuoteVersion]:
    """What a quote has offered, the newest first."""
    return await ctx.db.all(_VERSIONS, of_quote=quote_id)


async def newest(ctx: Ctx, quote_id: UUID) -> QuoteVersion:
    """What a quote offers now."""
    return (await versions(ctx, quote_id))[0]


async def organisation_of(ctx: Ctx, quote_id: UUID) -> UUID:
    """Whose quote it is, for those who serve all organisations."""
    async with ctx.across_orgs("a quote is found by its id") as everywhere:
        return (await everywhere.db.one(_ONE, quote_id=quote_id)).org_id


# --- written and sent -----------------------------------------------------------------------------


async def draft(ctx: Ctx, offer: NewOffer) -> Quote:
    """Write a quote at the prices that hold now."""
    day = books.today(ctx)
    (row,) = await ctx.db.raw(_NUMBER, f"{day:%Y%m}")
    number = f"Q-{day:%Y%m}-{row.last:04d}"
    quote = await ctx.db.one(_CREATE, number=number, created_by=ctx.actor.id)
    version = await _offer(ctx, quote, 1, offer)
    ctx.emit(events.QuoteDrafted(quote_id=quote.id, number=number, currency=version.currency, total=version.total))
    return quote


async def revise(ctx: Ctx, quote_id: UUID, offer: NewOffer) -> Quote:
    """Offer something else: a new version, which has to be sent before it can be accepted."""
    quote = await _open(ctx, quote_id)
    version = await _offer(ctx, quote, quote.revision + 1, offer)
    changed = await ctx.db.one(_CHANGE, quote_id=quote_id, revision=version.revision, state="draft", valid_until=None)
    ctx.emit(events.QuoteRevised(**_about(quote, version)))
    return changed


async def send(ctx: Ctx, quote_id: UUID) -> Quote:
    """Send the newest version to the organisation's address for bills. It holds for some days from now."""
    quote = await _open(ctx, quote_id)
    version = await newest(ctx, quote_id)
    until = books.today(ctx) + timedelta(days=ctx.app.settings[QuoteSettings].valid_days)
    sent = await ctx.db.one(_CHANGE, quote_id=quote_id, state="sent", sent_at=ctx.now, valid_until=until)
    org = await orgs.organisation(ctx, quote.org_id)
    message = QuoteOffered(
        number=quote.number,
        total=Money(version.total, version.currency).format(org.locale),
        until=until.isoformat(),
        organisation=org.name,
        pdf=links.link(ctx.app, quote, until),
        accept=identity.page(ctx.app, f"billing/quotes/{quote.id}"),
    )
    await mail.send(ctx, message, to=org.billing_email, locale=org.locale)
    ctx.emit(events.QuoteSent(**_about(quote, version), valid_until=until))
    return sent


async def withdraw(ctx: Ctx, quote_id: UUID, reason: str) -> Quote:
    """Offer it no longer."""
    quote = await _open(ctx, quote_id)
    changed = await ctx.db.one(_CHANGE, quote_id=quote_id, state="withdrawn", reason=reason)
    ctx.emit(events.QuoteWithdrawn(quote_id=quote_id, number=quote.number, reason=reason))
    return changed


async def expire(ctx: Ctx) -> int:
    """Close the quotes whose last day has passed; how many there were."""
    expired = 0
    while True:
        async with ctx.across_orgs("quotes of everybody expire") as everywhere:
            found = await everywhere.db.all(_OVER, today=books.today(ctx))
        for row in found:
            async with ctx.in_org(row.org_id) as there:
                quote = await there.db.one(_LOCKED, quote_id=row.id)
                if quote.state == "sent":
                    await there.db.execute(_CHANGE, quote_id=row.id, state="expired")
                    there.emit(events.QuoteExpired(quote_id=row.id, number=quote.number))
        expired += len(found)
        if len(found) < AT_ONCE:
            return expired


# --- accepted and invoiced ------------------------------------------------------------------------


async def accept(ctx: Ctx, quote_id: UUID, accepted: Acceptance) -> Quote:
    """Accept exactly what was read. Who did, when, and from where is kept with it."""
    quote = await ctx.db.one(_LOCKED, quote_id=quote_id)
    if quote.state != "sent" or quote.valid_until is None:
        raise QuoteClosed(details={"state": quote.state})
    if books.today(ctx) > quote.valid_until:
        raise QuoteExpiredError
    version = await newest(ctx, quote_id)
    if (accepted.revision, accepted.total) != (version.revision, version.total):
        raise QuoteChanged(details={"revision": version.revision, "total": version.total})
    people = await identity.users(ctx, [ctx.actor.id]) if ctx.actor.kind == "user" and ctx.actor.id else []
    if not people:
        raise NotFoundError
    changed = await ctx.db.one(
        _CHANGE,
        quote_id=quote_id,
        state="accepted",
        accepted_revision=version.revision,
        accepted_at=ctx.now,
        accepted_by=people[0].id,
        accepted_name=people[0].name,
        accepted_ip=ctx.actor.ip,
        accepted_agent=ctx.actor.agent,
    )
    ctx.emit(events.QuoteAccepted(**_about(quote, version), accepted_by=people[0].id))
    return changed


async def invoice(ctx: Ctx, quote_id: UUID) -> invoices.Invoice:
    """Make what was accepted an invoice, once. Its GST is that of its own day."""
    quote = await ctx.db.one(_LOCKED, quote_id=quote_id)
    if quote.state != "accepted":
        raise QuoteNotAccepted(details={"state": quote.state})
    version = await newest(ctx, quote_id)
    issued = await invoices.issue(
        ctx,
        _lines(version),
        currency=version.currency,
        source="quote",
        source_id=quote.id,
        customer_reference=quote.number,
    )
    await ctx.db.one(_CHANGE, quote_id=quote_id, state="invoiced", invoice_id=issued.id)
    ctx.emit(events.QuoteInvoiced(quote_id=quote_id, number=quote.number, invoice_id=issued.id))
    return issued


async def refund(ctx: Ctx, quote_id: UUID, progress: Decimal | None) -> tuple[Money, Money, Money]:
    """What was paid, what of it was for rush, and what goes back by the ladder."""
    quote = await get(ctx, quote_id)
    if quote.invoice_id is None:
        raise QuoteNotAccepted(details={"state": quote.state})
    version, bill = await newest(ctx, quote_id), await invoices.get(ctx, quote.invoice_id)
    paid = Money(bill.amount_paid - bill.amount_refunded, bill.currency)
    # Of a part that was paid, rush has the share it has of the whole; its tax is counted with it.
    rush = (
        paid.allocate([version.rush, max(version.subtotal - version.rush, 0)])[0]
        if version.rush
        else Money.zero(paid.currency)
    )
    fee = Money(ctx.app.settings[QuoteSettings].cancellation_fee, bill.currency)
    return paid, rush, pricing.refundable(paid, rush, progress, fee)


# --- what is in an offer --------------------------------------------------------------------------


async def _offer(ctx: Ctx, quote: Quote, revision: int, offer: NewOffer) -> QuoteVersion:
    table = await tariffs.newest(ctx, offer.table)
    lines = [_line(tariffs.item_of(table, line.item), line.quantity, table.currency) for line in offer.lines]
    place, code, rate = await _tax(ctx, quote, offer.place)
    if code == "SR" and table.currency != "SGD":
        raise invoices.GstInSgd  # now, not when somebody has accepted it
    priced = pricing.price(
        [line["amount"] for line in lines],
        table.currency,
        rush_percent=table.rush_percent if offer.rush else Decimal(0),
        discounts=[discount.percent for discount in offer.discounts],
        cap=table.discount_cap,
        tax_rate=rate,
    )
    return await ctx.db.one(
        _OFFER,
        quote_id=quote.id,
        revision=revision,
        table_id=table.id,
        currency=table.currency,
        lines=lines,
        discounts=[{"reason": each.reason, "percent": str(each.percent)} for each in offer.discounts],
        place=place,
        tax_code=code,
        tax_rate=rate,
        note=offer.note,
        created_at=ctx.now,
        created_by=ctx.actor.id,
        **asdict(priced),
    )


async def _tax(ctx: Ctx, quote: Quote, place: str | None) -> tuple[str, str, Decimal]:
    """The place, the kind of tax and its rate: GST in Singapore, the settings' sales tax elsewhere."""
    org = await orgs.organisation(ctx, quote.org_id)
    place = place or str((org.address or {}).get("country") or "SG")
    if place == "SG":
        treated = invoices.treatment(ctx.app, org, books.today(ctx))
        return place, treated.code, treated.rate
    places = read_places(ctx.app.settings[QuoteSettings].tax_by_place)
    rate = places.get(place, places.get(place[:2], Decimal(0)))
    return place, "sales_tax" if rate else "none", rate


def _line(item: dict[str, Any], quantity: Decimal, currency: str) -> dict[str, Any]:
    text = f"{quantity:f}"
    return {
        "item": item["code"],
        "description": item["description"],
        "quantity": text.rstrip("0").rstrip(".") if "." in text else text,
        "unit_price": item["unit_price"],
        "amount": Money(item["unit_price"], currency).times(quantity).minor,
    }


def _lines(version: QuoteVersion) -> list[NewLine]:
    """What was accepted as the lines of an invoice: it comes to the same, before GST of its own day."""
    abroad = None if version.place == "SG" else "OS" if version.tax else "ZR"
    lines = [
        NewLine(description=each["description"], quantity=each["quantity"], unit_price=each["unit_price"], tax=abroad)
        for each in version.lines
    ]
    if version.rush:
        lines.append(NewLine(description="Rush", unit_price=version.rush, tax=abroad))
    if version.discount:
        reasons = ", ".join(each["reason"] for each in version.discounts)
        lines.append(NewLine(description=f"Discount: {reasons}"[:500], unit_price=-version.discount, tax=abroad))
    if version.tax and version.place != "SG":
        tax = f"Sales tax {version.place} {(version.tax_rate * 100).normalize():f}%"
        lines.append(NewLine(description=tax, unit_price=version.tax, tax="OS", account=books.SALES_TAX.code))
    return lines


async def _open(ctx: Ctx, quote_id: UUID) -> Quote:
    """The quote, held until the transaction ends; stop here when nobody can accept it any more."""
    quote = await ctx.db.one(_LOCKED, quote_id=quote_id)
    if quote.state not in ("draft", "sent"):
        raise QuoteClosed(details={"state": quote.state})
    return quote


def _about(quote: Quote, version: QuoteVersion) -> dict[str, Any]:
    return {
        "quote_id": quote.id,
        "number": quote.number,
        "revision": version.revision,
        "currency": version.currency,
        "total": version.total,
    }
