"""Credits that are bought: an invoice first, the credits when it is paid, revenue when they are spent."""

from uuid import UUID

from sqlalchemy import bindparam, func, select, update

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.money import Money, exponent
from nexuscore.modules import books, invoices
from nexuscore.modules.books import Entry, credit as credited, debit
from nexuscore.modules.usage import accounts, credits
from nexuscore.modules.usage.bills import MICRO, minor_of
from nexuscore.modules.usage.events import CreditsOrdered
from nexuscore.modules.usage.settings import UsageSettings
from nexuscore.modules.usage.tables import UsageAccount, UsageEntry

SOURCE = "usage_credits"
RECOGNISED = "usage.recognised"

_amount = UsageEntry.amount_micro
_SINCE = select(
    func.coalesce(func.sum(_amount).filter(UsageEntry.kind == "spend"), 0).label("spent"),
    func.coalesce(func.sum(_amount).filter(UsageEntry.kind == "grant"), 0).label("given"),
    func.coalesce(func.sum(_amount).filter(UsageEntry.kind.in_(("purchase", "taken_back"))), 0).label("bought"),
).where(UsageEntry.number > bindparam("after"))
_BOOKED = update(UsageAccount)
_WITHHELD = (
    "SELECT -coalesce(sum(amount_micro), 0)::bigint AS withheld FROM usage_entries WHERE starts_with(source, $1)"
)


async def order(ctx: Ctx, amount_minor: int) -> invoices.Invoice:
    """Invoice credits for so much money. They are there once it is paid."""
    if ctx.org is None:
        raise NotFoundError
    currency = ctx.app.settings[UsageSettings].currency
    money = Money(amount_minor, currency)
    invoice = await invoices.issue(
        ctx,
        [
            invoices.NewLine(
                description=f"Credits, {money.format('en')}", unit_price=amount_minor, account=books.CREDITS.code
            )
        ],
        currency=currency,
        source=SOURCE,
        source_id=ctx.org,
    )
    ctx.emit(CreditsOrdered(invoice_id=invoice.id, amount_minor=amount_minor, currency=currency))
    return invoice


async def paid(ctx: Ctx, invoice_id: UUID, by: UUID) -> None:
    """An invoice for credits was paid: here they are, once. `by` is the fact that says so."""
    invoice = await invoices.get(ctx, invoice_id)
    if invoice.subtotal:
        await credits.bought(
            ctx,
            micro_of(Money(invoice.subtotal, invoice.currency)),
            reason=f"Invoice {invoice.number}",
            source=f"invoice:{invoice.id}",
        )
        await level(ctx, invoice, by)


async def taken_back(ctx: Ctx, invoice_id: UUID, by: UUID) -> None:
    """A payment for credits was taken back from us, as by a lost dispute. What is spent of them stays owed."""
    await level(ctx, await invoices.get(ctx, invoice_id), by)


async def level(ctx: Ctx, invoice: invoices.Invoice, by: UUID) -> None:
    """Withhold as much of an invoice's credits as it is due again, as far as that is not spent; give the rest back.

    It looks at how the invoice stands now, so news of it may come late, twice and in any order.
    """
    source = f"invoice:{invoice.id}"
    await accounts.lock(ctx)
    if await ctx.db.first(credits.OF_SOURCE, given=source) is None:
        return  # it was never paid in full: nothing was given
    whole = micro_of(Money(invoice.subtotal, invoice.currency))
    due = min(whole, (2 * whole * invoice.amount_due + invoice.total) // (2 * invoice.total))
    (row,) = await ctx.db.raw(_WITHHELD, f"{source}:")
    if due > row.withheld:
        why = f"Payment of invoice {invoice.number} taken back"
        await credits.take_back(ctx, due - row.withheld, reason=why, source=f"{source}:taken:{by}")
    elif due < row.withheld:
        why = f"Invoice {invoice.number}"
        await credits.bought(ctx, row.withheld - due, reason=why, source=f"{source}:given:{by}")


async def credited_back(ctx: Ctx, invoice_id: UUID, note_id: UUID, number: str, subtotal: Money) -> None:
    """A part of such an invoice is no longer charged: what was not spent of it goes back, what is withheld with it."""
    if subtotal:
        await level(ctx, await invoices.get(ctx, invoice_id), note_id)  # so that the next line takes it once
        await credits.take_back(
            ctx, micro_of(subtotal), reason=f"Credit note {number}", source=f"credit_note:{note_id}"
        )


async def recognise(ctx: Ctx) -> Money:
    """Book what was spent of bought credits since the last time as revenue. Given credits are spent first.

    Only entries that came since are read; the sums of the others are kept with the account.
    """
    account = await accounts.lock(ctx)
    new = await ctx.db.one(_SINCE, after=account.recognised_to)
    spent, given = account.spent_micro - int(new.spent), account.given_micro + int(new.given)
    bought = account.bought_micro + int(new.bought)
    used = max(0, min(spent - given, bought))
    earned = Money(max(0, minor_of(used, account.currency).minor - account.recognised_minor), account.currency)
    total = account.recognised_minor + earned.minor
    if earned:
        await books.post(
            ctx,
            Entry(
                RECOGNISED,
                "Credits that were spent",
                (debit(books.CREDITS, earned), credited(books.REVENUE, earned)),
                reference=str(total),
            ),
        )
    sums = {"spent_micro": spent, "given_micro": given, "bought_micro": bought}
    await ctx.db.execute(_BOOKED, recognised_minor=total, recognised_to=account.last_number, **sums)
    return earned


def micro_of(money: Money) -> int:
    """Money as micro-units."""
    return int(money.minor * MICRO // 10 ** exponent(money.currency))
