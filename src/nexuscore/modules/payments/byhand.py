"""Money that came by bank or in cash, recorded by staff: who, by which reference, and where the proof is."""

from uuid import UUID

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.money import Money
from nexuscore.modules import invoices
from nexuscore.modules.invoices import NewPayment
from nexuscore.modules.payments import disputes, effects, refunds, store
from nexuscore.modules.payments.errors import MoreThanDue, NotByHand, NothingToPay, ReferenceUsed, WrongState
from nexuscore.modules.payments.events import PaymentInitiated
from nexuscore.modules.payments.provider import Dispute
from nexuscore.modules.payments.schemas import NewRecord
from nexuscore.modules.payments.states import BY_HAND
from nexuscore.modules.payments.tables import Payment


async def record(ctx: Ctx, new: NewRecord) -> Payment:
    """Book it for the organisation that owes the invoice. The same reference again is the same money."""
    async with ctx.in_org(await invoices.organisation_of(ctx, new.invoice_id)) as there:
        key = f"hand:{new.kind}:{new.reference}"
        invoice = await invoices.get(there, new.invoice_id)
        known = await there.db.first(store.BY_KEY, key=key)
        if known is not None:
            return _same(known, new)
        if invoice.state == "draft":
            raise NothingToPay
        due = invoice.amount_due if invoice.state in effects.PAYABLE else 0
        if new.amount > due and not new.keep_rest:
            raise MoreThanDue(details={"amount_due": due, "currency": invoice.currency})
        payment = await there.db.first(
            store.CREATE,
            invoice_id=invoice.id,
            amount=new.amount,
            currency=invoice.currency,
            kind=new.kind,
            provider="hand",
            request_key=key,
            reference=new.reference,
            note=new.note,
            created_by=ctx.actor.id,
        )
        if payment is None:
            return _same(store.sure(await there.db.first(store.BY_KEY, key=key)), new)
        about = {"payment_id": payment.id, "invoice_id": invoice.id, "kind": payment.kind}
        there.emit(PaymentInitiated(**about, amount=payment.amount, currency=payment.currency))
        return await effects.paid(there, payment, Money(new.amount, invoice.currency))


async def record_for(ctx: Ctx, invoice_id: UUID, new: NewPayment) -> None:
    """The same, for the pages of invoices, which fill their slot with it."""
    if new.currency != (await invoices.get(ctx, invoice_id)).currency:
        raise invoices.WrongCurrency
    given = NewRecord(invoice_id=invoice_id, amount=new.amount, kind=new.method, reference=new.reference)
    await record(ctx, given)


async def take_back(ctx: Ctx, payment: Payment, reason: str) -> Payment:
    """What was recorded turned out not to be ours. As with a dispute that is lost, the invoice is owed again."""
    if payment.provider not in BY_HAND:
        raise NotByHand
    async with ctx.in_org(payment.org_id) as there:
        payment = await store.lock(there, payment.id)
        if payment.state not in refunds.REFUNDABLE:
            raise WrongState(state=payment.state, details={"state": payment.state})
        room = await refunds.left(there, payment)
        lost = Dispute(
            id=f"hand:{payment.id}",
            intent=None,
            amount=Money(room.amount, payment.currency),
            state="lost",
            reason=reason,
            created=ctx.now,
        )
        await disputes.apply(there, payment, lost)
        return await store.get(there, payment.id)


def _same(known: Payment, new: NewRecord) -> Payment:
    if (known.invoice_id, known.amount) != (new.invoice_id, new.amount):
        raise ReferenceUsed(details={"payment_id": str(known.id)})
    return known
