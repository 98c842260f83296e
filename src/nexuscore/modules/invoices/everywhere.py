"""The invoices of all organisations, for those who run the platform: each verb acts in the scope of whose it is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.modules.invoices import credit_notes, drafts, letters, listings, payments, states
from nexuscore.modules.invoices.schemas import (
    CreditNoteOut,
    EverywhereQuery,
    InvoiceChange,
    InvoiceOut,
    NewCreditNote,
    NewInvoice,
    NewPayment,
)
from nexuscore.modules.invoices.slots import MoneyByHand


@asynccontextmanager
async def theirs(ctx: Ctx, invoice_id: UUID) -> AsyncIterator[Ctx]:
    """The scope of the organisation whose invoice it is."""
    org_id = await drafts.organisation_of(ctx, invoice_id)
    async with ctx.in_org(org_id) as there:
        yield there


async def page(ctx: Ctx, query: EverywhereQuery) -> Json:
    """Everybody's invoices, newest first."""
    async with ctx.across_orgs("the invoices of everybody") as everywhere:
        return await listings.page(everywhere, query)


async def read(ctx: Ctx, invoice_id: UUID) -> InvoiceOut:
    """One invoice of whichever organisation."""
    async with theirs(ctx, invoice_id) as there:
        return await listings.shown(there, invoice_id)


async def draft(ctx: Ctx, new: NewInvoice) -> InvoiceOut:
    """Write an invoice for an organisation."""
    async with ctx.in_org(new.org_id) as there:
        invoice = await drafts.draft(
            there,
            new.lines,
            currency=new.currency,
            due_days=new.due_days,
            customer_reference=new.customer_reference,
            memo=new.memo,
        )
        return await listings.shown(there, invoice.id)


async def change(ctx: Ctx, invoice_id: UUID, change: InvoiceChange) -> InvoiceOut:
    """Write a draft anew."""
    async with theirs(ctx, invoice_id) as there:
        terms = change.model_dump(exclude={"lines"}, exclude_none=True)
        await drafts.change(there, invoice_id, change.lines, **terms)
        return await listings.shown(there, invoice_id)


async def finalise(ctx: Ctx, invoice_id: UUID) -> InvoiceOut:
    """Give a draft its number."""
    async with theirs(ctx, invoice_id) as there:
        await states.finalise(there, invoice_id)
        return await listings.shown(there, invoice_id)


async def send(ctx: Ctx, invoice_id: UUID) -> InvoiceOut:
    """Mail an invoice that is owed once more."""
    async with theirs(ctx, invoice_id) as there:
        await letters.send_again(there, invoice_id)
        return await listings.shown(there, invoice_id)


async def void(ctx: Ctx, invoice_id: UUID, reason: str) -> InvoiceOut:
    """Cancel an invoice nobody has paid for."""
    async with theirs(ctx, invoice_id) as there:
        await states.void(there, invoice_id, reason)
        return await listings.shown(there, invoice_id)


async def mark_uncollectible(ctx: Ctx, invoice_id: UUID, reason: str) -> InvoiceOut:
    """Give up what is due."""
    async with theirs(ctx, invoice_id) as there:
        await states.mark_uncollectible(there, invoice_id, reason)
        return await listings.shown(there, invoice_id)


async def record_payment(ctx: Ctx, invoice_id: UUID, new: NewPayment) -> InvoiceOut:
    """Note money that came by hand: through the module that keeps payments, or on the invoice where there is none."""
    async with theirs(ctx, invoice_id) as there:
        recorders = ctx.app.fillers(MoneyByHand)
        for each in recorders:
            await each.record(there, invoice_id, new)
        if not recorders:
            await payments.record_payment(
                there, invoice_id, new.amount, new.currency, reference=new.reference, method=new.method
            )
        return await listings.shown(there, invoice_id)


async def credit(ctx: Ctx, invoice_id: UUID, new: NewCreditNote) -> CreditNoteOut:
    """Charge less for an invoice."""
    async with theirs(ctx, invoice_id) as there:
        amounts = None if new.amounts is None else {str(code): amount for code, amount in new.amounts.items()}
        note = await credit_notes.credit(there, invoice_id, reason=new.reason, amount=new.amount, amounts=amounts)
        return CreditNoteOut.model_validate(note)
