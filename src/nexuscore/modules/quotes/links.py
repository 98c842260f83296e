"""The link to a quote's PDF in its mail: it works without signing in, until the quote is over."""

from datetime import date, datetime, time, timedelta
from uuid import UUID

from nexuscore.kernel.app import App
from nexuscore.kernel.errors import NotFoundError
from nexuscore.modules import books
from nexuscore.modules.quotes.errors import QuoteLinkExpired
from nexuscore.modules.quotes.tables import Quote

PURPOSE = "quotes.paper"


def link(app: App, quote: Quote, valid_until: date) -> str:
    """A link to the PDF for whoever got the mail; it expires with the quote."""
    ends = datetime.combine(valid_until + timedelta(days=1), time(), books.zone(app))
    expires = int(ends.timestamp())
    signature = app.keyring.sign(PURPOSE, _signed(quote.id, quote.revision, expires))
    query = f"revision={quote.revision}&expires={expires}&signature={signature}"
    return f"{app.kernel.public_url}/api/v1/quotes/{quote.id}/file?{query}"


def check(app: App, quote_id: UUID, revision: int, expires: int, signature: str, now: datetime) -> None:
    """Stop here unless we made this link, and its quote can still be accepted by its days."""
    if not app.keyring.verify(PURPOSE, _signed(quote_id, revision, expires), signature):
        raise NotFoundError
    if now.timestamp() >= expires:
        raise QuoteLinkExpired


def _signed(quote_id: UUID, revision: int, expires: int) -> bytes:
    return f"{quote_id} {revision} {expires}".encode()
