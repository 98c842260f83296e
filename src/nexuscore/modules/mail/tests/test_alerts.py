"""Alerts by mail, through a real SMTP server, past the queue and without the database."""

import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from nexuscore.kernel.testing import House
from nexuscore.modules.mail.tests.servers import Mailbox, smtp_server

pytestmark = pytest.mark.anyio


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        yield found


@pytest.fixture
async def mailbox(listener: socket.socket, anyio_backend: str) -> AsyncIterator[Mailbox]:
    found = Mailbox()
    async with smtp_server(found, listener):
        yield found


@pytest.fixture
def settings(listener: socket.socket) -> dict[str, str]:
    return {
        "NEXUS_MAIL_SMTP_HOST": "127.0.0.1",
        "NEXUS_MAIL_SMTP_PORT": str(listener.getsockname()[1]),
        "NEXUS_MAIL_SMTP_SECURITY": "none",
        "NEXUS_MAIL_ALERTS_TO": "ops@example.com, chief@example.com",
        "NEXUS_DEFAULT_LOCALE": "pl",
    }


async def test_a_warning_comes_by_mail_though_the_database_is_gone(house: House, mailbox: Mailbox) -> None:
    await house.app.database.stop()
    house.app.watch.alerts.alert("job_parked", "mail.deliver", job="mail.deliver<b>", job_id=7)
    await house.app.watch.alerts.tell()
    assert [mail["To"] for mail in mailbox.mails] == ["ops@example.com", "chief@example.com"]
    mail = mailbox.mails[0]
    assert mail["Subject"].startswith("[warning] NexusCore: Ostatnia próba zadania mail.deliver<b>")
    text, html = (part.get_content() for part in mail.iter_parts())
    assert "job_id: 7" in text
    assert "Zdarzyło się 1 razy" in text
    assert "mail.deliver&lt;b&gt;" in html


async def test_what_is_only_information_is_not_mailed(house: House, mailbox: Mailbox) -> None:
    house.app.watch.alerts.alert("cache_misses", "", percent=3)
    await house.app.watch.alerts.tell()
    assert mailbox.mails == []


async def test_a_server_that_refuses_is_asked_again(house: House, mailbox: Mailbox) -> None:
    mailbox.rcpt = "451 later"
    house.app.watch.alerts.alert("job_parked", "mail.deliver", job="mail.deliver", job_id=7)
    await house.app.watch.alerts.tell()
    mailbox.rcpt = ""
    await house.app.watch.alerts.tell()
    assert len(mailbox.mails) == 2
