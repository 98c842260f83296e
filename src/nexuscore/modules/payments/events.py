"""What payments announce. Amounts are minor units of `currency`; nothing here tells a card or a person."""

from datetime import datetime
from uuid import UUID

from nexuscore.kernel.events import Event


class PaymentInitiated(Event, type="payment.initiated", subject="payment_id"):
    """Somebody, or a renewal, began to pay an invoice."""

    payment_id: UUID
    invoice_id: UUID
    amount: int
    currency: str
    kind: str


class PaymentProcessing(Event, type="payment.processing", subject="payment_id"):
    """The bank is still at work; it will succeed or fail later."""

    payment_id: UUID
    invoice_id: UUID
    amount: int
    currency: str


class PaymentSucceeded(Event, type="payment.completed", subject="payment_id"):
    """The money came. `applied` of it paid the invoice; what is left over is owed back."""

    payment_id: UUID
    invoice_id: UUID
    amount: int
    currency: str
    kind: str
    applied: int
    receipt: str
    off_session: bool


class PaymentFailed(Event, type="payment.failed", subject="payment_id"):
    """A try did not come to anything; another may follow. `code` and `decline` are the provider's."""

    payment_id: UUID
    invoice_id: UUID
    amount: int
    currency: str
    code: str
    decline: str | None
    attempt: int
    off_session: bool


class PaymentCanceled(Event, type="payment.canceled", subject="payment_id"):
    """It was given up before any money came."""

    payment_id: UUID
    invoice_id: UUID


class PaymentUnapplied(Event, type="payment.unapplied", subject="payment_id"):
    """Money came that the invoice had no use for, since it was void or paid otherwise: it is owed back."""

    payment_id: UUID
    invoice_id: UUID
    amount: int
    currency: str


class RefundRequested(Event, type="payment.refund_requested", subject="payment_id"):
    """Money is to go back."""

    payment_id: UUID
    refund_id: UUID
    amount: int
    currency: str
    reason: str


class PaymentRefunded(Event, type="payment.refunded", subject="payment_id"):
    """Money went back; `refunded` is how much so far."""

    payment_id: UUID
    invoice_id: UUID
    refund_id: UUID
    amount: int
    refunded: int
    currency: str
    reason: str


class RefundFailed(Event, type="payment.refund_failed", subject="payment_id"):
    """Money that was to go back did not arrive: it is with us, and still owed."""

    payment_id: UUID
    refund_id: UUID
    amount: int
    currency: str
    failure: str


class DisputeOpened(Event, type="payment.dispute_opened", subject="payment_id"):
    """The payer's bank wants the money back; evidence is due by a date."""

    payment_id: UUID
    dispute_id: UUID
    amount: int
    currency: str
    reason: str
    due_by: datetime | None


class DisputeClosed(Event, type="payment.dispute_closed", subject="payment_id"):
    """A dispute was won (the money is ours again), lost (the invoice is owed again), or came to nothing."""

    payment_id: UUID
    dispute_id: UUID
    amount: int
    currency: str
    outcome: str


class MethodSaved(Event, type="payment.method_saved", subject="method_id"):
    """A card is kept for renewals."""

    method_id: UUID
    kind: str
    is_default: bool


class MethodRemoved(Event, type="payment.method_removed", subject="method_id"):
    """A card is no longer kept."""

    method_id: UUID


class DefaultMethodChanged(Event, type="payment.default_method_changed", subject="method_id"):
    """Another card is charged from now on."""

    method_id: UUID


class FindingReported(Event, type="payment.finding_reported", subject="finding_id", public=False):
    """Something about money needs a person."""

    finding_id: UUID
    kind: str
    thing: str
    thing_id: str


class FindingSettled(Event, type="payment.finding_settled", subject="finding_id", public=False):
    """A person looked at it."""

    finding_id: UUID


class Reconciled(Event, type="payment.reconciled", subject="reconciliation_id", public=False):
    """Our payments were held against the provider's."""

    reconciliation_id: UUID
    compared: int
    differing: int


class ProviderInvoiceFailed(Event, type="payment.provider_invoice_failed", public=False):
    """An invoice kept at the provider could not be paid there; ours, if there is one, stays open."""

    provider_id: str
    invoice_id: UUID | None
    amount: int
    currency: str


class ProviderSubscriptionChanged(Event, type="payment.subscription_changed", public=False):
    """A subscription kept at the provider was made or changed: how it stands there now."""

    provider_id: str
    status: str
    cancel_at_period_end: bool
    period_end: datetime | None
    at: datetime


class ProviderSubscriptionEnded(Event, type="payment.subscription_ended", public=False):
    """A subscription kept at the provider is over."""

    provider_id: str
    at: datetime


class ProviderTrialEnding(Event, type="payment.trial_ending", public=False):
    """A trial kept at the provider ends soon."""

    provider_id: str
    ends_at: datetime | None
    at: datetime


ALL = (
    PaymentInitiated,
    PaymentProcessing,
    PaymentSucceeded,
    PaymentFailed,
    PaymentCanceled,
    PaymentUnapplied,
    RefundRequested,
    PaymentRefunded,
    RefundFailed,
    DisputeOpened,
    DisputeClosed,
    MethodSaved,
    MethodRemoved,
    DefaultMethodChanged,
    FindingReported,
    FindingSettled,
    Reconciled,
    ProviderInvoiceFailed,
    ProviderSubscriptionChanged,
    ProviderSubscriptionEnded,
    ProviderTrialEnding,
)
