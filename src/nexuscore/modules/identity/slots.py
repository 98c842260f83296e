"""What identity asks of other modules: who belongs to which organisation, and who sends text messages."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from uuid import UUID

from nexuscore.kernel.app import App


@dataclass(frozen=True, slots=True)
class Grants:
    """What somebody may do in one organisation."""

    permissions: frozenset[str]
    role: str


class Memberships(ABC):
    """The slot for organisations. Called with no transaction open; what it answers is kept for 3 seconds."""

    @abstractmethod
    async def grants(self, app: App, user_id: UUID, org_id: UUID) -> Grants | None:
        """What a person may do there; None when they are not a member."""

    @abstractmethod
    async def key_grants(self, app: App, org_id: UUID, scopes: frozenset[str]) -> Grants | None:
        """What an API key of the organisation may do, of what it was made for; None when the organisation is gone."""

    @abstractmethod
    async def default_org(self, app: App, user_id: UUID) -> UUID | None:
        """Where a person's session begins, while they have chosen no organisation."""


class SmsSender(ABC):
    """The slot for text messages."""

    @abstractmethod
    async def send(self, app: App, phone: str, text: str) -> None:
        """Send `text` to a number in E.164 form. Called by a worker, with no transaction open."""
