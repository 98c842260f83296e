"""What payers are told: money came, money did not come, money goes back."""

from datetime import datetime
from pathlib import Path
from uuid import UUID

from pydantic import Field
from sqlalchemy import Text, bindparam, cast, select

from nexuscore.kernel import i18n
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import NexusError, NotFoundError
from nexuscore.kernel.log import get_logger
from nexuscore.kernel.money import Money
from nexuscore.modules import invoices, mail, orgs
from nexuscore.modules.payments.tables import Payment, Refund

_log = get_logger(__name__)
FOLDER = Path(__file__).parent / "mails"


class Receipt(mail.Message, name="payments.receipt", subject="Receipt {number}", folder=FOLDER):
    """Money came."""

    number: str
    organisation: str
    amount: str
    way: str
    invoice: str
    at: datetime
    zone: str = Field(examples=["Asia/Singapore"])
    kept: str | None = Field(examples=["S$5.00"])


class NotPaid(mail.Message, name="payments.not_paid", subject="A payment did not go through", folder=FOLDER):
    """Money did not come, and nobody was looking."""

    organisation: str
    amount: str
    invoice: str | None = Field(examples=["INV-202611-0001"])
    reason: str | None = Field(examples=["Your card was declined."])
    link: mail.Link


class Refunded(mail.Message, name="payments.refunded", subject="We sent you {amount} back", folder=FOLDER):
    """Money went back."""

    organisation: str
    amount: str
    number: str
    reason: str


MESSAGES = mail.Messages(Receipt, NotPaid, Refunded)
_OURS = select(Payment.id).where(cast(Payment.id, Text) == bindparam("reference"))


async def covers(ctx: Ctx, reference: str) -> bool:
    """Whether the payment an invoice knows by this reference is one of ours, of which we send a receipt."""
    return await ctx.db.first(_OURS, reference=reference) is not None


RECEIPTS = invoices.Receipts(covers)


_WAYS = {"card": "Card", "paynow": "PayNow", "bank_transfer": "Bank transfer", "cash": "Cash", "other": "Other"}


async def receipt(ctx: Ctx, payment: Payment) -> None:
    """Tell whoever pays the organisation's bills that the money came."""
    org = await organisation(ctx)
    invoice = await invoices.get(ctx, payment.invoice_id)
    card = f"{(payment.brand or 'card').title()} {payment.last4}" if payment.last4 else None
    message = Receipt(
        number=payment.receipt or "",
        organisation=_plain(org.name),
        amount=Money(payment.received, payment.currency).format(org.locale),
        way=card or i18n.translate(org.locale, _WAYS[payment.kind]),
        invoice=invoice.number or "",
        at=payment.paid_at or ctx.now,
        zone=org.time_zone,
        kept=Money(payment.unapplied, payment.currency).format(org.locale) if payment.unapplied else None,
    )
    await _send(ctx, org, message, f"receipt:{payment.id}")


async def failed(ctx: Ctx, payment: Payment) -> None:
    """Tell them that it did not."""
    money = Money(payment.amount, payment.currency)
    await tell_failed(ctx, payment.invoice_id, money, payment.failure_message)


async def tell_failed(ctx: Ctx, invoice_id: UUID | None, amount: Money, reason: str | None) -> None:
    """Tell them that an invoice was not paid."""
    org = await organisation(ctx)
    invoice = await invoices.get(ctx, invoice_id) if invoice_id else None
    message = NotPaid(
        organisation=_plain(org.name),
        amount=amount.format(org.locale),
        invoice=invoice.number if invoice else None,
        reason=_plain(reason) if reason else None,
        link=f"{ctx.app.kernel.public_url}/console/billing/payments" + (f"/pay/{invoice_id}" if invoice_id else ""),
    )
    await _send(ctx, org, message, None)


async def refunded(ctx: Ctx, payment: Payment, refund: Refund) -> None:
    """Tell them that money is on its way back."""
    org = await organisation(ctx)
    message = Refunded(
        organisation=_plain(org.name),
        amount=Money(refund.amount, refund.currency).format(org.locale),
        number=payment.receipt or "",
        reason=_plain(refund.reason),
    )
    await _send(ctx, org, message, f"refund:{refund.id}")


async def organisation(ctx: Ctx) -> orgs.Organisation:
    """The context's organisation."""
    if ctx.org is None:
        raise NotFoundError
    return await orgs.organisation(ctx, ctx.org)


async def _send(ctx: Ctx, org: orgs.Organisation, message: mail.Message, key: str | None) -> None:
    """Send it; a mail that cannot be written must not undo a payment."""
    try:
        await mail.send(ctx, message, to=org.billing_email, locale=org.locale, idempotency=key)
    except NexusError as error:
        _log.error("payment_mail_not_sent", message=message.template.name, org=org.id, exc_info=error)


def _plain(text: str) -> str:
    """A text of somebody else's, as one line that no mail program turns around."""
    return "".join(char for char in text if char.isprintable()).replace("=?", "= ?")[:500]
