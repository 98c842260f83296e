"""Paying an invoice: begun here, created at the provider, confirmed by the payer. The provider is called with no
transaction open: each verb claims in one, calls, and records in another."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.jobs import Job
from nexuscore.kernel.money import Money
from nexuscore.modules import invoices
from nexuscore.modules.payments import effects, mails, methods, store
from nexuscore.modules.payments.effects import PAYABLE
from nexuscore.modules.payments.errors import (
    AmountChanged,
    NothingToPay,
    PaymentFailed,
    PaymentInProgress,
    PaymentKeyConflict,
    WrongState,
)
from nexuscore.modules.payments.events import PaymentInitiated
from nexuscore.modules.payments.provider import Intent, Order, chosen, provider
from nexuscore.modules.payments.schemas import Confirmation, NewIntent
from nexuscore.modules.payments.settings import PaymentSettings
from nexuscore.modules.payments.states import BY_HAND, LIVE, PAID
from nexuscore.modules.payments.tables import Payer, Payment

Open = Callable[[], AbstractAsyncContextManager[Ctx]]
"""How a verb opens its short transactions: with the caller's organisation and name on each."""

_NET = timedelta(seconds=60)
_PAYER = select(Payer).where(Payer.provider == bindparam("of_provider"))
_NEW_PAYER = insert(Payer).on_conflict_do_nothing()


class Settle(Job, name="payments.settle"):
    """Bring a payment to where the provider's is, and a refund or a dispute of it; the net below every call."""

    payment_id: UUID
    refund: str | None = None
    dispute: str | None = None


class Abandon(Job, name="payments.abandon"):
    """Give a payment up that nobody will finish."""

    payment_id: UUID


async def begin(ctx: Ctx, new: NewIntent, key: str, *, off_session: bool = False) -> Payment:
    """The payment of an invoice, or the one that is under way. The amount is what is due."""
    invoice = await invoices.get(ctx, new.invoice_id)
    request = f"{new.invoice_id} {new.kind} {new.keep_method} {off_session}"
    request_hash = hashlib.sha256(request.encode()).digest()
    known = await ctx.db.first(store.BY_KEY, key=key)
    if known is not None:
        return _same(known, request_hash)
    if invoice.state not in PAYABLE or invoice.amount_due <= 0:
        raise NothingToPay
    made = await ctx.db.first(
        store.CREATE,
        invoice_id=invoice.id,
        amount=invoice.amount_due,
        currency=invoice.currency,
        kind=new.kind,
        provider=chosen(ctx.app),
        request_key=key,
        request_hash=request_hash,
        keep_method=new.keep_method,
        off_session=off_session,
        created_by=ctx.actor.id,
    )
    if made is None:
        return await _under_way(ctx, invoice, new, key, request_hash)
    sums = {"amount": made.amount, "currency": made.currency, "kind": made.kind}
    ctx.emit(PaymentInitiated(payment_id=made.id, invoice_id=made.invoice_id, **sums))
    ctx.enqueue(Settle(payment_id=made.id), delay=_NET)
    return made


def _same(known: Payment, request_hash: bytes) -> Payment:
    if known.request_hash != request_hash:
        raise PaymentKeyConflict
    return known


async def _under_way(ctx: Ctx, invoice: invoices.Invoice, new: NewIntent, key: str, request_hash: bytes) -> Payment:
    """What stood in the way: the same request, or another payment of the invoice, which will do if it is the same."""
    known = await ctx.db.first(store.BY_KEY, key=key)
    if known is not None:
        return _same(known, request_hash)
    live = store.sure(await ctx.db.first(store.LIVE_OF, of_invoice=invoice.id))
    fits = live.kind == new.kind and live.amount == invoice.amount_due and live.keep_method >= new.keep_method
    if fits and live.state != "processing":
        return live
    raise PaymentInProgress(details={"payment_id": str(live.id), "state": live.state})


async def start(app: App, opened: Open, new: NewIntent, key: str) -> tuple[Payment, Intent]:
    """Begin to pay: our payment, and the provider's."""
    async with opened() as ctx:
        payment = await begin(ctx, new, key)
    intent = await create_there(app, opened, payment)
    async with opened() as ctx:
        return await effects.apply(ctx, payment.id, intent), intent


async def create_there(app: App, opened: Open, payment: Payment) -> Intent:
    """The provider's payment: found, or made; the same one, however often this is called."""
    theirs = provider(app, payment.provider)
    if payment.provider_id is not None:
        return await theirs.intent(app, payment.provider_id)
    customer = await payer(app, opened, payment.provider)
    order = Order(
        amount=Money(payment.amount, payment.currency),
        kind="paynow" if payment.kind == "paynow" else "card",
        description=f"Invoice {payment.invoice_id}",
        metadata={
            "payment_id": str(payment.id),
            "invoice_id": str(payment.invoice_id),
            "organisation": str(payment.org_id),
        },
        customer=customer,
        keep_method=payment.keep_method,
    )
    return await theirs.create(app, order, key=f"payment:{payment.id}")


async def payer(app: App, opened: Open, name: str) -> str:
    """The organisation's id as a customer of the provider; it becomes one when it is not."""
    async with opened() as ctx:
        known = await ctx.db.first(_PAYER, of_provider=name)
        if known is not None:
            return known.provider_id
        org = await mails.organisation(ctx)
    who = hashlib.sha256(f"{org.name} {org.billing_email}".encode()).hexdigest()[:16]
    made = await provider(app, name).customer(
        app, name=org.name, email=org.billing_email, reference=str(org.id), key=f"payer:{org.id}:{who}"
    )
    async with opened() as ctx:
        await ctx.db.execute(_NEW_PAYER, provider=name, provider_id=made)
        return (await ctx.db.one(_PAYER, of_provider=name)).provider_id


async def confirm(
    app: App, opened: Open, payment_id: UUID, how: Confirmation, key: str, *, back: str | None = None
) -> Payment:
    """Take the money. A decline is `PaymentFailed`, and on record; what needs the payer says so in `action`.

    `back` is where the payer's bank sends them afterwards.
    """
    async with opened() as ctx:
        payment, due = await _ready(ctx, payment_id, key)
        method = how.payment_method or await methods.theirs(ctx, payment.provider, how.method_id)
    if payment.state in PAID:
        return payment
    if due != payment.amount:
        await cancel(app, opened, payment_id)
        raise AmountChanged(details={"amount_due": due, "currency": payment.currency})
    intent = await create_there(app, opened, payment)
    if intent.state in ("pending", "failed"):
        intent = await confirm_there(app, payment, intent, method, key, back=back)
    async with opened() as ctx:
        payment = await effects.apply(ctx, payment.id, intent)
    if payment.state == "failed":
        details = {"payment_id": str(payment.id), "code": payment.failure_code, "decline": payment.failure_decline}
        raise PaymentFailed(details=details)
    return payment


async def _ready(ctx: Ctx, payment_id: UUID, key: str) -> tuple[Payment, int]:
    """The payment, if its money may be taken now, and what is due; with another key, this is another try."""
    payment = await store.lock(ctx, payment_id)
    if payment.state in PAID:
        return payment, 0
    again = payment.confirm_key == key and payment.state != "canceled"
    if payment.state not in ("pending", "failed") and not again:
        raise WrongState(state=payment.state, details={"state": payment.state})
    invoice = await invoices.get(ctx, payment.invoice_id)
    if not again:
        payment = await store.change(ctx, payment, confirm_key=key, attempts=payment.attempts + 1, off_session=False)
    ctx.enqueue(Settle(payment_id=payment.id), delay=_NET)
    return payment, invoice.amount_due if invoice.state in PAYABLE else 0


async def confirm_there(
    app: App, payment: Payment, intent: Intent, method: str, key: str, *, back: str | None = None
) -> Intent:
    """Ask the provider for the money; the same key asks once."""
    asked = hashlib.sha256(f"{payment.id}:{method}:{key}".encode()).hexdigest()[:32]
    return await provider(app, payment.provider).confirm(
        app,
        intent.id,
        method,
        Money(payment.amount, payment.currency),
        key=f"confirm:{asked}",
        return_url=back or app.settings[PaymentSettings].return_url or app.kernel.public_url,
        off_session=payment.off_session and key.startswith("charge:"),
    )


async def refresh(app: App, opened: Open, payment_id: UUID) -> Payment:
    """Ask the provider how a payment stands: what a payer's browser does when it comes back."""
    async with opened() as ctx:
        payment = await store.get(ctx, payment_id)
    if payment.provider in BY_HAND:
        return payment
    intent = await create_there(app, opened, payment)
    async with opened() as ctx:
        return await effects.apply(ctx, payment.id, intent)


async def cancel(app: App, opened: Open, payment_id: UUID) -> Payment:
    """Give a payment up. When the money came meanwhile, it stays, and the answer is that it is too late."""
    async with opened() as ctx:
        payment = await store.get(ctx, payment_id)
    if payment.state == "canceled":
        return payment
    if payment.state not in LIVE or payment.provider in BY_HAND:
        raise WrongState(state=payment.state, details={"state": payment.state})
    intent = await cancel_there(app, opened, payment)
    async with opened() as ctx:
        payment = await effects.apply(ctx, payment.id, intent)
    if payment.state != "canceled":
        raise WrongState(state=payment.state, details={"state": payment.state})
    return payment


async def cancel_there(app: App, opened: Open, payment: Payment) -> Intent:
    """Give it up at the provider; how it stands there now."""
    intent = await create_there(app, opened, payment)
    if intent.state in ("canceled", "succeeded"):
        return intent
    return await provider(app, payment.provider).cancel(app, intent.id, key=f"cancel:{payment.id}")
