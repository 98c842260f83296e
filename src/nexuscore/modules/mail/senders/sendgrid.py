"""SendGrid: POST /v3/mail/send. It knows no idempotency key, so a lost answer may mean a second copy."""

from typing import Any, ClassVar

from nexuscore.kernel.app import App
from nexuscore.modules.mail.senders.sender import NotNow, Outcome, Outgoing, Refused, Sender, Taken
from nexuscore.modules.mail.senders.web import Answer, not_now, post, reason_of
from nexuscore.modules.mail.settings import MailSettings

_NEVER = frozenset({400, 413})  # something about this mail; the rest is about the account, or the moment


class SendGridSender(Sender):
    """Hands mail to SendGrid, with every kind of tracking switched off."""

    name: ClassVar[str] = "sendgrid"

    def is_set_up(self, app: App) -> bool:
        """Whether there is a key."""
        return app.settings[MailSettings].sendgrid_key is not None

    async def send(self, app: App, mail: Outgoing) -> Outcome:
        """One request; the mail's id comes back with every event about it, as `mail_id`."""
        settings = app.settings[MailSettings]
        if settings.sendgrid_key is None:
            return NotNow("NEXUS_MAIL_SENDGRID_KEY is not set")
        answer = await post(
            f"{settings.sendgrid_url}/v3/mail/send",
            key=settings.sendgrid_key.get_secret_value(),
            body=_body(mail),
            headers={},
            seconds=settings.timeout_s,
        )
        return answer if isinstance(answer, NotNow) else _outcome(answer)


def _body(mail: Outgoing) -> dict[str, Any]:
    body: dict[str, Any] = {
        "personalizations": [{"to": [_mailbox(mail.to_address, mail.to_name)]}],
        "from": _mailbox(mail.from_address, mail.from_name),
        "subject": mail.subject,
        "content": [{"type": "text/plain", "value": mail.text}, {"type": "text/html", "value": mail.html}],
        "headers": mail.headers,
        "custom_args": {"mail_id": str(mail.id)},
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
        },
    }
    if mail.reply_to is not None:
        body["reply_to"] = _mailbox(mail.reply_to, None)
    return body


def _mailbox(address: str, name: str | None) -> dict[str, str]:
    return {"email": address, "name": name} if name else {"email": address}


def _outcome(answer: Answer) -> Outcome:
    if answer.status in (200, 202):
        return Taken(answer.headers.get("x-message-id"))
    errors = answer.body.get("errors")
    texts = [str(each.get("message")) for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    reason = reason_of(answer, "; ".join(texts))
    return Refused(reason) if answer.status in _NEVER else not_now(answer, reason)
