"""What the provider keeps for itself, booked as soon as it says so: once for a payment, by steps for a dispute."""

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.money import Money
from nexuscore.modules import books
from nexuscore.modules.books import Entry, Posting, credit, debit
from nexuscore.modules.payments import store
from nexuscore.modules.payments.states import PAID
from nexuscore.modules.payments.tables import Dispute, Payment


async def of_payment(ctx: Ctx, payment: Payment, fee: Money | None) -> Payment:
    """Book the fee of a locked payment, if it is known now and was not before."""
    if fee is None or payment.fee is not None or payment.state not in PAID:
        return payment
    if fee:
        memo = f"Fee for payment {payment.receipt}"
        await books.post(ctx, Entry("payments.fee", memo, _kept(fee), str(payment.id), payment.invoice_id))
    return await store.change(ctx, payment, fee=fee.minor, fee_currency=fee.currency)


async def of_dispute(ctx: Ctx, payment: Payment, dispute: Dispute, fee: Money | None) -> Dispute:
    """Book what a dispute costs beyond what is booked; what the provider gives back comes off again."""
    if fee is None or (dispute.fee, dispute.fee_currency) == (fee.minor, fee.currency):
        return dispute
    more = Money(fee.minor - dispute.fee, fee.currency)
    if more:
        memo = f"Fee for the dispute of payment {payment.receipt}"
        step = f"{dispute.id}:{dispute.fee}:{fee.minor}"
        await books.post(ctx, Entry("payments.dispute_fee", memo, _kept(more), step, payment.invoice_id))
    changed = {"fee": fee.minor, "fee_currency": fee.currency}
    return await ctx.db.one(store.CHANGE_DISPUTE, dispute_id=dispute.id, **changed)


def _kept(fee: Money) -> tuple[Posting, ...]:
    return debit(books.PROCESSOR_FEES, fee), credit(books.PROCESSOR, fee)
