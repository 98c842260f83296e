"""The mail with which a quote goes out."""

from pathlib import Path

from nexuscore.modules import mail


class QuoteOffered(
    mail.Message, name="quotes.quote", subject="Quote {number} of {total}", folder=Path(__file__).parent / "mails"
):
    """To whoever is quoted, with the PDF, and where it is accepted."""

    number: str
    total: str
    until: str
    organisation: str
    pdf: mail.Link
    accept: mail.Link


MESSAGES = mail.Messages(QuoteOffered)
