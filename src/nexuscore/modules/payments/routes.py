"""Payments over HTTP: parse, call one verb, return. What calls the provider runs with no transaction open."""

import hashlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, time, timedelta
from typing import Annotated
from uuid import UUID

from nexuscore.kernel.ctx import Ctx, RowCtx
from nexuscore.kernel.db import Json
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.http import Can, Exchange, Page, PageQuery, Query, Routes
from nexuscore.kernel.http.idempotency import HEADER, IdempotencyKeyRequired
from nexuscore.kernel.limits import PAYMENTS
from nexuscore.modules.payments import (
    byhand,
    findings,
    intents,
    methods,
    reconcile,
    refunds,
    store,
)
from nexuscore.modules.payments.errors import (
    AmountChanged,
    MethodGone,
    MoreThanDue,
    NoProvider,
    NotByHand,
    NothingToPay,
    PaymentFailed,
    PaymentInProgress,
    PaymentKeyConflict,
    ProviderRefused,
    ProviderUnavailable,
    ReferenceUsed,
    TooMuch,
    WrongState,
)
from nexuscore.modules.payments.permissions import PAY, READ, RECONCILE, RECORD, REFUND
from nexuscore.modules.payments.provider import Intent, chosen
from nexuscore.modules.payments.reconcile import Reconcile
from nexuscore.modules.payments.schemas import (
    Confirmation,
    DisputeOut,
    EveryPaymentOut,
    FindingOut,
    IntentOut,
    MethodOut,
    NewIntent,
    NewMethod,
    NewRecord,
    NewRefund,
    PaymentOut,
    Period,
    ReconciliationOut,
    RecordOut,
    RefundOut,
    Settlement,
    SetupOut,
    State,
    TakenBack,
)
from nexuscore.modules.payments.settings import PaymentSettings
from nexuscore.modules.payments.tables import Finding, Payment, Refund, SavedMethod

routes = Routes("/payments", tag="Payments")

CanRead = Annotated[Ctx, Can(READ)]
CanReadPayment = Annotated[RowCtx[Payment], Can(READ, row=store.get)]
CanPay = Annotated[Exchange, Can(PAY)]
CanPayCtx = Annotated[Ctx, Can(PAY)]
CanManageMethod = Annotated[RowCtx[SavedMethod], Can(PAY, row=methods.get)]
CanRecord = Annotated[Ctx, Can(RECORD)]
CanTakeBack = Annotated[RowCtx[Payment], Can(RECORD, row=store.get_anywhere)]
CanRefund = Annotated[RowCtx[Payment], Can(REFUND, row=store.get_anywhere)]
CanReconcile = Annotated[Ctx, Can(RECONCILE)]
CanSettle = Annotated[RowCtx[Finding], Can(RECONCILE, row=findings.get)]

OUTSIDE = (NoProvider, ProviderUnavailable, ProviderRefused)


class PaymentQuery(PageQuery):
    """The query parameters of the list of payments."""

    invoice_id: UUID | None = None
    state: State | None = None


class FindingQuery(PageQuery):
    """The query parameters of the list of findings."""

    settled: bool = False


def opened(exchange: Exchange) -> intents.Open:
    """How a verb that calls out opens its short transactions: as whoever asks."""
    identity = exchange.identity

    def begun() -> AbstractAsyncContextManager[Ctx]:
        return exchange.app.context(
            org=identity.org, actor=identity.actor, locale=exchange.locale, request_id=exchange.request_id
        )

    return begun


def key_of(exchange: Exchange) -> str:
    """The key of a request that moves money; who sends it is part of it."""
    key = exchange.headers.get(HEADER, "")
    if not key:
        raise IdempotencyKeyRequired
    whole = f"{exchange.identity.org}:{exchange.identity.actor.id}:{key}"
    return f"key:{hashlib.sha256(whole.encode()).hexdigest()}"


def payer_of(exchange: Exchange) -> Callable[[], Awaitable[str]]:
    """How a verb asks who the organisation is at the provider."""
    return lambda: intents.payer(exchange.app, opened(exchange), chosen(exchange.app))


def _shown(exchange: Exchange, payment: Payment, intent: Intent) -> IntentOut:
    shown = {name: getattr(payment, name) for name in PaymentOut.model_fields}
    settings = exchange.app.settings[PaymentSettings]
    return IntentOut(**shown, client_secret=intent.client_secret, publishable_key=settings.stripe_publishable_key)


@routes.post(
    "/intents",
    answer=IntentOut,
    status=201,
    needs_key=True,
    limit=PAYMENTS,
    errors=[NotFoundError, NothingToPay, PaymentInProgress, PaymentKeyConflict, *OUTSIDE],
)
async def create_payment(exchange: CanPay, new: NewIntent) -> IntentOut:
    """Begin to pay what is due on an invoice. PayNow's QR code comes with the answer; a card is confirmed next."""
    payment, intent = await intents.start(exchange.app, opened(exchange), new, key_of(exchange))
    return _shown(exchange, payment, intent)


@routes.post(
    "/{payment_id}/confirm",
    answer=PaymentOut,
    needs_key=True,
    errors=[PaymentFailed, AmountChanged, WrongState, MethodGone, *OUTSIDE],
)
async def confirm_payment(exchange: CanPay, payment_id: UUID, how: Confirmation) -> Payment:
    """Take the money from a card. When the bank wants to see the payer, `action` says where to send them."""
    return await intents.confirm(exchange.app, opened(exchange), payment_id, how, key_of(exchange))


@routes.post("/{payment_id}/refresh", answer=PaymentOut, errors=[*OUTSIDE])
async def refresh_payment(exchange: CanPay, payment_id: UUID) -> Payment:
    """Ask the provider how a payment stands: for a payer who comes back from the bank before the webhook does."""
    return await intents.refresh(exchange.app, opened(exchange), payment_id)


@routes.post("/{payment_id}/cancel", answer=PaymentOut, errors=[WrongState, *OUTSIDE])
async def cancel_payment(exchange: CanPay, payment_id: UUID) -> Payment:
    """Give a payment up, so that another may be begun."""
    return await intents.cancel(exchange.app, opened(exchange), payment_id)


@routes.get("", answer=Page[PaymentOut])
async def list_payments(ctx: CanRead, query: Annotated[PaymentQuery, Query()]) -> Json:
    """The organisation's payments, newest first."""
    return await store.page(ctx, query, invoice_id=query.invoice_id, state=query.state)


@routes.get("/methods", answer=list[MethodOut])
async def list_payment_methods(ctx: CanRead) -> Json:
    """The cards that are kept for renewals."""
    return await methods.saved(ctx)


@routes.post("/methods/setup", answer=SetupOut, status=201, needs_key=True, errors=[*OUTSIDE])
async def set_up_payment_method(exchange: CanPay) -> SetupOut:
    """Begin to keep a card."""
    setup = await methods.set_up(exchange.app, payer_of(exchange), key_of(exchange))
    key = exchange.app.settings[PaymentSettings].stripe_publishable_key
    return SetupOut(setup_id=setup.id, client_secret=setup.client_secret, publishable_key=key)


@routes.post("/methods", answer=MethodOut, status=201, needs_key=True, errors=[PaymentFailed, MethodGone, *OUTSIDE])
async def save_payment_method(exchange: CanPay, new: NewMethod) -> SavedMethod:
    """Keep the card of a setup; the first one is charged at the next renewal."""
    method = await methods.finish(exchange.app, payer_of(exchange), new, key_of(exchange))
    async with opened(exchange)() as ctx:
        return await methods.keep(ctx, chosen(exchange.app), method)


@routes.post("/methods/{method_id}/default", answer=MethodOut)
async def make_payment_method_default(ctx: CanManageMethod) -> SavedMethod:
    """Charge this card from now on."""
    return await methods.make_default(ctx, ctx.row.id)


@routes.delete("/methods/{method_id}")
async def remove_payment_method(ctx: CanManageMethod) -> None:
    """Keep a card no longer; the provider forgets it too."""
    await methods.remove(ctx, ctx.row.id)


@routes.get("/disputes", answer=Page[DisputeOut])
async def list_disputes(ctx: CanRead, query: Annotated[PageQuery, Query()]) -> Json:
    """The organisation's disputes, newest first."""
    return await store.disputes(ctx, query)


@routes.post(
    "/by-hand",
    answer=RecordOut,
    status=201,
    needs_key=True,
    errors=[MoreThanDue, NotFoundError, NothingToPay, ReferenceUsed],
)
async def record_payment(ctx: CanRecord, new: NewRecord) -> Payment:
    """Record money that came by bank transfer or in cash. The same reference again is the same money."""
    return await byhand.record(ctx, new)


@routes.post("/{payment_id}/take-back", answer=PaymentOut, needs_key=True, errors=[NotByHand, WrongState])
async def take_back_payment(ctx: CanTakeBack, why: TakenBack) -> Payment:
    """Record that money by hand was not ours after all: returned, bounced, or never there. It is owed again."""
    return await byhand.take_back(ctx, ctx.row, why.reason)


@routes.get("/findings", answer=Page[FindingOut])
async def list_payment_findings(ctx: CanReconcile, query: Annotated[FindingQuery, Query()]) -> Json:
    """What a person must look at: differences with the provider, money nobody asked for, refunds that failed."""
    return await findings.page(ctx, query, settled=query.settled)


@routes.post("/findings/{finding_id}/settle", answer=FindingOut)
async def settle_payment_finding(ctx: CanSettle, settlement: Settlement) -> Finding:
    """Say what was done about a finding."""
    return await findings.settle(ctx, ctx.row, settlement.note)


@routes.get("/reconciliations", answer=Page[ReconciliationOut], replica=True)
async def list_reconciliations(ctx: CanReconcile, query: Annotated[PageQuery, Query()]) -> Json:
    """The comparisons with the provider, newest first."""
    return await reconcile.page(ctx, query)


@routes.get("/all", answer=Page[EveryPaymentOut], listing=store.EVERYWHERE)
async def list_every_payment(ctx: CanReconcile, query: Annotated[PageQuery, Query()]) -> Json:
    """The payments of every organisation, newest first."""
    return await store.everywhere(ctx, query)


@routes.post("/reconciliations", status=202, errors=[NoProvider])
async def begin_reconciliation(ctx: CanReconcile, period: Period) -> None:
    """Compare a period with the provider; what differs becomes findings."""
    chosen(ctx.app)
    since = datetime.combine(period.since, time(), UTC)
    ctx.enqueue(Reconcile(since=since, until=datetime.combine(period.until, time(), UTC) + timedelta(days=1)))


@routes.get("/{payment_id}", answer=PaymentOut)
async def read_payment(ctx: CanReadPayment) -> Payment:
    """One payment."""
    return ctx.row


@routes.get("/{payment_id}/refunds", answer=list[RefundOut])
async def list_refunds(ctx: CanReadPayment) -> Json:
    """The refunds of a payment, oldest first."""
    return await store.refunds_of(ctx, ctx.row.id)


@routes.post("/{payment_id}/refunds", answer=RefundOut, status=201, needs_key=True, errors=[TooMuch, WrongState])
async def refund_payment(ctx: CanRefund, new: NewRefund) -> Refund:
    """Send money back, all or a part. What paid the invoice is credited with it."""
    return await refunds.request(ctx, ctx.row, new)
