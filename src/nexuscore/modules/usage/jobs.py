"""Beside requests: reservations are let go, paid credits arrive, months are invoiced, revenue is booked."""

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, exists, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.events import Fact, on
from nexuscore.kernel.jobs import Job, every, worker
from nexuscore.kernel.money import Money
from nexuscore.modules.invoices.events import CreditNoteIssued, InvoicePaid, InvoicePaymentReversed
from nexuscore.modules.usage import accounts, monthly, purchases, reservations
from nexuscore.modules.usage.tables import UsageAccount, UsageBilledEntry, UsageEntry, UsageReservation

_LATE = (
    select(UsageReservation.org_id)
    .where(UsageReservation.state == "open", UsageReservation.expires_at <= bindparam("now"))
    .distinct()
    .order_by(UsageReservation.org_id)
)
_TO_BILL = (
    select(UsageEntry.org_id)
    .where(
        UsageEntry.billable_micro > 0,
        UsageEntry.at < bindparam("until"),
        ~exists().where(UsageBilledEntry.entry_id == UsageEntry.id),
    )
    .distinct()
    .order_by(UsageEntry.org_id)
)
_BEHIND = (
    select(UsageAccount.org_id)
    .where(UsageAccount.last_number > UsageAccount.recognised_to)
    .order_by(UsageAccount.org_id)
)


class LetGo(Job, name="usage.let_go"):
    """Let go of one organisation's reservations that are over."""


@worker(LetGo)
async def let_go(ctx: Ctx, job: LetGo) -> None:
    """Under the organisation's lock, so that nobody settles in between."""
    await accounts.lock(ctx)
    await reservations.expire(ctx)


class InvoiceMonth(Job, name="usage.invoice_month"):
    """Invoice one organisation's usage before a moment."""

    month: str
    until: datetime


class Recognise(Job, name="usage.recognise"):
    """Book what one organisation spent of its bought credits."""


@worker(InvoiceMonth)
async def invoice_month(ctx: Ctx, job: InvoiceMonth) -> None:
    """Once per month."""
    await monthly.invoice(ctx, job.month, job.until)


@worker(Recognise)
async def recognise(ctx: Ctx, job: Recognise) -> None:
    """What came since the last time."""
    await purchases.recognise(ctx)


@every("* * * * *")
async def expire(ctx: Ctx) -> None:
    """Find whose reservations are over; each organisation's are let go in a job of its own."""
    await _for_each(ctx, _LATE, LetGo(), "expired", now=ctx.now)


@every("20 2 * * *")
async def invoice_months(ctx: Ctx) -> None:
    """Invoice what was used before this month. Looked for every day, so that a server that was away loses nothing."""
    until = ctx.now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    job = InvoiceMonth(month=f"{until:%Y-%m}", until=until)
    await _for_each(ctx, _TO_BILL, job, job.month, until=until)


@every("40 2 * * *")
async def recognise_revenue(ctx: Ctx) -> None:
    """Book what was spent of bought credits."""
    await _for_each(ctx, _BEHIND, Recognise(), "daily")


@on(InvoicePaid)
async def when_paid(ctx: Ctx, fact: Fact[InvoicePaid]) -> None:
    """Credits that were ordered are there."""
    if fact.data.source == purchases.SOURCE:
        await purchases.paid(ctx, fact.data.invoice_id, fact.id)


@on(InvoicePaymentReversed)
async def when_reversed(ctx: Ctx, fact: Fact[InvoicePaymentReversed]) -> None:
    """Credits whose payment was taken back are withheld."""
    if fact.data.source == purchases.SOURCE:
        await purchases.taken_back(ctx, fact.data.invoice_id, fact.id)


@on(CreditNoteIssued)
async def when_credited(ctx: Ctx, fact: Fact[CreditNoteIssued]) -> None:
    """Credits that are not charged any more go back."""
    note = fact.data
    if note.source == purchases.SOURCE:
        subtotal = Money(note.subtotal, note.currency)
        await purchases.credited_back(ctx, note.invoice_id, note.credit_note_id, note.number, subtotal)


async def _for_each(ctx: Ctx, statement: Any, job: Job, unique: str, **given: Any) -> None:
    """Queue a job for every organisation the statement finds."""
    async with ctx.across_orgs("time passes for every organisation") as everywhere:
        found = await everywhere.db.all(statement, **given)
    for row in found:
        async with ctx.in_org(row.org_id) as inside:
            inside.enqueue(job, unique=unique)
