"""Settings of the mail module: who sends, through what, and how a mail looks."""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, SecretStr

from nexuscore.kernel.settings import CommaList, Environment, Settings

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def _one_line(text: str) -> str:
    if any(unicodedata.category(char) in {"Cc", "Zl", "Zp"} for char in text):
        raise ValueError("must be one line")
    return text.strip()


def _mailbox(address: str) -> str:
    try:
        return str(validate_email(address, check_deliverability=False, allow_smtputf8=False).ascii_email)
    except EmailNotValidError:
        raise ValueError("must be an e-mail address such as hello@acme.com") from None


def _web_address(url: str) -> str:
    if not re.fullmatch(r"https?://[^?#\s@\"'<>]+", url):
        raise ValueError("must look like https://api.example.com")
    return url.rstrip("/")


def _picture(url: str) -> str:
    if not re.fullmatch(r"https://[^\s@\"'<>]+", url):
        raise ValueError("must look like https://www.example.com/logo.png")
    return url


Line = Annotated[str, AfterValidator(_one_line)]
Mailbox = Annotated[str, AfterValidator(_mailbox)]
WebAddress = Annotated[str, AfterValidator(_web_address)]


class MailSettings(Settings, prefix="mail"):
    """Where mail goes, whom it is from, and how it looks."""

    senders: CommaList[str] = Field(
        default_factory=list,
        description="Senders to try, in this order: resend, sendgrid, smtp, outbox, or one a module brings. Default: "
        "all that are set up; outside production the outbox when none is.",
    )
    from_address: Mailbox = Field("no-reply@example.com", description="The address mail is sent from.")
    from_name: Line | None = Field(None, description="The name beside it. Default: the product.")
    reply_to: Mailbox | None = Field(None, description="Where answers go, if not to the sender's address.")
    product: Line | None = Field(None, description="The product's name in mails. Default: NEXUS_TITLE.")
    brand_colour: str = Field("#2f5d50", pattern=r"^#[0-9a-fA-F]{6}$", description="Buttons and the line at the top.")
    logo_url: Annotated[str, AfterValidator(_picture)] | None = Field(
        None,
        description="A picture for the top of every mail, at most 200 pixels wide. Without it, the product's name.",
    )
    footer: Line = Field("", description="The line at the bottom of every mail: company, address, where to get help.")
    templates: Path | None = Field(
        None, description="A folder whose layout.mjml, layout.txt or identity.verify.mjml replace the built-in ones."
    )
    max_bytes: int = Field(100_000, ge=1_000, description="The largest mail; Gmail cuts what is above 102 kB.")
    tries: int = Field(10, ge=1, description="How often a mail is offered to a sender before it counts as failed.")
    keep_days: int = Field(30, ge=1, description="How long the record of a mail is kept.")
    timeout_s: float = Field(20, gt=0, description="How long a sender may take to answer.")
    alerts_to: CommaList[Mailbox] = Field(
        default_factory=list, description="Who gets the installation's alerts, warnings and critical ones, by mail."
    )
    smtp_host: str | None = Field(None, description="The mail server that takes our mail.")
    smtp_port: int | None = Field(
        None, ge=1, le=65_535, description="Its port. Default: 587 for starttls, 465 for tls, 25 for none."
    )
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the connection is encrypted; starttls never falls back to plain text."
    )
    smtp_user: str | None = Field(None, description="The account at the mail server, if it asks for one.")
    smtp_password: SecretStr | None = Field(None, description="Its password.")
    smtp_ca: Path | None = Field(None, description="A file with the authority that signed the server's certificate.")
    resend_key: SecretStr | None = Field(None, description="An API key of Resend.")
    resend_url: WebAddress = Field("https://api.resend.com", description="Where Resend's API is.")
    sendgrid_key: SecretStr | None = Field(None, description="An API key of SendGrid.")
    sendgrid_url: WebAddress = Field(
        "https://api.sendgrid.com", description="Where SendGrid's API is; https://api.eu.sendgrid.com for the EU."
    )

    def refusals(self, env: Environment) -> Iterator[tuple[str, str]]:
        """Senders that are named and not set up, and in production whatever would lose or leak mail."""
        needed = {"smtp": "smtp_host", "resend": "resend_key", "sendgrid": "sendgrid_key"}
        for name in self.senders:
            if name in needed and getattr(self, needed[name]) is None:
                yield "senders", f"names {name}, but {self.variables(needed[name])[0]} is not set"
        if self.smtp_user is not None and self.smtp_password is None:
            yield "smtp_password", "must be set beside NEXUS_MAIL_SMTP_USER"
        if self.templates is not None and not self.templates.is_dir():
            yield "templates", "is not a folder"
        if env == "production":
            yield from self._unsafe()

    def _unsafe(self) -> Iterator[tuple[str, str]]:
        if "outbox" in self.senders:
            yield "senders", "the outbox sends nothing, so it is not for production"
        if not (self.senders or self.smtp_host or self.resend_key or self.sendgrid_key):
            yield "senders", "no sender is set up: set NEXUS_MAIL_SMTP_HOST, _RESEND_KEY or _SENDGRID_KEY"
        if self.from_address.endswith("@example.com"):
            yield "from_address", "must be an address of yours in production"
        if self.smtp_security == "none" and self.smtp_user is not None and self.smtp_host not in LOCAL:
            yield "smtp_security", "none would send the password in clear; use starttls or tls"
        for field in ("resend_url", "sendgrid_url"):
            if not getattr(self, field).startswith("https://"):
                yield field, "must start with https:// in production"
