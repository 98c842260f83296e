"""Resend: POST /emails with an idempotency key, so that asking again never sends again."""

from email.headerregistry import Address
from typing import Any, ClassVar

from nexuscore.kernel.app import App
from nexuscore.modules.mail.senders.sender import NotNow, Outcome, Outgoing, Refused, Sender, Taken
from nexuscore.modules.mail.senders.web import Answer, not_now, post, reason_of
from nexuscore.modules.mail.settings import MailSettings

_NEVER = frozenset({400, 413, 422})  # something about this mail; the rest is about the account, or the moment


class ResendSender(Sender):
    """Hands mail to Resend. Open and click tracking are settings of the domain there: leave them off."""

    name: ClassVar[str] = "resend"

    def is_set_up(self, app: App) -> bool:
        """Whether there is a key."""
        return app.settings[MailSettings].resend_key is not None

    async def send(self, app: App, mail: Outgoing) -> Outcome:
        """One request; the mail's id is the idempotency key."""
        settings = app.settings[MailSettings]
        if settings.resend_key is None:
            return NotNow("NEXUS_MAIL_RESEND_KEY is not set")
        answer = await post(
            f"{settings.resend_url}/emails",
            key=settings.resend_key.get_secret_value(),
            body=_body(mail),
            headers={"Idempotency-Key": str(mail.id)},
            seconds=settings.timeout_s,
        )
        return answer if isinstance(answer, NotNow) else _outcome(answer)


def _body(mail: Outgoing) -> dict[str, Any]:
    body: dict[str, Any] = {
        "from": str(Address(mail.from_name, addr_spec=mail.from_address)),
        "to": [str(Address(mail.to_name or "", addr_spec=mail.to_address))],
        "subject": mail.subject,
        "html": mail.html,
        "text": mail.text,
        "headers": mail.headers,
        "tags": [{"name": "mail_id", "value": str(mail.id)}],
    }
    if mail.reply_to is not None:
        body["reply_to"] = [mail.reply_to]
    return body


def _outcome(answer: Answer) -> Outcome:
    if answer.status in (200, 201, 202):
        id = answer.body.get("id")
        return Taken(str(id) if id else None)
    code = answer.body.get("name")
    reason = reason_of(answer, f"{code}: {answer.body.get('message')}" if code else "")
    if code == "invalid_idempotent_request":
        return Taken()  # it took this mail before, as it was written then
    if answer.status == 409:
        return NotNow(reason, uncertain=True)  # the same request is still being worked on
    if answer.status in _NEVER:
        return Refused(reason)
    return not_now(answer, reason)
