"""The rows of payments, found and changed."""

from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.filters import equals
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.tables import columns
from nexuscore.modules import invoices, orgs
from nexuscore.modules.payments.schemas import DisputeOut, EveryPaymentOut, PaymentOut, RefundOut, State
from nexuscore.modules.payments.states import BY_HAND, LIVE
from nexuscore.modules.payments.tables import Dispute, Payment, Refund

_ONE = select(Payment).where(Payment.id == bindparam("payment_id"))
_LOCKED = _ONE.with_for_update()
CREATE = upsert(Payment).on_conflict_do_nothing().returning(Payment)
CHANGE = update(Payment).where(Payment.id == bindparam("payment_id")).returning(Payment)
BY_KEY = select(Payment).where(Payment.request_key == bindparam("key"))
LIVE_OF = select(Payment).where(
    Payment.invoice_id == bindparam("of_invoice"), Payment.state.in_(LIVE), Payment.provider.not_in(BY_HAND)
)
_OF_PROVIDER = select(Payment).where(
    or_(Payment.provider_id == bindparam("theirs"), Payment.id == bindparam("payment_id"))
)

_shown = select(*columns(Payment, PaymentOut.model_fields))
_of_invoice, _of_state = Payment.invoice_id == bindparam("of_invoice"), Payment.state == bindparam("of_state")
_LISTS = {
    (False, False): Listing(_shown, by=Payment.id),
    (True, False): Listing(_shown.where(_of_invoice), by=Payment.id),
    (False, True): Listing(_shown.where(_of_state), by=Payment.id),
    (True, True): Listing(_shown.where(_of_invoice, _of_state), by=Payment.id),
}

_TO_PAY = (
    select(invoices.Invoice)
    .where(invoices.Invoice.state.in_(("open", "partly_paid")), invoices.Invoice.amount_due > 0)
    .order_by(invoices.Invoice.due_on, invoices.Invoice.id)
    .limit(100)
)
EVERYWHERE = Listing(
    select(
        *columns(Payment, [name for name in EveryPaymentOut.model_fields if name != "organisation"]),
        orgs.Organisation.name.label("organisation"),
    ).join(orgs.Organisation, orgs.Organisation.id == Payment.org_id),
    by=Payment.id,
    sorts=(Payment.amount, Payment.created_at),
    filters={"state": equals(Payment.state, State), "org_id": equals(Payment.org_id)},
)
_REFUND = select(Refund).where(Refund.id == bindparam("refund_id"))
_REFUND_LOCKED = _REFUND.with_for_update()
_REFUND_THERE = select(Refund).where(
    or_(Refund.provider_id == bindparam("theirs"), Refund.id == bindparam("refund_id"))
)
CREATE_REFUND = insert(Refund).returning(Refund)
CHANGE_REFUND = update(Refund).where(Refund.id == bindparam("refund_id")).returning(Refund)
_REFUNDS = (
    select(*columns(Refund, RefundOut.model_fields))
    .where(Refund.payment_id == bindparam("of_payment"))
    .order_by(Refund.id)
)

_DISPUTE = select(Dispute).where(Dispute.provider_id == bindparam("theirs")).with_for_update()
CREATE_DISPUTE = upsert(Dispute).on_conflict_do_nothing().returning(Dispute)
CHANGE_DISPUTE = update(Dispute).where(Dispute.id == bindparam("dispute_id")).returning(Dispute)
_DISPUTES = Listing(select(*columns(Dispute, DisputeOut.model_fields)), by=Dispute.id)
_DISPUTES_OF = (
    select(*columns(Dispute, DisputeOut.model_fields))
    .where(Dispute.payment_id == bindparam("of_payment"))
    .order_by(Dispute.id)
)
_NOBODY = UUID(int=0)


async def get(ctx: Ctx, payment_id: UUID) -> Payment:
    """One payment of the context's organisation."""
    return await ctx.db.one(_ONE, payment_id=payment_id)


async def get_anywhere(ctx: Ctx, payment_id: UUID) -> Payment:
    """One payment of any organisation, for those who serve all."""
    async with ctx.across_orgs("a payment is found by its id") as everywhere:
        return await everywhere.db.one(_ONE, payment_id=payment_id)


async def lock(ctx: Ctx, payment_id: UUID) -> Payment:
    """One payment, held until the transaction ends, so that what happens to it happens one by one."""
    return await ctx.db.one(_LOCKED, payment_id=payment_id)


async def change(ctx: Ctx, payment: Payment, **values: Any) -> Payment:
    """Write new values into a payment."""
    return await ctx.db.one(CHANGE, payment_id=payment.id, **values)


async def found_there(ctx: Ctx, provider_id: str | None, payment_id: str | None) -> Payment | None:
    """The payment of a provider's object, by its id there or by ours in its metadata, in any organisation."""
    async with ctx.across_orgs("a provider names a payment") as everywhere:
        given = {"theirs": provider_id or "-", "payment_id": _uuid(payment_id)}
        rows = await everywhere.db.all(_OF_PROVIDER, **given)
    return next(iter(sorted(rows, key=lambda row: row.provider_id != provider_id)), None)


async def page(ctx: Ctx, query: PageQuery, *, invoice_id: UUID | None, state: str | None) -> Json:
    """The organisation's payments, newest first."""
    given = {"of_invoice": invoice_id, "of_state": state}
    listing = _LISTS[invoice_id is not None, state is not None]
    return await ctx.db.page(listing, query, **{name: value for name, value in given.items() if value is not None})


async def everywhere(ctx: Ctx, query: PageQuery) -> Json:
    """Everybody's payments, newest first, for those who run the platform."""
    async with ctx.across_orgs("the payments of everybody") as all_of_them:
        return await all_of_them.db.page(EVERYWHERE, query)


async def to_pay(ctx: Ctx) -> list[invoices.Invoice]:
    """The organisation's invoices that are still to be paid, the first due first."""
    return await ctx.db.all(_TO_PAY)


async def live_of(ctx: Ctx, invoice_id: UUID) -> Payment | None:
    """The payment of an invoice that is under way."""
    return await ctx.db.first(LIVE_OF, of_invoice=invoice_id)


async def lock_refund(ctx: Ctx, refund_id: UUID) -> Refund:
    """One refund, held until the transaction ends."""
    return await ctx.db.one(_REFUND_LOCKED, refund_id=refund_id)


async def refund_there(ctx: Ctx, provider_id: str, refund_id: str | None) -> Refund | None:
    """The refund of a provider's object, in the context's organisation."""
    return await ctx.db.first(_REFUND_THERE, theirs=provider_id, refund_id=_uuid(refund_id))


async def refunds_of(ctx: Ctx, payment_id: UUID) -> Json:
    """The refunds of a payment, oldest first."""
    return await ctx.db.json(_REFUNDS, of_payment=payment_id)


async def dispute_there(ctx: Ctx, provider_id: str) -> Dispute | None:
    """The dispute of a provider's object, held until the transaction ends."""
    return await ctx.db.first(_DISPUTE, theirs=provider_id)


async def disputes(ctx: Ctx, query: PageQuery) -> Json:
    """The organisation's disputes, newest first."""
    return await ctx.db.page(_DISPUTES, query)


async def disputes_of(ctx: Ctx, payment_id: UUID) -> Json:
    """The disputes of a payment, oldest first."""
    return await ctx.db.json(_DISPUTES_OF, of_payment=payment_id)


def _uuid(text: str | None) -> UUID:
    """The id a provider handed back to us; what is none of ours finds nothing."""
    try:
        return UUID(text) if text else _NOBODY
    except ValueError:
        return _NOBODY


def sure(row: Payment | None) -> Payment:
    """The row that must be there."""
    if row is None:
        raise NotFoundError
    return row
