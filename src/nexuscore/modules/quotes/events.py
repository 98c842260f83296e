"""What quotes announce. Amounts are minor units of `currency`."""

from datetime import date
from uuid import UUID

from nexuscore.kernel.events import Event


class PriceTablePublished(Event, type="price.table_published", subject="table_id", public=False):
    """New prices hold for quotes written from now on; those that stand keep theirs."""

    table_id: UUID
    name: str
    revision: int


class QuoteDrafted(Event, type="quote.drafted", subject="quote_id"):
    """A quote was written; the customer has not seen it."""

    quote_id: UUID
    number: str
    currency: str
    total: int


class QuoteRevised(Event, type="quote.revised", subject="quote_id"):
    """A quote has a new version; earlier ones can no longer be accepted."""

    quote_id: UUID
    number: str
    revision: int
    currency: str
    total: int


class QuoteSent(Event, type="quote.sent", subject="quote_id"):
    """The customer can accept it, until a day."""

    quote_id: UUID
    number: str
    revision: int
    currency: str
    total: int
    valid_until: date


class QuoteAccepted(Event, type="quote.accepted", subject="quote_id"):
    """Somebody accepted a version for the customer."""

    quote_id: UUID
    number: str
    revision: int
    currency: str
    total: int
    accepted_by: UUID


class QuoteExpired(Event, type="quote.expired", subject="quote_id"):
    """Its day has passed and nobody accepted it."""

    quote_id: UUID
    number: str


class QuoteWithdrawn(Event, type="quote.withdrawn", subject="quote_id"):
    """It is no longer offered."""

    quote_id: UUID
    number: str
    reason: str


class QuoteInvoiced(Event, type="quote.invoiced", subject="quote_id"):
    """What was accepted has an invoice."""

    quote_id: UUID
    number: str
    invoice_id: UUID


ALL = (
    PriceTablePublished,
    QuoteDrafted,
    QuoteRevised,
    QuoteSent,
    QuoteAccepted,
    QuoteExpired,
    QuoteWithdrawn,
    QuoteInvoiced,
)
