"""The mails about organisations. The organisation's and the inviter's name are all a stranger can put into one."""

from datetime import datetime
from pathlib import Path

from pydantic import Field

from nexuscore.modules import mail

FOLDER = Path(__file__).parent / "mails"


class Invited(mail.Message, name="orgs.invitation", subject="Invitation to {organisation}", folder=FOLDER):
    """To an address that is asked to join."""

    organisation: str
    inviter: str
    link: mail.Link
    expires_at: datetime
    zone: str = Field(examples=["Asia/Singapore"])


class OwnershipOffered(
    mail.Message, name="orgs.ownership", subject="You are offered the ownership of {organisation}", folder=FOLDER
):
    """To a member who is asked to become an owner."""

    organisation: str
    owner: str
    link: mail.Link
    expires_at: datetime
    zone: str = Field(examples=["Asia/Singapore"])


class OrganisationClosed(mail.Message, name="orgs.deleted", subject="{organisation} was deleted", folder=FOLDER):
    """To the owners of an organisation that was deleted."""

    organisation: str
    by: str
    at: datetime
    zone: str = Field(examples=["Asia/Singapore"])
    link: mail.Link


MESSAGES = mail.Messages(Invited, OwnershipOffered, OrganisationClosed)
