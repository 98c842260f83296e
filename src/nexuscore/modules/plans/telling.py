"""Who is told what: mails to the organisation's billing address, in its language, once for each reason."""

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.money import Money
from nexuscore.modules import identity, invoices, mail, orgs
from nexuscore.modules.plans import catalogue
from nexuscore.modules.plans.messages import GivenUp, PaymentLate, TrialEnds
from nexuscore.modules.plans.tables import Subscription


async def trial_ends(ctx: Ctx, subscription: Subscription) -> None:
    """The trial ends in a few days, and what it costs then."""
    organisation, plan = await _about(ctx, subscription)
    if subscription.trial_end is None:
        return
    message = TrialEnds(
        organisation=organisation.name,
        plan=plan,
        price=Money(subscription.price, subscription.currency),
        ends_at=subscription.trial_end,
        zone=organisation.time_zone,
        link=identity.page(ctx.app, "billing/plan"),
    )
    await _send(ctx, organisation, message, f"trial:{subscription.id}")


async def payment_failed(ctx: Ctx, subscription: Subscription, invoice: invoices.Invoice, *, is_last: bool) -> None:
    """An invoice could not be paid; when it is tried again, or that this was the last time."""
    organisation, plan = await _about(ctx, subscription)
    if subscription.next_try_at is None:
        return
    message = PaymentLate(
        organisation=organisation.name,
        plan=plan,
        number=invoice.number or "",
        due=Money(invoice.amount_due, invoice.currency),
        next_try_at=subscription.next_try_at,
        is_last=is_last,
        zone=organisation.time_zone,
        link=identity.page(ctx.app, f"billing/payments/pay/{invoice.id}"),
    )
    await _send(ctx, organisation, message, f"late:{subscription.id}:{subscription.version}")


async def given_up(ctx: Ctx, subscription: Subscription) -> None:
    """The limits of the plan no longer hold."""
    organisation, plan = await _about(ctx, subscription)
    message = GivenUp(
        organisation=organisation.name,
        plan=plan,
        zone=organisation.time_zone,
        link=identity.page(ctx.app, "billing/plan"),
    )
    await _send(ctx, organisation, message, f"unpaid:{subscription.id}:{subscription.version}")


async def _about(ctx: Ctx, subscription: Subscription) -> tuple[orgs.Organisation, str]:
    plan = await catalogue.get(ctx, subscription.plan_id)
    return await orgs.organisation(ctx, subscription.org_id), plan.name


async def _send(ctx: Ctx, organisation: orgs.Organisation, message: mail.Message, key: str) -> None:
    await mail.send(ctx, message, to=organisation.billing_email, locale=organisation.locale, idempotency=key)
