"""Settings: which senders there are, and what a start refuses."""

import pytest

from nexuscore.kernel.app import App, compose
from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.settings import KernelSettings, load
from nexuscore.modules.mail.greeting import MailGreeting
from nexuscore.modules.mail.module import module
from nexuscore.modules.mail.senders.chain import chain
from nexuscore.modules.mail.settings import MailSettings
from nexuscore.modules.mail.tests.probe import Script, probe
from nexuscore.modules.mail.tests.test_pages import PRODUCTION

SMTP = {"NEXUS_MAIL_SMTP_HOST": "smtp.acme.test"}
RESEND = {"NEXUS_MAIL_RESEND_KEY": "re_123"}
SENDGRID = {"NEXUS_MAIL_SENDGRID_KEY": "SG.123"}


def composed_with(settings: dict[str, str]) -> App:
    return compose([module, probe], settings=load([KernelSettings, MailSettings], environ=settings, env_file=None))


def names(**settings: str) -> list[str]:
    return [sender.name for sender in chain(composed_with(settings))]


def test_without_settings_mail_stays_here() -> None:
    assert names() == ["outbox"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (SMTP, ["smtp"]),
        (RESEND, ["resend"]),
        ({**SENDGRID, **RESEND}, ["resend", "sendgrid"]),
        ({**SMTP, **SENDGRID}, ["sendgrid", "smtp"]),
        ({**SMTP, **RESEND, "NEXUS_MAIL_SENDERS": "smtp"}, ["smtp"]),
        ({**SMTP, **RESEND, "NEXUS_MAIL_SENDERS": "smtp, resend"}, ["smtp", "resend"]),
        ({**SMTP, "NEXUS_MAIL_SENDERS": "outbox"}, ["outbox"]),
    ],
)
def test_what_is_set_up_is_used(settings: dict[str, str], expected: list[str]) -> None:
    assert names(**settings) == expected


def test_a_sender_of_another_module_is_used_like_ours(script: Script) -> None:
    assert names() == ["script"]
    assert names(NEXUS_MAIL_SENDERS="second,outbox") == ["second", "outbox"]


def test_a_sender_nobody_brings_is_named() -> None:
    with pytest.raises(ConfigurationError, match="NEXUS_MAIL_SENDERS names pigeon, but the app knows only"):
        names(NEXUS_MAIL_SENDERS="pigeon")


@pytest.mark.anyio
async def test_who_starts_the_server_is_told_where_mail_is() -> None:
    assert await MailGreeting().lines(composed_with({})) == ["Mail is kept, not sent: http://127.0.0.1:8000/dev/mail"]
    assert await MailGreeting().lines(composed_with(SMTP)) == []


def test_production_starts_with_a_sender_and_an_address() -> None:
    assert names(**PRODUCTION) == ["smtp"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"NEXUS_MAIL_SMTP_HOST": ""}, "NEXUS_MAIL_SENDERS: no sender is set up"),
        ({"NEXUS_MAIL_SENDERS": "outbox"}, "NEXUS_MAIL_SENDERS: the outbox sends nothing"),
        ({"NEXUS_MAIL_FROM_ADDRESS": ""}, "NEXUS_MAIL_FROM_ADDRESS: must be an address of yours"),
        ({**RESEND, "NEXUS_MAIL_RESEND_URL": "http://api.resend.com"}, "NEXUS_MAIL_RESEND_URL: must start with https"),
        (
            {"NEXUS_MAIL_SMTP_SECURITY": "none", "NEXUS_MAIL_SMTP_USER": "a", "NEXUS_MAIL_SMTP_PASSWORD": "b"},
            "NEXUS_MAIL_SMTP_SECURITY: none would send the password in clear",
        ),
    ],
)
def test_production_refuses_what_would_lose_or_leak_mail(settings: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        composed_with({**PRODUCTION, **settings})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FROM_ADDRESS", "Acme <hello@acme.com>"),
        ("FROM_ADDRESS", "hello@acme.com\nBcc: eve@example.com"),
        ("FROM_NAME", "Acme\r\nBcc: eve@example.com"),
        ("PRODUCT", "Acme\nInc"),
        ("BRAND_COLOUR", 'red" onload="x'),
        ("LOGO_URL", "http://acme.com/logo.png"),
        ("LOGO_URL", 'https://acme.com/"onerror="x'),
        ("RESEND_URL", "https://key@api.resend.com"),
        ("TEMPLATES", "/nowhere/at/all"),
        ("SENDERS", "resend"),
        ("SMTP_USER", "nexus"),
        ("TRIES", "0"),
    ],
)
def test_values_that_cannot_be_right_are_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError):
        composed_with({f"NEXUS_MAIL_{name}": value})
