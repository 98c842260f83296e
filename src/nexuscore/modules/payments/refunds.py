"""Money on its way back: asked for by staff, sent by a job, and what becomes of it later."""

from dataclasses import dataclass
from uuid import UUID

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.jobs import Job
from nexuscore.kernel.log import get_logger
from nexuscore.kernel.money import Money
from nexuscore.modules import books, invoices
from nexuscore.modules.books import Entry, credit, debit
from nexuscore.modules.payments import findings, mails, store
from nexuscore.modules.payments.effects import place_of
from nexuscore.modules.payments.errors import ProviderRefused, TooMuch, WrongState
from nexuscore.modules.payments.events import PaymentRefunded, RefundFailed, RefundRequested
from nexuscore.modules.payments.provider import Refund as TheirRefund, provider
from nexuscore.modules.payments.schemas import NewRefund
from nexuscore.modules.payments.states import BY_HAND, REFUND
from nexuscore.modules.payments.tables import Payment, Refund

REFUNDABLE = ("succeeded", "partially_refunded")
_log = get_logger(__name__)
_PARTS = (
    "SELECT coalesce(sum(from_applied), 0)::bigint AS from_applied,"
    " coalesce(sum(from_unapplied), 0)::bigint AS from_unapplied,"
    " coalesce(sum(amount) FILTER (WHERE state = 'failed'), 0)::bigint AS bounced"
    " FROM payment_refunds WHERE payment_id = $1"
    " AND (state IN ('pending', 'succeeded') OR (state = 'failed' AND done_at IS NOT NULL))"
)


class SendRefund(Job, name="payments.send_refund"):
    """Have the provider send money back."""

    refund_id: UUID


@dataclass(frozen=True, slots=True)
class Left:
    """What of a payment is still ours: what paid the invoice, and what is only kept."""

    applied: int
    unapplied: int

    @property
    def amount(self) -> int:
        return self.applied + self.unapplied


async def left(ctx: Ctx, payment: Payment) -> Left:
    """What can still go back. What bounced is kept for its owner, so it is left too."""
    (parts,) = await ctx.db.raw(_PARTS, payment.id)
    return Left(payment.applied - parts.from_applied, payment.unapplied + parts.bounced - parts.from_unapplied)


async def request(ctx: Ctx, payment: Payment, new: NewRefund) -> Refund:
    """Send money back, first what was only kept. By hand it is done already; else a job asks the provider."""
    async with ctx.in_org(payment.org_id) as there:
        payment = await store.lock(there, payment.id)
        if payment.state not in REFUNDABLE:
            raise WrongState(state=payment.state, details={"state": payment.state})
        room = await left(there, payment)
        amount = room.amount if new.amount is None else new.amount
        if not 0 < amount <= room.amount:
            shown = Money(room.amount, payment.currency).format(ctx.locale)
            raise TooMuch(left=shown, details={"left": room.amount, "currency": payment.currency})
        refund = await _reserve(there, payment, room, amount, new.reason, new.reference)
        there.emit(
            RefundRequested(
                payment_id=payment.id,
                refund_id=refund.id,
                amount=amount,
                currency=payment.currency,
                reason=new.reason,
            )
        )
        if payment.provider in BY_HAND:
            return await _done(there, await store.lock(there, payment.id), refund)
        there.enqueue(SendRefund(refund_id=refund.id))
        return refund


async def _reserve(
    ctx: Ctx, payment: Payment, room: Left, amount: int, reason: str, reference: str | None = None
) -> Refund:
    from_unapplied = min(amount, room.unapplied)
    refund = await ctx.db.one(
        store.CREATE_REFUND,
        payment_id=payment.id,
        provider=payment.provider,
        amount=amount,
        currency=payment.currency,
        from_applied=amount - from_unapplied,
        from_unapplied=from_unapplied,
        reason=reason,
        reference=reference,
        created_by=ctx.actor.id,
    )
    await store.change(ctx, payment, refunding=payment.refunding + amount)
    return refund


async def claim(ctx: Ctx, job: SendRefund) -> tuple[Payment, Refund] | None:
    """The refund, while it waits."""
    refund = await store.lock_refund(ctx, job.refund_id)
    if refund.state != "pending":
        return None
    return await store.get(ctx, refund.payment_id), refund


async def call(app: App, claimed: tuple[Payment, Refund]) -> TheirRefund | str:
    """The call; repeated after a kill, it carries the same key. What the provider will never do is a text."""
    payment, refund = claimed
    there = provider(app, payment.provider)
    if refund.provider_id is not None:
        return await there.refund_now(app, refund.provider_id)
    amount = Money(refund.amount, refund.currency)
    try:
        return await there.refund(
            app,
            payment.provider_id or "",
            amount,
            key=f"refund:{refund.id}",
            metadata={"refund_id": str(refund.id), "payment_id": str(payment.id)},
        )
    except ProviderRefused as refused:
        return getattr(refused, "reason", "") or "refused"


async def record(ctx: Ctx, claimed: tuple[Payment, Refund], theirs: TheirRefund | str) -> None:
    """What came of it."""
    payment = await store.lock(ctx, claimed[0].id)
    if isinstance(theirs, TheirRefund):
        await apply(ctx, payment, theirs)
        return
    refund = await store.lock_refund(ctx, claimed[1].id)
    if refund.state == "pending":
        await _failed(ctx, payment, refund, "failed", theirs)


async def apply(ctx: Ctx, payment: Payment, theirs: TheirRefund) -> Refund | None:
    """Bring our refund of a locked payment to where the provider's is; one made there is taken over."""
    refund = await store.refund_there(ctx, theirs.id, theirs.metadata.get("refund_id"))
    if refund is None:
        refund = await _adopted(ctx, payment, theirs)
        payment = await store.lock(ctx, payment.id)
    if refund is None or refund.payment_id != payment.id:
        return refund
    if refund.provider_id is None:
        refund = await ctx.db.one(store.CHANGE_REFUND, refund_id=refund.id, provider_id=theirs.id)
    if theirs.state not in REFUND[refund.state]:
        return refund
    if (theirs.amount.minor, theirs.amount.currency) != (refund.amount, refund.currency):
        ours, told = {"amount": refund.amount}, {"amount": theirs.amount.minor}
        await findings.report(ctx, "amount", "refund", theirs.id, payment_id=payment.id, ours=ours, theirs=told)
        return refund
    if theirs.state == "succeeded":
        return await _done(ctx, payment, refund)
    if refund.state == "succeeded":
        return await _bounced(ctx, payment, refund, theirs.failure or "failed")
    return await _failed(ctx, payment, refund, theirs.state, theirs.failure or theirs.state)


async def _adopted(ctx: Ctx, payment: Payment, theirs: TheirRefund) -> Refund | None:
    """A refund somebody made at the provider, past us."""
    room = await left(ctx, payment)
    if theirs.state in ("failed", "canceled"):
        return None
    if payment.state not in REFUNDABLE or theirs.amount.minor > room.amount:
        told = {"amount": theirs.amount.minor, "state": theirs.state}
        ours = {"state": payment.state, "left": room.amount}
        await findings.report(ctx, "missing_here", "refund", theirs.id, payment_id=payment.id, ours=ours, theirs=told)
        return None
    refund = await _reserve(ctx, payment, room, theirs.amount.minor, "Made at the provider")
    return await ctx.db.one(store.CHANGE_REFUND, refund_id=refund.id, provider_id=theirs.id)


async def _done(ctx: Ctx, payment: Payment, refund: Refund) -> Refund:
    """The money went back: off the books, with a credit note for what paid the invoice."""
    refunded = payment.refunded + refund.amount
    state = "refunded" if refunded == payment.received else "partially_refunded"
    changed = await store.change(
        ctx,
        payment,
        state=state if payment.state in (*REFUNDABLE, "refunded") else payment.state,
        refunded=refunded,
        refunding=payment.refunding - refund.amount,
    )
    refund = await ctx.db.one(store.CHANGE_REFUND, refund_id=refund.id, state="succeeded", done_at=ctx.now)
    place = place_of(payment)
    if refund.from_applied:
        await invoices.record_refund(
            ctx,
            payment.invoice_id,
            refund.from_applied,
            refund.currency,
            reference=str(refund.id),
            method=payment.kind,
            reason=refund.reason,
            at=place,
        )
    if refund.from_unapplied:
        money = Money(refund.from_unapplied, refund.currency)
        postings = (debit(books.UNAPPLIED, money), credit(place, money))
        memo = f"Refund of payment {payment.receipt}, which no invoice accounted for"
        await books.post(ctx, Entry("payments.unapplied_refund", memo, postings, str(refund.id), payment.invoice_id))
    ctx.emit(
        PaymentRefunded(
            payment_id=payment.id,
            invoice_id=payment.invoice_id,
            refund_id=refund.id,
            amount=refund.amount,
            refunded=changed.refunded,
            currency=refund.currency,
            reason=refund.reason,
        )
    )
    await mails.refunded(ctx, changed, refund)
    return refund


async def _failed(ctx: Ctx, payment: Payment, refund: Refund, state: str, why: str) -> Refund:
    """It never left."""
    await store.change(ctx, payment, refunding=payment.refunding - refund.amount)
    return await _tell_failed(ctx, payment, refund, state, why)


async def _bounced(ctx: Ctx, payment: Payment, refund: Refund, why: str) -> Refund:
    """It left and came back: the invoice is credited already, so the money is kept for its owner."""
    refunded = payment.refunded - refund.amount
    state = "partially_refunded" if refunded else "succeeded"
    await store.change(
        ctx,
        payment,
        refunded=refunded,
        state=state if payment.state in ("refunded", "partially_refunded") else payment.state,
    )
    money = Money(refund.amount, refund.currency)
    postings = (debit(place_of(payment), money), credit(books.UNAPPLIED, money))
    memo = f"Refund of payment {payment.receipt}, which came back"
    await books.post(ctx, Entry("payments.refund_bounced", memo, postings, str(refund.id), payment.invoice_id))
    return await _tell_failed(ctx, payment, refund, "failed", why)


async def _tell_failed(ctx: Ctx, payment: Payment, refund: Refund, state: str, why: str) -> Refund:
    about = {"payment_id": payment.id, "refund_id": refund.id, "amount": refund.amount, "currency": refund.currency}
    ctx.emit(RefundFailed(**about, failure=why[:200]))
    ours = {"amount": refund.amount, "currency": refund.currency, "failure": why[:200]}
    await findings.report(ctx, "refund_failed", "refund", str(refund.id), payment_id=payment.id, ours=ours)
    return await ctx.db.one(store.CHANGE_REFUND, refund_id=refund.id, state=state, failure=why[:200])
