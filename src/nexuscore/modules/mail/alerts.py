"""Alerts by mail: handed to the senders at once, past the queue, since the database may be what fails."""

from datetime import UTC, datetime
from html import escape
from typing import ClassVar

from nexuscore.kernel import clock, ids
from nexuscore.kernel.alerts import Alert, AlertSender, Severity
from nexuscore.kernel.app import App
from nexuscore.kernel.i18n import translate
from nexuscore.modules.mail.rendering import brand_of
from nexuscore.modules.mail.senders.chain import chain
from nexuscore.modules.mail.senders.sender import NotNow, Outgoing, Taken
from nexuscore.modules.mail.settings import MailSettings


class MailAlertSender(AlertSender):
    """Mails warnings and critical alerts to the addresses of the settings."""

    name = "mail"
    least: ClassVar[Severity] = "warning"

    def is_set_up(self, app: App) -> bool:
        """Whether somebody is named."""
        return bool(app.settings[MailSettings].alerts_to)

    async def send(self, app: App, alert: Alert) -> None:
        """One mail to each address, through the first sender that takes it."""
        for address in app.settings[MailSettings].alerts_to:
            await _send(app, _written(app, alert, address))


async def _send(app: App, mail: Outgoing) -> None:
    reasons = []
    for sender in chain(app):
        outcome = await sender.send(app, mail)
        if isinstance(outcome, Taken) or (isinstance(outcome, NotNow) and outcome.uncertain):
            return
        reasons.append(f"{sender.name}: {outcome.reason}")
    raise ConnectionError(f"no sender took the alert: {'; '.join(reasons)}")


def _written(app: App, alert: Alert, address: str) -> Outgoing:
    kernel, settings, locale = app.kernel, app.settings[MailSettings], app.kernel.default_locale
    product = brand_of(app).product
    told = alert.told(locale)
    lines = [
        told,
        translate(
            locale,
            "It happened {count} times, from {first} to {last}.",
            count=alert.count,
            first=_moment(alert.first),
            last=_moment(alert.last),
        ),
        translate(locale, "Where: {where}", where=f"{kernel.public_url} ({kernel.env})"),
        "\n".join(f"{name}: {value}" for name, value in alert.facts.items()),
        translate(
            locale,
            "The same matter is not told again for {minutes} minutes.",
            minutes=round(kernel.alert_again_s / 60),
        ),
    ]
    html = "".join(f"<p>{escape(line).replace(chr(10), '<br>')}</p>" for line in lines)
    return Outgoing(
        id=ids.uuid7(),
        from_address=settings.from_address,
        from_name=product,
        reply_to=None,
        to_address=address,
        to_name=None,
        subject=f"[{alert.rule.severity}] {product}: {told}"[:200].replace("\n", " "),
        text="\n\n".join(lines) + "\n",
        html=f'<!doctype html><html lang="{locale}"><body>{html}</body></html>',
        language=locale,
        created_at=clock.now(),
    )


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
