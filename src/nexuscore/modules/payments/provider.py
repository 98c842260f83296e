"""The slot: who takes the money. A module brings a provider of its own by contributing one."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from nexuscore.kernel.app import App
from nexuscore.kernel.money import Money
from nexuscore.modules.payments.errors import NoProvider
from nexuscore.modules.payments.settings import FAKE, PaymentSettings

Progress = Literal["pending", "requires_action", "processing", "succeeded", "failed", "canceled"]
RefundState = Literal["pending", "succeeded", "failed", "canceled"]
DisputeState = Literal["inquiry", "open", "won", "lost", "closed"]


@dataclass(frozen=True, slots=True)
class Method:
    """A card or another way to pay, as far as it may be shown."""

    id: str
    kind: str
    brand: str | None = None
    last4: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the money was not taken: the provider's codes, and a text for the payer."""

    code: str
    decline: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Intent:
    """A payment as the provider has it now."""

    id: str
    state: Progress
    amount: Money
    received: Money
    created: datetime
    client_secret: str | None = None
    action: dict[str, Any] | None = None
    failure: Failure | None = None
    method: Method | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    fee: Money | None = None  # what the provider keeps of it for itself; None while that is not known


@dataclass(frozen=True, slots=True)
class Refund:
    """Money on its way back, as the provider has it now."""

    id: str
    intent: str | None
    amount: Money
    state: RefundState
    created: datetime
    failure: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dispute:
    """A payment the payer's bank wants back, as the provider has it now."""

    id: str
    intent: str | None
    amount: Money
    state: DisputeState
    reason: str
    created: datetime
    due_by: datetime | None = None
    fee: Money | None = None  # what the provider asks for it so far


@dataclass(frozen=True, slots=True)
class Setup:
    """A card that is being saved."""

    id: str
    state: Progress
    customer: str | None
    client_secret: str | None = None
    action: dict[str, Any] | None = None
    failure: Failure | None = None
    method: Method | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What a payment is for. `kinds` are the ways to pay; PayNow is confirmed as it is made."""

    amount: Money
    kind: Literal["card", "paynow"]
    description: str
    metadata: dict[str, str]
    customer: str | None = None
    keep_method: bool = False
    return_url: str | None = None


class Provider(ABC):
    """Somebody who takes money. Every call that changes something carries a key: the same key, the same effect.

    A decline is an answer (an intent in state failed), not an exception. What does not come to an answer raises
    `ProviderUnavailable`; what can never be answered, `ProviderRefused`.
    """

    name: str

    @abstractmethod
    async def create(self, app: App, order: Order, *, key: str) -> Intent:
        """Begin a payment."""

    @abstractmethod
    async def confirm(
        self, app: App, intent: str, method: str, amount: Money, *, key: str, return_url: str, off_session: bool
    ) -> Intent:
        """Take the amount with this method. Also the answer when the payment was beyond that already."""

    @abstractmethod
    async def cancel(self, app: App, intent: str, *, key: str) -> Intent:
        """Give a payment up; the answer says whether it was too late."""

    @abstractmethod
    async def intent(self, app: App, id: str) -> Intent:
        """A payment as it is now."""

    @abstractmethod
    async def intents(self, app: App, since: datetime, until: datetime) -> Sequence[Intent]:
        """Every payment begun in a period."""

    @abstractmethod
    async def refund(self, app: App, intent: str, amount: Money, *, key: str, metadata: dict[str, str]) -> Refund:
        """Send money back."""

    @abstractmethod
    async def refund_now(self, app: App, id: str) -> Refund:
        """A refund as it is now."""

    @abstractmethod
    async def refunds(self, app: App, since: datetime, until: datetime) -> Sequence[Refund]:
        """Every refund begun in a period."""

    @abstractmethod
    async def dispute_now(self, app: App, id: str) -> Dispute:
        """A dispute as it is now."""

    @abstractmethod
    async def disputes(self, app: App, since: datetime, until: datetime) -> Sequence[Dispute]:
        """Every dispute begun in a period."""

    @abstractmethod
    async def customer(self, app: App, *, name: str, email: str, reference: str, key: str) -> str:
        """Somebody who pays; their id there."""

    @abstractmethod
    async def set_up(self, app: App, customer: str, *, key: str) -> Setup:
        """Begin to save a card."""

    @abstractmethod
    async def confirm_set_up(self, app: App, id: str, method: str, *, key: str, return_url: str) -> Setup:
        """Save this card."""

    @abstractmethod
    async def setup_now(self, app: App, id: str) -> Setup:
        """How the saving of a card stands."""

    @abstractmethod
    async def forget(self, app: App, method: str) -> None:
        """Forget a saved card; also when it is forgotten already."""


def chosen(app: App) -> str:
    """The name of who takes the money here."""
    settings = app.settings[PaymentSettings]
    if settings.provider is not None:
        return settings.provider
    if settings.stripe_secret_key is not None:
        return "stripe"
    if app.kernel.env == "production":
        raise NoProvider
    return FAKE


def is_pretended(app: App) -> bool:
    """Whether the stand-in takes the money: never in production."""
    try:
        return app.kernel.env != "production" and chosen(app) == FAKE
    except NoProvider:
        return False


def provider(app: App, name: str | None = None) -> Provider:
    """Who takes the money here, or the one of that name: a payment stays with whom it was begun."""
    wanted = name or chosen(app)
    for each in app.fillers(Provider):  # type: ignore[type-abstract]  # asked for, not made
        if each.name == wanted:
            return each
    raise NoProvider
