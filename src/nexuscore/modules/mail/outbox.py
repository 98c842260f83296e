"""What the local outbox holds, opened again for whoever develops: pages, commands and tests read it here."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.modules.mail.senders.outbox import PURPOSE
from nexuscore.modules.mail.tables import Mail, OutboxMail

_ROWS = select(
    Mail.id,
    Mail.message,
    Mail.locale,
    Mail.address,
    Mail.state,
    Mail.sender,
    Mail.attempts,
    Mail.error,
    Mail.created_at,
    OutboxMail.source,
).outerjoin(OutboxMail, OutboxMail.mail_id == Mail.id)
_NEWEST = _ROWS.order_by(Mail.id.desc()).limit(bindparam("most"))
_ONE = _ROWS.where(Mail.id == bindparam("mail_id"))


@dataclass(frozen=True, slots=True)
class Sent:
    """A mail and how it fared. What it says is there when the local outbox took it, else empty."""

    id: UUID
    message: str
    locale: str
    to: str
    state: str
    sender: str | None
    attempts: int
    error: str | None
    at: datetime
    subject: str = ""
    text: str = ""
    html: str = ""
    links: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    source: str = ""


async def newest(ctx: Ctx, most: int = 100) -> list[Sent]:
    """The newest mails, newest first."""
    return [_opened(ctx.app, row) for row in await ctx.db.all(_NEWEST, most=most)]


async def one(ctx: Ctx, mail_id: UUID) -> Sent:
    """One mail; `NotFoundError` when there is none."""
    return _opened(ctx.app, await ctx.db.one(_ONE, mail_id=mail_id))


def _opened(app: App, row: Any) -> Sent:
    fate = Sent(
        id=row.id,
        message=row.message,
        locale=row.locale,
        to=row.address,
        state=row.state,
        sender=row.sender,
        attempts=row.attempts,
        error=row.error,
        at=row.created_at,
    )
    if row.source is None:
        return fate
    source = app.keyring.open_sealed(PURPOSE, row.source, context=str(row.id))
    message = message_from_bytes(source, policy=default)
    html = _body(message, "html")
    return replace(
        fate,
        subject=str(message["Subject"]),
        text=_body(message, "plain"),
        html=html,
        links=_links(html),
        headers={name: str(value) for name, value in message.items()},
        source=source.decode(),
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return "" if part is None else str(part.get_content()).replace("\r\n", "\n")


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, None] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if tag == "a" and name == "href" and value:
                self.found[value] = None


def _links(html: str) -> list[str]:
    parser = _Links()
    parser.feed(html)
    return list(parser.found)
