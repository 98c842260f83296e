"""Invoices kept by Stripe's own billing, where somebody uses it beside ours: paid there, they are paid here."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.log import get_logger
from nexuscore.kernel.money import Money
from nexuscore.modules import invoices
from nexuscore.modules.payments import effects, findings, mails, store
from nexuscore.modules.payments.events import PaymentInitiated, ProviderInvoiceFailed

PAID = ("invoice.paid", "invoice.payment_succeeded")
FAILED = "invoice.payment_failed"
_FOREIGN = "stripe_invoice"
_log = get_logger(__name__)


async def heard(ctx: Ctx, type: str, theirs: Mapping[str, Any], org_id: UUID | None) -> None:
    """An event about one of Stripe's invoices. One of nobody we know is told to a person, once money is in it."""
    id, amount = str(theirs.get("id")), theirs.get("amount_paid")
    if type == FAILED and org_id is not None:
        async with ctx.in_org(org_id) as there:
            await _failed(there, theirs)
    elif type not in PAID or not isinstance(amount, int) or amount <= 0:
        _log.info("webhook_unused", type=type, id=id)
    elif org_id is None:
        told = {"amount": amount, "currency": theirs.get("currency"), "customer": theirs.get("customer")}
        await findings.report(ctx, "missing_here", "invoice", id, theirs=told)
    else:
        async with ctx.in_org(org_id) as there:
            await _paid(there, theirs, Money(amount, str(theirs["currency"]).upper()))


async def _paid(ctx: Ctx, theirs: Mapping[str, Any], received: Money) -> None:
    """Paid there: our invoice is found, or written from theirs, and paid here."""
    id = str(theirs["id"])
    key = f"{_FOREIGN}:{id}"
    await ctx.db.raw("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", key)
    if await ctx.db.first(store.BY_KEY, key=key) is not None:
        return
    invoice = await _ours(ctx, theirs) or await _written(ctx, theirs, received)
    if invoice.total != received.minor:
        ours, told = {"total": invoice.total, "invoice_id": str(invoice.id)}, {"amount": received.minor}
        await findings.report(ctx, "amount", "invoice", id, ours=ours, theirs=told)
    payment = await ctx.db.one(
        store.CREATE,
        invoice_id=invoice.id,
        amount=received.minor,
        currency=received.currency,
        kind="card",
        provider=_FOREIGN,
        provider_id=id,
        request_key=key,
        off_session=True,
    )
    sums = {"amount": payment.amount, "currency": payment.currency, "kind": payment.kind}
    ctx.emit(PaymentInitiated(payment_id=payment.id, invoice_id=invoice.id, **sums))
    await effects.paid(ctx, payment, received)


async def _failed(ctx: Ctx, theirs: Mapping[str, Any]) -> None:
    """Not paid there: ours stays open, and whoever pays is told."""
    invoice = await _ours(ctx, theirs)
    amount, currency = int(theirs.get("amount_due") or 0), str(theirs.get("currency") or "sgd").upper()
    ctx.emit(
        ProviderInvoiceFailed(
            provider_id=str(theirs.get("id")),
            invoice_id=invoice.id if invoice else None,
            amount=amount,
            currency=currency,
        )
    )
    await mails.tell_failed(ctx, invoice.id if invoice else None, Money(amount, currency), None)


async def _ours(ctx: Ctx, theirs: Mapping[str, Any]) -> invoices.Invoice | None:
    """The invoice theirs names, if it is this organisation's."""
    try:
        return await invoices.get(ctx, UUID(str((theirs.get("metadata") or {}).get("invoice_id"))))
    except (ValueError, NotFoundError):
        return None


async def _written(ctx: Ctx, theirs: Mapping[str, Any], received: Money) -> invoices.Invoice:
    """An invoice of ours for one that was only theirs. Its GST is ours to say; a difference is told."""
    net = theirs.get("subtotal_excluding_tax")
    price = net if isinstance(net, int) else received.minor
    line = invoices.NewLine(description=f"Stripe invoice {theirs.get('number') or theirs['id']}", unit_price=price)
    return await invoices.issue(ctx, [line], currency=received.currency, source=_FOREIGN)
