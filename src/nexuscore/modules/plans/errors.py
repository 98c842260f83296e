"""What can go wrong with plans and subscriptions, beyond what goes wrong everywhere."""

from nexuscore.kernel.errors import AuthorizationError, BusinessLogicError, ConflictError


class BadPlan(BusinessLogicError):
    """There is no such plan, or nobody can choose it any more."""

    code = "SUB_001"
    message = "This plan cannot be chosen. See the list of plans."


class TrialExpired(BusinessLogicError):
    """An organisation has one trial, and it is over."""

    code = "SUB_002"
    message = "The trial of this organisation is over. Subscribe without one."


class AlreadySubscribed(ConflictError):
    """An organisation has one subscription at a time; `details` names it."""

    code = "already_subscribed"
    message = "This organisation has a subscription already. Change its plan instead."


class WrongState(ConflictError):
    """The subscription is not in a state in which this can be done; `details` says which it is in."""

    code = "wrong_state"
    message = "This cannot be done while the subscription is {state}."


class PayFirst(ConflictError):
    """An invoice of the subscription is still to be paid."""

    code = "pay_first"
    message = "An invoice of this subscription is still open. Pay it first."


class PeriodOver(ConflictError):
    """The period has ended and its renewal is about to run."""

    code = "period_over"
    message = "The subscription is being renewed at this moment. Try again in a minute."


class NothingToChange(ConflictError):
    """It is on this plan already, and no other is coming."""

    code = "nothing_to_change"
    message = "The subscription is on this plan already."


class PreviewOutdated(ConflictError):
    """The preview expired, was bought already, or the subscription changed since."""

    code = "preview_outdated"
    message = "This preview no longer holds. Make a new one and look at its figures."


class NotCancelling(ConflictError):
    """There is no cancellation to take back."""

    code = "not_cancelling"
    message = "This subscription is not about to end."


class OtherCurrency(BusinessLogicError):
    """The plans are in different currencies."""

    code = "other_currency"
    message = "This plan is in another currency. Cancel, then subscribe to it."


class FeatureNotInPlan(AuthorizationError):
    """The plan does not include a feature; `details` names it and the plan."""

    code = "feature_not_in_plan"
    message = "Your plan does not include this. Choose a larger plan."


class SkuTaken(ConflictError):
    """Another plan has this SKU."""

    code = "sku_taken"
    message = "Another plan has this SKU already."
