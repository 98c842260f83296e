"""Disputes: the payer's bank wants the money back. While one is open the provider holds it; lost, the invoice is owed
again."""

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.money import Money
from nexuscore.modules import books, invoices
from nexuscore.modules.books import Entry, Posting, credit, debit
from nexuscore.modules.payments import costs, findings, refunds, store
from nexuscore.modules.payments.effects import place_of
from nexuscore.modules.payments.events import DisputeClosed, DisputeOpened
from nexuscore.modules.payments.provider import Dispute as TheirDispute
from nexuscore.modules.payments.states import BY_HAND, DISPUTE, PAYMENT
from nexuscore.modules.payments.tables import Dispute, Payment


async def apply(ctx: Ctx, payment: Payment, theirs: TheirDispute) -> Dispute:
    """Bring our dispute of a locked payment to where the provider's is, and book what it costs."""
    return await costs.of_dispute(ctx, payment, await _moved(ctx, payment, theirs), theirs.fee)


async def _moved(ctx: Ctx, payment: Payment, theirs: TheirDispute) -> Dispute:
    dispute = await store.dispute_there(ctx, theirs.id)
    if dispute is None:
        dispute = await _opened(ctx, payment, theirs)
        payment = await store.lock(ctx, payment.id)
    elif theirs.state not in DISPUTE[dispute.state]:
        return dispute
    if theirs.state in ("open", "lost") and not dispute.held:
        dispute = await _hold(ctx, payment, dispute)
        payment = await store.lock(ctx, payment.id)
    if theirs.state in ("won", "lost", "closed"):
        return await _closed(ctx, payment, dispute, theirs.state)
    return await ctx.db.one(store.CHANGE_DISPUTE, dispute_id=dispute.id, state=theirs.state, due_by=theirs.due_by)


async def _opened(ctx: Ctx, payment: Payment, theirs: TheirDispute) -> Dispute:
    dispute = await ctx.db.one(
        store.CREATE_DISPUTE,
        payment_id=payment.id,
        provider=payment.provider,
        provider_id=theirs.id,
        amount=theirs.amount.minor,
        currency=theirs.amount.currency,
        state="inquiry" if theirs.state == "inquiry" else "open",
        reason=theirs.reason,
        due_by=theirs.due_by,
    )
    ctx.emit(
        DisputeOpened(
            payment_id=payment.id,
            dispute_id=dispute.id,
            amount=dispute.amount,
            currency=dispute.currency,
            reason=dispute.reason,
            due_by=dispute.due_by,
        )
    )
    if payment.provider not in BY_HAND:  # what staff took back themselves, they know
        due = {"reason": dispute.reason, "amount": dispute.amount, "currency": dispute.currency}
        await findings.report(ctx, "disputed", "dispute", theirs.id, payment_id=payment.id, theirs=due)
    return dispute


async def _hold(ctx: Ctx, payment: Payment, dispute: Dispute) -> Dispute:
    """The provider has taken the money off our account until it is decided."""
    if "disputed" in PAYMENT[payment.state]:
        await store.change(ctx, payment, state="disputed")
    await books.post(ctx, _entry(payment, dispute))
    return await ctx.db.one(store.CHANGE_DISPUTE, dispute_id=dispute.id, held=True)


def _entry(payment: Payment, dispute: Dispute) -> Entry:
    money = Money(dispute.amount, dispute.currency)
    postings = (debit(books.DISPUTED, money), credit(place_of(payment), money))
    memo = f"Payment {payment.receipt} disputed: {dispute.reason}"
    return Entry("payments.disputed", memo, postings, str(dispute.id), payment.invoice_id)


async def _closed(ctx: Ctx, payment: Payment, dispute: Dispute, outcome: str) -> Dispute:
    lost_unapplied = 0
    if outcome == "lost":
        lost_unapplied = await _lose(ctx, payment, dispute)
    elif dispute.held:
        entry = _entry(payment, dispute)
        await books.post(ctx, entry.reversed("payments.dispute_won", f"{entry.memo}, and won", str(dispute.id)))
        if payment.state == "disputed":
            await store.change(ctx, payment, state=_undisputed(payment))
    ctx.emit(
        DisputeClosed(
            payment_id=payment.id,
            dispute_id=dispute.id,
            amount=dispute.amount,
            currency=dispute.currency,
            outcome=outcome,
        )
    )
    return await ctx.db.one(
        store.CHANGE_DISPUTE,
        dispute_id=dispute.id,
        state=outcome,
        closed_at=ctx.now,
        held=False,
        lost_unapplied=lost_unapplied,
    )


def _undisputed(payment: Payment) -> str:
    if payment.refunded == payment.received:
        return "refunded"
    return "partially_refunded" if payment.refunded else "succeeded"


async def _lose(ctx: Ctx, payment: Payment, dispute: Dispute) -> int:
    """The money is gone: the invoice is owed again, what was only kept (the answer) is settled, the rest is lost."""
    room = await refunds.left(ctx, payment)
    from_applied = min(dispute.amount, max(room.applied, 0))
    from_unapplied = min(dispute.amount - from_applied, max(room.unapplied, 0))
    lost = dispute.amount - from_applied - from_unapplied
    if from_applied:
        await invoices.record_reversal(
            ctx,
            payment.invoice_id,
            from_applied,
            dispute.currency,
            reference=str(dispute.id),
            method=payment.kind,
            at=books.DISPUTED,
        )
    rest: list[Posting] = []
    if from_unapplied:
        rest.append(debit(books.UNAPPLIED, Money(from_unapplied, dispute.currency)))
    if lost:
        rest.append(debit(books.BAD_DEBTS, Money(lost, dispute.currency)))
    if rest:
        gone = credit(books.DISPUTED, Money(from_unapplied + lost, dispute.currency))
        memo = f"Payment {payment.receipt} charged back: {dispute.reason}"
        await books.post(ctx, Entry("payments.dispute_lost", memo, (*rest, gone), str(dispute.id), payment.invoice_id))
    if payment.state == "disputed":
        await store.change(ctx, payment, state="charged_back")
    return from_unapplied
