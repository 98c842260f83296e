"""Facts about mail. Addresses appear as pseudonyms only: `mail.pseudonym(app, address)` finds a person's."""

from uuid import UUID

from nexuscore.kernel.events import Event


class MailSent(Event, type="mail.sent", subject="mail_id", public=False):
    """A sender took a mail."""

    mail_id: UUID
    message: str
    recipient: str
    sender: str


class MailBounced(Event, type="mail.bounced", subject="mail_id", public=False):
    """A mail came back, or its reader complained. `kind` is "hard", "soft" or "complaint"."""

    mail_id: UUID | None
    message: str | None
    recipient: str
    kind: str


class MailFailed(Event, type="mail.failed", subject="mail_id", public=False):
    """A mail will not be sent: "refused" by every sender, "gave_up" after the last try, "not_rendered"."""

    mail_id: UUID
    message: str
    recipient: str
    reason: str


class MailSuppressed(Event, type="mail.suppressed", subject="mail_id", public=False):
    """A mail was not sent because earlier mail to the address bounced or was complained about."""

    mail_id: UUID
    message: str
    recipient: str
    reason: str
