"""SMTP: any mail server, one connection per mail, encrypted unless told otherwise."""

import re
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from nexuscore.kernel import sight
from nexuscore.kernel.app import App
from nexuscore.modules.mail.senders.sender import NotNow, Outcome, Outgoing, Refused, Sender, Taken
from nexuscore.modules.mail.settings import MailSettings

if TYPE_CHECKING:
    from aiosmtplib import SMTP

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_NOT_THE_ADDRESS = frozenset({530, 534, 535, 538})  # we must sign in first: nothing is wrong with the recipient
_POLICY = re.compile(r"5\.7\.\d")  # relaying denied, blocked, not signed in: about us, not about the recipient


class SmtpSender(Sender):
    """Hands mail to the server of the settings."""

    name: ClassVar[str] = "smtp"

    def is_set_up(self, app: App) -> bool:
        """Whether there is a host."""
        return app.settings[MailSettings].smtp_host is not None

    async def send(self, app: App, mail: Outgoing) -> Outcome:
        """Step by step, since only what fails after the text was handed over is uncertain."""
        from aiosmtplib import SMTPException, SMTPRecipientRefused, SMTPResponseException

        client = _client(app.settings[MailSettings], mail)
        try:
            with sight.outside("mail"):
                await client.connect()
                await client.mail(mail.from_address)
                await client.rcpt(mail.to_address)
                return await _hand_over(client, mail)
        except SMTPRecipientRefused as error:
            return _recipient_refused(error.code, error.message)
        except SMTPResponseException as error:
            return NotNow(f"{error.code} {error.message}")
        except (SMTPException, OSError, ValueError) as error:
            return NotNow(_reason(error))
        finally:
            client.close()


async def _hand_over(client: "SMTP", mail: Outgoing) -> Outcome:
    from aiosmtplib import SMTPDataError, SMTPException

    try:
        await client.data(mail.mime().as_bytes())
    except SMTPDataError as error:
        reason = f"{error.code} {error.message}"
        return Refused(reason) if error.code >= 500 else NotNow(reason)
    except (SMTPException, OSError) as error:
        return NotNow(_reason(error), uncertain=True)
    with suppress(SMTPException, OSError):  # it has the mail; how it says good-bye is its own affair
        await client.quit()
    return Taken(mail.message_id)


def _client(settings: MailSettings, mail: Outgoing) -> "SMTP":
    from aiosmtplib import SMTP

    security = settings.smtp_security
    password = settings.smtp_password
    return SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port or _PORTS[security],
        username=settings.smtp_user,
        password=password.get_secret_value() if password is not None and settings.smtp_user else None,
        local_hostname=mail.from_address.rpartition("@")[2],
        timeout=settings.timeout_s,
        use_tls=security == "tls",
        start_tls=security == "starttls",
        tls_context=None if security == "none" else _tls(settings),
    )


def _tls(settings: MailSettings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=None if settings.smtp_ca is None else str(settings.smtp_ca))


def _recipient_refused(code: int, message: str) -> Outcome:
    reason = f"{code} {message}"
    if code < 500:
        return NotNow(reason)
    return Refused(reason, bounced=code not in _NOT_THE_ADDRESS and not _POLICY.match(message))


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
