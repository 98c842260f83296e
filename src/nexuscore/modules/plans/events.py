"""Facts about plans and subscriptions. Amounts are minor units of `currency`, before GST."""

from datetime import datetime
from uuid import UUID

from nexuscore.kernel.events import Event


class PlanCreated(Event, type="plan.created", subject="plan_id", public=False):
    """A plan was added to the catalogue."""

    plan_id: UUID
    sku: str


class PlanChanged(Event, type="plan.changed", subject="plan_id", public=False):
    """A plan was changed; `fields` names what."""

    plan_id: UUID
    sku: str
    fields: list[str]


class SubscriptionStarted(Event, type="subscription.created", subject="subscription_id"):
    """The organisation subscribed: on trial, or waiting for its first payment."""

    subscription_id: UUID
    plan: str
    state: str
    trial_end: datetime | None


class TrialEnding(Event, type="subscription.trial_will_end", subject="subscription_id"):
    """The trial ends in a few days."""

    subscription_id: UUID
    trial_end: datetime


class SubscriptionActivated(Event, type="subscription.activated", subject="subscription_id"):
    """It is paid for: after its trial, its first payment, or one that was late."""

    subscription_id: UUID
    before: str
    period_end: datetime


class SubscriptionRenewed(Event, type="subscription.renewed", subject="subscription_id"):
    """A new period began; `invoice_id` is its invoice, null for a plan that costs nothing."""

    subscription_id: UUID
    plan: str
    period_start: datetime
    period_end: datetime
    amount: int
    currency: str
    invoice_id: UUID | None


class ChangePreviewed(Event, type="subscription.change_previewed", subject="subscription_id", public=False):
    """Somebody looked at what another plan would cost."""

    subscription_id: UUID
    preview_id: UUID
    plan: str


class PlanSwitched(Event, type="subscription.plan_changed", subject="subscription_id"):
    """It is on another plan from now on. `amount` was charged for the rest of the period."""

    subscription_id: UUID
    before: str
    after: str
    amount: int
    currency: str
    invoice_id: UUID | None


class ChangeScheduled(Event, type="subscription.change_scheduled", subject="subscription_id"):
    """It will be on another plan from the next period on; null when that was taken back."""

    subscription_id: UUID
    plan: str | None
    at: datetime


class CancellationScheduled(Event, type="subscription.cancel_scheduled", subject="subscription_id"):
    """It ends with its period."""

    subscription_id: UUID
    at: datetime


class SubscriptionReactivated(Event, type="subscription.reactivated", subject="subscription_id"):
    """It does not end with its period after all."""

    subscription_id: UUID


class SubscriptionCanceled(Event, type="subscription.canceled", subject="subscription_id"):
    """It is over."""

    subscription_id: UUID
    plan: str
    before: str
    reason: str


class SubscriptionPaused(Event, type="subscription.paused", subject="subscription_id"):
    """It stands still: no invoices, no limits of the plan; what is left of the period is kept."""

    subscription_id: UUID


class SubscriptionResumed(Event, type="subscription.resumed", subject="subscription_id"):
    """It goes on, for what was left of the period."""

    subscription_id: UUID
    period_end: datetime


class SubscriptionPastDue(Event, type="subscription.past_due", subject="subscription_id"):
    """A payment failed or is late; it will be tried again on the days that follow."""

    subscription_id: UUID
    invoice_id: UUID
    next_try_at: datetime


class PaymentRetried(Event, type="subscription.payment_retried", subject="subscription_id"):
    """The payment was asked for again, or tried again with the saved card."""

    subscription_id: UUID
    step: int
    charged: bool
    next_try_at: datetime


class SubscriptionUnpaid(Event, type="subscription.unpaid", subject="subscription_id"):
    """Every try failed. The limits of the plan no longer hold until it is paid."""

    subscription_id: UUID


ALL = (
    PlanCreated,
    PlanChanged,
    SubscriptionStarted,
    TrialEnding,
    SubscriptionActivated,
    SubscriptionRenewed,
    ChangePreviewed,
    PlanSwitched,
    ChangeScheduled,
    CancellationScheduled,
    SubscriptionReactivated,
    SubscriptionCanceled,
    SubscriptionPaused,
    SubscriptionResumed,
    SubscriptionPastDue,
    PaymentRetried,
    SubscriptionUnpaid,
)
