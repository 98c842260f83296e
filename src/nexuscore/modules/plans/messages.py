"""The mails about subscriptions, to the organisation's billing address."""

from datetime import datetime
from pathlib import Path

from pydantic import Field

from nexuscore.kernel.money import Money
from nexuscore.modules import mail

FOLDER = Path(__file__).parent / "mails"


class TrialEnds(mail.Message, name="plans.trial", subject="Your trial of {plan} ends soon", folder=FOLDER):
    """A few days before a trial ends."""

    organisation: str
    plan: str
    price: Money
    ends_at: datetime
    zone: str = Field(examples=["Asia/Singapore"])
    link: mail.Link


class PaymentLate(mail.Message, name="plans.late", subject="Invoice {number} could not be paid", folder=FOLDER):
    """After a failed payment, and with every further try."""

    organisation: str
    plan: str
    number: str
    due: Money
    next_try_at: datetime
    is_last: bool
    zone: str = Field(examples=["Asia/Singapore"])
    link: mail.Link


class GivenUp(mail.Message, name="plans.unpaid", subject="{plan} is suspended", folder=FOLDER):
    """When every try has failed."""

    organisation: str
    plan: str
    zone: str = Field(examples=["Asia/Singapore"])
    link: mail.Link


MESSAGES = mail.Messages(TrialEnds, PaymentLate, GivenUp)
