"""Mail: typed messages in three languages, sent by a job through SMTP, Resend, SendGrid or the local outbox.

    await mail.send(ctx, VerifyEmail(link=link, hours=24), to=user.email, locale=user.locale)

`docs/mail.md` shows how a message is written.
"""

from nexuscore.modules.mail.errors import InvalidMessage, MessageNotRegistered
from nexuscore.modules.mail.messages import Link, Message, Messages, Paragraphs, normalise
from nexuscore.modules.mail.senders.sender import NotNow, Outcome, Outgoing, Refused, Sender, Taken
from nexuscore.modules.mail.service import get, retry, send
from nexuscore.modules.mail.suppressions import (
    allow,
    pseudonym,
    record_bounce,
    record_delivery,
    suppress,
    suppressed,
)

__all__ = [
    "InvalidMessage",
    "Link",
    "Message",
    "MessageNotRegistered",
    "Messages",
    "NotNow",
    "Outcome",
    "Outgoing",
    "Paragraphs",
    "Refused",
    "Sender",
    "Taken",
    "allow",
    "get",
    "normalise",
    "pseudonym",
    "record_bounce",
    "record_delivery",
    "retry",
    "send",
    "suppress",
    "suppressed",
]
