"""Facts about usage. Spending is announced inside the house alone: it would be a flood outside."""

from uuid import UUID

from nexuscore.kernel.events import Event


class UsageSpent(Event, type="usage.spent", subject="entry_id", public=False):
    """Something was used and charged. `absorbed_micro` is what it cost beyond what could be charged."""

    entry_id: UUID
    user_id: UUID | None
    reason: str
    units: int
    cost_micro: int
    absorbed_micro: int


class UsageReserved(Event, type="usage.reserved", subject="reservation_id", public=False):
    """So much is held for something under way."""

    reservation_id: UUID
    reason: str
    amount_micro: int


class UsageReleased(Event, type="usage.released", subject="reservation_id", public=False):
    """What was held is free again; `expired` when nobody settled it in time."""

    reservation_id: UUID
    amount_micro: int
    expired: bool


class CreditsOrdered(Event, type="usage.credits_ordered", subject="invoice_id"):
    """Credits were invoiced; they are there once it is paid."""

    invoice_id: UUID
    amount_minor: int
    currency: str


class CreditsAdded(Event, type="usage.credits_added", subject="entry_id"):
    """The organisation was given credits, or bought them."""

    entry_id: UUID
    kind: str
    amount_micro: int
    reason: str


class CreditsTakenBack(Event, type="usage.credits_taken_back", subject="entry_id"):
    """Credits that were not spent were taken back, after a refund for instance."""

    entry_id: UUID
    amount_micro: int
    reason: str


class CreditsLow(Event, type="usage.credits_low"):
    """The credits fell below what the organisation wants to be warned at."""

    balance_micro: int
    warn_below_micro: int


class CapChanged(Event, type="usage.cap_changed"):
    """How much may be spent was changed, for the organisation or for one person."""

    user_id: UUID | None
    day_micro: int | None
    month_micro: int | None


class TermsChanged(Event, type="usage.terms_changed"):
    """Whether the organisation pays afterwards, and when it is warned, was changed."""

    is_postpaid: bool
    warn_below_micro: int


class UsageBilled(Event, type="usage.billed", subject="bill_id"):
    """What was used and not paid by credits was put on a bill."""

    bill_id: UUID
    key: str
    total_minor: int
    currency: str


ALL = (
    UsageSpent,
    UsageReserved,
    UsageReleased,
    CreditsOrdered,
    CreditsAdded,
    CreditsTakenBack,
    CreditsLow,
    CapChanged,
    TermsChanged,
    UsageBilled,
)
