"""What happens beside requests: the clock brings renewals, notices and tries; invoices and payments bring news."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.events import Fact, on
from nexuscore.kernel.jobs import Job, every, worker
from nexuscore.modules import invoices
from nexuscore.modules.invoices.events import InvoiceOverdue, InvoicePaid, InvoicePaymentReversed, InvoiceVoided
from nexuscore.modules.orgs.events import OrganisationDeleted
from nexuscore.modules.payments.events import PaymentFailed
from nexuscore.modules.plans import dunning, renewals, subscriptions
from nexuscore.modules.plans.settings import PlanSettings
from nexuscore.modules.plans.store import SOURCE


class Advance(Job, name="plans.advance"):
    """Bring one subscription to the present."""

    subscription_id: UUID


class TellOfTrial(Job, name="plans.tell_of_trial"):
    """Tell one organisation that its trial ends."""

    subscription_id: UUID


class TryAgain(Job, name="plans.try_again"):
    """Try once more to be paid for one subscription."""

    subscription_id: UUID


class EndUnpaid(Job, name="plans.end_unpaid"):
    """End one subscription that nobody pays for."""

    subscription_id: UUID


@worker(Advance)
async def advance(ctx: Ctx, job: Advance) -> None:
    """One period after the other."""
    await renewals.advance(ctx, job.subscription_id)


@worker(TellOfTrial)
async def tell_of_trial(ctx: Ctx, job: TellOfTrial) -> None:
    """Once."""
    await renewals.tell_of_trial(ctx, job.subscription_id)


@worker(TryAgain)
async def try_again(ctx: Ctx, job: TryAgain) -> None:
    """The next step of the days."""
    await dunning.try_again(ctx, job.subscription_id)


@worker(EndUnpaid)
async def end_unpaid(ctx: Ctx, job: EndUnpaid) -> None:
    """Once."""
    await dunning.end_unpaid(ctx, job.subscription_id)


@every("*/5 * * * *")
async def renew(ctx: Ctx) -> None:
    """Find the subscriptions whose period is over; each is renewed in a job of its own."""
    await _for_each(ctx, renewals.DUE, Advance, now=ctx.now)


@every("10 * * * *")
async def notice_trials(ctx: Ctx) -> None:
    """Find the trials that end in a few days."""
    soon = ctx.now + timedelta(days=ctx.app.settings[PlanSettings].notice_days)
    await _for_each(ctx, renewals.ENDING, TellOfTrial, soon=soon)


@every("*/15 * * * *")
async def chase(ctx: Ctx) -> None:
    """Find the subscriptions whose next try has come."""
    await _for_each(ctx, dunning.LATE, TryAgain, now=ctx.now)


@every("50 * * * *")
async def end_stale(ctx: Ctx) -> None:
    """Find the subscriptions that were unpaid for too long."""
    if waits := ctx.app.settings[PlanSettings].unpaid_days:
        await _for_each(ctx, dunning.STALE, EndUnpaid, since=ctx.now - timedelta(days=waits))


async def _for_each(ctx: Ctx, statement: Any, job: Any, **given: Any) -> None:
    async with ctx.across_orgs("time passes for every subscription") as everywhere:
        found = await everywhere.db.all(statement, **given)
    for row in found:
        async with ctx.in_org(row.org_id) as inside:
            inside.enqueue(job(subscription_id=row.id), unique=str(row.id))


@on(InvoicePaid)
async def when_paid(ctx: Ctx, fact: Fact[InvoicePaid]) -> None:
    """A subscription that waited for it goes on."""
    if fact.data.source == SOURCE and fact.data.source_id is not None:
        await dunning.recover(ctx, fact.data.source_id)


@on(InvoiceVoided)
async def when_voided(ctx: Ctx, fact: Fact[InvoiceVoided]) -> None:
    """An invoice nobody has to pay any more holds nothing up, but pays for nothing either."""
    if fact.data.source == SOURCE and fact.data.source_id is not None:
        await dunning.recover(ctx, fact.data.source_id, states=("past_due",))


@on(InvoiceOverdue)
async def when_overdue(ctx: Ctx, fact: Fact[InvoiceOverdue]) -> None:
    """Nobody paid in time."""
    if (invoice := await _of_subscription(ctx, fact.data.invoice_id)) is not None:
        await dunning.fall_behind(ctx, *invoice)


@on(InvoicePaymentReversed)
async def when_reversed(ctx: Ctx, fact: Fact[InvoicePaymentReversed]) -> None:
    """A payment turned out not to be one."""
    if (invoice := await _of_subscription(ctx, fact.data.invoice_id)) is not None:
        await dunning.fall_behind(ctx, *invoice)


@on(PaymentFailed)
async def when_a_charge_failed(ctx: Ctx, fact: Fact[PaymentFailed]) -> None:
    """The saved card was refused. A person who tries a card that is refused is simply told so."""
    if fact.data.off_session and (invoice := await _of_subscription(ctx, fact.data.invoice_id)) is not None:
        await dunning.charge_failed(ctx, *invoice)


@on(OrganisationDeleted)
async def when_organisation_deleted(ctx: Ctx, fact: Fact[OrganisationDeleted]) -> None:
    """Nobody is left to renew it for. An organisation that is brought back subscribes anew."""
    await subscriptions.end_with_organisation(ctx)


async def _of_subscription(ctx: Ctx, invoice_id: UUID) -> tuple[UUID, invoices.Invoice] | None:
    """An invoice for a subscription, and whose; None for any other."""
    invoice = await invoices.get(ctx, invoice_id)
    return None if invoice.source != SOURCE or invoice.source_id is None else (invoice.source_id, invoice)
