"""What can go wrong with quotes."""

from nexuscore.kernel.errors import BusinessLogicError, ConflictError, NotFoundError


class NoSuchPrice(BusinessLogicError):
    """An item is not in the price table, or there is no such table; `details` says which."""

    code = "no_such_price"
    message = "This is not in the price list."


class QuoteClosed(ConflictError):
    """It was accepted, withdrawn or has expired; `details.state` says which."""

    code = "quote_closed"
    message = "This quote is no longer open."


class QuoteNotAccepted(ConflictError):
    """Only what was accepted is invoiced, once."""

    code = "quote_not_accepted"
    message = "This quote has not been accepted, or it is invoiced already."


class QuoteExpiredError(ConflictError):
    """Its last day has passed."""

    code = "quote_expired"
    message = "This quote has expired. Please ask for a new one."


class QuoteChanged(ConflictError):
    """What is accepted is not what is offered now; `details` shows the newest version and its total."""

    code = "quote_changed"
    message = "This quote was changed in the meantime. Please read the newest version and accept that."


class QuoteLinkExpired(NotFoundError):
    """The link was right while the quote could be accepted."""

    code = "quote_link_expired"
    message = "This link has expired with its quote. Please ask for a new one."
