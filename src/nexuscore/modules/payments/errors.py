"""How payments fail. PAY_001 and PAY_002 are the codes clients of the five systems expect; the others have names."""

from nexuscore.kernel.errors import (
    BusinessLogicError,
    ConflictError,
    ExternalServiceError,
    NotFoundError,
    PaymentError,
    ServiceUnavailable,
)


class PaymentFailed(PaymentError):
    """The bank or the provider said no; `details` say why. What was tried is on record."""

    commits = True
    code = "PAY_001"
    message = "The payment was not accepted. Try another card, or ask the bank that issued it."


class PaymentKeyConflict(ConflictError):
    """The Idempotency-Key was used for another payment, or its first request is still running."""

    code = "PAY_002"
    message = "This Idempotency-Key belongs to another payment. Use a new key for a new payment."


class PaymentInProgress(ConflictError):
    """The invoice is being paid already; `details` name the payment to go on with or to cancel."""

    code = "payment_in_progress"
    message = "This invoice is being paid already. Finish or cancel that payment first."


class NothingToPay(BusinessLogicError):
    """The invoice is a draft, paid, void or given up."""

    code = "nothing_to_pay"
    message = "There is nothing to pay on this invoice."


class AmountChanged(ConflictError):
    """What is due changed since the payment was begun; it was cancelled."""

    commits = True
    code = "amount_changed"
    message = "What is due on this invoice changed in the meantime. Begin a new payment."


class WrongState(ConflictError):
    """What was asked for is not possible in the payment's state."""

    code = "payment_wrong_state"
    message = "This is not possible for a payment that is {state}."


class TooMuch(BusinessLogicError):
    """More was to be refunded than is left of the payment."""

    code = "refund_too_large"
    message = "Only {left} of this payment can still be refunded."


class MoreThanDue(BusinessLogicError):
    """More came than is due; with `keep_rest` it is kept for the customer."""

    code = "more_than_due"
    message = "This is more than what is due. Check the amount, or say that the rest is kept for the customer."


class ReferenceUsed(ConflictError):
    """Other money was recorded with this reference."""

    code = "reference_used"
    message = "Other money was recorded with this reference already."


class NotByHand(ConflictError):
    """A payment through a provider is taken back by its bank alone."""

    code = "payment_not_by_hand"
    message = "Only money recorded by hand can be taken back here. Refund this payment instead."


class NoSavedMethod(BusinessLogicError):
    """There is no card to charge."""

    code = "no_saved_method"
    message = "There is no saved card. Add one first."


class MethodGone(NotFoundError):
    """The card is not there, or was removed."""

    code = "method_not_found"
    message = "There is no such saved card."


class NoProvider(ServiceUnavailable):
    """Nobody is set up to take money."""

    code = "payments_not_configured"
    message = "Payments are not set up here. Ask the operator, or pay by bank transfer."


class ProviderUnavailable(ExternalServiceError):
    """The provider did not answer, or not properly. Nothing is lost: the same request may be sent again."""

    code = "provider_unavailable"
    message = "The payment provider did not answer. Nothing was lost; try again in a moment."


class ProviderRefused(ExternalServiceError):
    """The provider refuses what we ask: a defect of ours or of the set-up."""

    code = "provider_refused"
    message = "The payment provider refused the request. The operator has been told."
