"""The one message of our own: the mail `nexus mail test` sends."""

from pathlib import Path

from nexuscore.modules.mail.messages import Link, Message


class Trial(Message, name="mail.trial", subject="Mail from {product} works", folder=Path(__file__).parent / "mails"):
    """A mail to see that mail works."""

    sender: str
    link: Link
