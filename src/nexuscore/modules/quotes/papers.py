"""A quote on paper, printed like invoices."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.modules import books, invoices, orgs
from nexuscore.modules.invoices import Words, own
from nexuscore.modules.quotes import service
from nexuscore.modules.quotes.errors import QuoteClosed
from nexuscore.modules.quotes.tables import Quote, QuoteVersion


async def content(ctx: Ctx, quote: Quote, language: str | None) -> dict[str, Any]:
    """All that stands on the newest version of a quote, in a language or the organisation's own."""
    org = await orgs.organisation(ctx, quote.org_id)
    return _written(ctx.app, quote, await service.newest(ctx, quote.id), org, language or org.locale)


async def linked(ctx: Ctx, quote_id: UUID, revision: int, language: str | None) -> tuple[str, dict[str, Any]]:
    """The number and the content of the quote whose link was checked; not when it was revised or withdrawn since."""
    async with ctx.in_org(await service.organisation_of(ctx, quote_id)) as there:
        quote = await service.get(there, quote_id)
        if quote.revision != revision or quote.state in ("draft", "withdrawn"):
            raise QuoteClosed(details={"state": quote.state})
        return quote.number, await content(there, quote, language)


def _written(app: App, quote: Quote, version: QuoteVersion, org: orgs.Organisation, language: str) -> dict[str, Any]:
    words = Words(language, version.currency)
    facts = [(words("Quote number"), quote.number), (words("Version"), str(version.revision))]
    if quote.sent_at is not None:
        facts.append((words("Date"), words.date(quote.sent_at.astimezone(books.zone(app)).date())))
    if quote.valid_until is not None:
        facts.append((words("Valid until"), words.date(quote.valid_until)))
    return {
        **invoices.letterhead(app, words, "Quote", org, to=words("Offered to")),
        "facts": facts,
        "columns": [words("Description"), words("Quantity"), words("Price"), words("Amount")],
        "lines": [
            [
                own(line["description"]),
                words.number(line["quantity"]),
                words.money(line["unit_price"]),
                words.money(line["amount"]),
            ]
            for line in version.lines
        ],
        "totals": _totals(words, version),
        "total": [words("Total"), words.money(version.total)],
        "notes": _notes(app, words, quote, version, org),
        "pay": None,
    }


def _totals(words: Words, version: QuoteVersion) -> list[tuple[str, str]]:
    """From the work to what is paid for it; what is nought is left out."""
    found = [(words("Work"), version.base), (words("Rush"), version.rush)]
    off = words("Discount {rate}", rate=words.percent(version.discount_percent / Decimal(100)))
    tax = (
        words("GST {rate}", rate=words.percent(version.tax_rate))
        if version.tax_code == "SR"
        else words("Sales tax {place} {rate}", place=own(version.place), rate=words.percent(version.tax_rate))
    )
    found += [(off, -version.discount), (words("Subtotal"), version.subtotal), (tax, version.tax)]
    return [(what, words.money(amount)) for what, amount in found if amount]


def _notes(app: App, words: Words, quote: Quote, version: QuoteVersion, org: orgs.Organisation) -> list[str]:
    notes = [
        f"{own(each['reason'])}: {words.number(each['percent'])}%" for each in version.discounts if version.discount
    ]
    if version.note:
        notes.append(own(version.note))
    if quote.accepted_at is not None:
        day = words.date(quote.accepted_at.astimezone(books.zone(app)).date())
        notes.append(words("Accepted by {name} on {day}.", name=own(quote.accepted_name or ""), day=day))
    elif quote.valid_until is not None:
        until, name = words.date(quote.valid_until), own(org.name)
        notes.append(
            words("An owner or admin of {organisation} can accept it until {day}.", organisation=name, day=until)
        )
    return notes
