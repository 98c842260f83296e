"""The mails about invoices, to the address the organisation gave for bills."""

from pathlib import Path

from pydantic import Field

from nexuscore.modules import mail

FOLDER = Path(__file__).parent / "mails"


class InvoiceSent(mail.Message, name="invoices.invoice", subject="Invoice {number} of {total}", folder=FOLDER):
    """To whoever owes it, with a link to the PDF."""

    number: str
    supplier: str
    total: str
    due: str
    link: mail.Link


class PaymentReceived(mail.Message, name="invoices.receipt", subject="Received: {amount} for {number}", folder=FOLDER):
    """To whoever paid."""

    number: str
    supplier: str
    amount: str
    left: str = Field("", description="What is left to pay; empty when nothing is.")


class PaymentOverdue(mail.Message, name="invoices.overdue", subject="Invoice {number} is overdue", folder=FOLDER):
    """To whoever has not paid in time."""

    number: str
    supplier: str
    left: str
    due: str
    link: mail.Link


MESSAGES = mail.Messages(InvoiceSent, PaymentReceived, PaymentOverdue)
