"""What payments do on the side."""

from datetime import timedelta

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.events import Fact, on
from nexuscore.kernel.jobs import every, outcall
from nexuscore.modules.invoices.events import CreditNoteIssued, InvoicePaid, InvoicePartlyPaid, InvoiceVoided
from nexuscore.modules.payments import charges, hooks, reconcile, refunds, settling
from nexuscore.modules.payments.charges import Charge
from nexuscore.modules.payments.errors import NoProvider
from nexuscore.modules.payments.hooks import KeepCard
from nexuscore.modules.payments.intents import Abandon, Settle
from nexuscore.modules.payments.methods import Forget
from nexuscore.modules.payments.provider import chosen, provider
from nexuscore.modules.payments.reconcile import Reconcile
from nexuscore.modules.payments.refunds import SendRefund
from nexuscore.modules.payments.settings import PaymentSettings

settle = outcall(Settle)(settling.claim)
settle.call(settling.call)
settle.record(settling.record)

abandon = outcall(Abandon)(settling.claim_abandon)
abandon.call(settling.call_abandon)
abandon.record(settling.record)

charge = outcall(Charge)(charges.claim)
charge.call(charges.call)
charge.record(charges.record)

send_refund = outcall(SendRefund)(refunds.claim)
send_refund.call(refunds.call)
send_refund.record(refunds.record)

keep_card = outcall(KeepCard)(hooks.claim_card)
keep_card.call(hooks.call_card)
keep_card.record(hooks.record_card)


@outcall(Forget)
async def forget(ctx: Ctx, job: Forget) -> Forget:
    """Nothing to read."""
    return job


@forget.call
async def forget_there(app: App, job: Forget) -> None:
    """Have the provider forget it."""
    await provider(app, job.provider).forget(app, job.provider_id)


@forget.record
async def forgotten(ctx: Ctx, job: Forget, answer: None) -> None:
    """Nothing to write: it was removed here already."""


@outcall(Reconcile)
async def compare(ctx: Ctx, job: Reconcile) -> Reconcile:
    """Nothing to read."""
    return job


compare.call(reconcile.fetch)


@compare.record
async def compared(ctx: Ctx, job: Reconcile, sheet: reconcile.Sheet) -> None:
    """What differs."""
    await reconcile.compare(ctx, sheet)


@on(InvoicePaid)
async def stop_paying_what_is_paid(ctx: Ctx, fact: Fact[InvoicePaid]) -> None:
    """Nobody should pay it twice."""
    await settling.abandon_stale(ctx, fact.data.invoice_id)


@on(InvoiceVoided)
async def stop_paying_what_is_void(ctx: Ctx, fact: Fact[InvoiceVoided]) -> None:
    """Nobody should pay it at all."""
    await settling.abandon_stale(ctx, fact.data.invoice_id)


@on(InvoicePartlyPaid)
async def stop_paying_too_much(ctx: Ctx, fact: Fact[InvoicePartlyPaid]) -> None:
    """A part came another way: what was begun is for too much."""
    await settling.abandon_stale(ctx, fact.data.invoice_id)


@on(CreditNoteIssued)
async def stop_paying_what_is_credited(ctx: Ctx, fact: Fact[CreditNoteIssued]) -> None:
    """Less is charged: what was begun is for too much."""
    await settling.abandon_stale(ctx, fact.data.invoice_id)


@every("*/10 * * * *")
async def look_again(ctx: Ctx) -> None:
    """What has not moved for a while."""
    await settling.look_again(ctx)


@every("30 18 * * *")
async def reconcile_daily(ctx: Ctx) -> None:
    """Early in Singapore's day: compare the last days with the provider."""
    try:
        chosen(ctx.app)
    except NoProvider:
        return
    until = ctx.now.replace(minute=0, second=0, microsecond=0)
    days = timedelta(days=ctx.app.settings[PaymentSettings].reconcile_days)
    ctx.enqueue(Reconcile(since=until - days, until=until))
