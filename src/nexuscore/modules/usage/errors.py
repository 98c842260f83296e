"""What can go wrong with usage, beyond what goes wrong everywhere."""

from nexuscore.kernel.errors import BudgetExceeded, ConflictError, PaymentError


class CapReached(BudgetExceeded):
    """A cap would be overrun; `details` says whose, which, what is spent and reserved, and when it begins anew."""

    code = "cap_reached"
    message = "This would go over the limit for this {period}. Wait for the next one, or ask an admin to raise it."


class CreditsExhausted(PaymentError):
    """The organisation pays in advance, and too little is left."""

    code = "credits_exhausted"
    message = "There are not enough credits left. Buy credits to go on."


class AlreadySettled(ConflictError):
    """The reservation was settled, with other figures."""

    code = "already_settled"
    message = "This was settled already, with other figures."


class ReservationOver(ConflictError):
    """The reservation was released."""

    code = "reservation_over"
    message = "This reservation was released. Reserve again."


class CreditedDifferently(ConflictError):
    """The source was credited already, with another amount."""

    code = "credited_differently"
    message = "Credits for this were added already, with another amount."
