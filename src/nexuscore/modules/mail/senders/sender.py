"""The slot: what a sender is given, and the three things it can answer."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import ClassVar
from uuid import UUID

from nexuscore.kernel.app import App

_POLICY = SMTP.clone(cte_type="7bit")


@dataclass(frozen=True, slots=True)
class Taken:
    """The sender has it now, under this id of its own."""

    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The sender does not have it and never will. `bounced` says that the address itself is dead."""

    reason: str
    bounced: bool = False


@dataclass(frozen=True, slots=True)
class NotNow:
    """Try again later. `uncertain` says that the sender may have it all the same."""

    reason: str
    uncertain: bool = False
    after: timedelta | None = None


Outcome = Taken | Refused | NotNow


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One mail, written, on its way to one person. Written anew it is the same to the letter, ids included."""

    id: UUID
    from_address: str
    from_name: str
    reply_to: str | None
    to_address: str
    to_name: str | None
    subject: str
    text: str
    html: str
    language: str
    created_at: datetime

    @property
    def message_id(self) -> str:
        """The same for every try, so that a mail that arrives twice can be seen to be one."""
        return f"<{self.id}@{self.from_address.rpartition('@')[2]}>"

    @property
    def headers(self) -> dict[str, str]:
        """What goes beside sender, recipient and subject."""
        return {
            "Message-ID": self.message_id,
            "Auto-Submitted": "auto-generated",
            "Content-Language": self.language,
        }

    def mime(self) -> EmailMessage:
        """The mail as RFC 5322 wants it."""
        message = EmailMessage(policy=_POLICY)
        message["From"] = Address(self.from_name, addr_spec=self.from_address)
        message["To"] = Address(self.to_name or "", addr_spec=self.to_address)
        message["Subject"] = self.subject
        message["Date"] = self.created_at
        if self.reply_to is not None:
            message["Reply-To"] = Address(addr_spec=self.reply_to)
        message.set_content(self.text)
        message.add_alternative(self.html, subtype="html")
        for name, value in self.headers.items():
            message[name] = value
        return message


class Sender(ABC):
    """Somebody who takes mail. A module brings one with `contributes=(PostmarkSender(),)`."""

    name: ClassVar[str]

    @abstractmethod
    def is_set_up(self, app: App) -> bool:
        """Whether the settings hold what it needs."""

    @abstractmethod
    async def send(self, app: App, mail: Outgoing) -> Outcome:
        """Hand the mail over. What it raises counts as `NotNow(uncertain=True)`."""
