"""SMTP against a real server: encryption, signing in, and what each answer means for the mail."""

import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from nexuscore.kernel.testing import House
from nexuscore.modules import mail
from nexuscore.modules.mail.events import MailBounced, MailFailed, MailSent
from nexuscore.modules.mail.tests.probe import Hello
from nexuscore.modules.mail.tests.servers import PASSWORD, USER, Mailbox, certificate, smtp_server

pytestmark = pytest.mark.anyio


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """The socket a server will listen on, so that its port is known before the app is composed."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        yield found


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    return certificate(tmp_path)


@pytest.fixture
def chosen() -> dict[str, str]:
    """What a test sets beside host and port."""
    return {"SECURITY": "none"}


@pytest.fixture
def settings(listener: socket.socket, tls: tuple[ssl.SSLContext, Path], chosen: dict[str, str]) -> dict[str, str]:
    found = {"HOST": "localhost", "PORT": str(listener.getsockname()[1]), "CA": str(tls[1]), **chosen}
    return {f"NEXUS_MAIL_SMTP_{name}": value for name, value in found.items() if value}


@pytest.fixture
async def plain(mailbox: Mailbox, listener: socket.socket, anyio_backend: str) -> AsyncIterator[None]:
    """A server that asks for nothing."""
    async with smtp_server(mailbox, listener):
        yield


async def sent(house: House, **rest: Any) -> Any:
    async with house.context() as ctx:
        mail_id = await mail.send(ctx, Hello(name="Żółć <Ng>"), to="alice@example.com", locale="pl", **rest)
    await house.drain()
    async with house.context() as ctx:
        return await mail.get(ctx, mail_id)


async def test_a_mail_arrives_as_it_was_written(plain: None, house: House, mailbox: Mailbox) -> None:
    async with house.expect_events(MailSent):
        row = await sent(house, name='Alice "A" Ng, דוד')
    [mail] = mailbox.mails
    assert (row.state, row.sender, row.provider_id) == ("sent", "smtp", mail["Message-ID"])
    assert mail["Subject"] == "Hello Żółć <Ng>"
    assert mail["To"].addresses[0].display_name == 'Alice "A" Ng, דוד'
    assert mail["To"].addresses[0].addr_spec == "alice@example.com"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == "pl"
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    text, html = (part.get_content() for part in mail.iter_parts())
    assert text.startswith("Hello Żółć <Ng>")
    assert "Hello Żółć &lt;Ng&gt;" in html
    assert mail.as_bytes().isascii()


SIGNED_IN = {"USER": USER, "PASSWORD": PASSWORD}
Tls = tuple[ssl.SSLContext, Path]


@pytest.mark.parametrize("chosen", [SIGNED_IN], ids=["starttls is the default"])
async def test_starttls_and_an_account(house: House, mailbox: Mailbox, listener: socket.socket, tls: Tls) -> None:
    async with smtp_server(mailbox, listener, starttls=tls[0], sign_in=True):
        row = await sent(house)
    assert row.state == "sent"
    assert (mailbox.encrypted, mailbox.signed_in) == ([True], [True])


@pytest.mark.parametrize("chosen", [{"SECURITY": "tls"}], ids=["tls"])
async def test_tls_from_the_first_byte(house: House, mailbox: Mailbox, listener: socket.socket, tls: Tls) -> None:
    async with smtp_server(mailbox, listener, tls=tls[0]):
        assert (await sent(house)).state == "sent"
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize("chosen", [{}], ids=["starttls"])
async def test_without_encryption_nothing_is_said(house: House, mailbox: Mailbox, listener: socket.socket) -> None:
    """A server, or somebody in between, that does not offer STARTTLS."""
    async with smtp_server(mailbox, listener):
        row = await sent(house)
    assert row.state == "queued"
    assert "STARTTLS" in row.error
    assert mailbox.mails == []


@pytest.mark.parametrize("chosen", [{"CA": ""}], ids=["unknown authority"])
async def test_a_certificate_nobody_vouches_for(
    house: House, mailbox: Mailbox, listener: socket.socket, tls: Tls
) -> None:
    async with smtp_server(mailbox, listener, starttls=tls[0]):
        row = await sent(house)
    assert (row.state, row.asked) == ("queued", None)
    assert "CERTIFICATE_VERIFY_FAILED" in row.error
    assert mailbox.mails == []


@pytest.mark.parametrize("chosen", [{**SIGNED_IN, "PASSWORD": "wrong"}], ids=["wrong password"])
async def test_an_account_that_is_refused(house: House, mailbox: Mailbox, listener: socket.socket, tls: Tls) -> None:
    async with smtp_server(mailbox, listener, starttls=tls[0], sign_in=True):
        row = await sent(house)
    assert (row.state, row.asked) == ("queued", None)
    assert row.error.startswith("535")


async def test_a_server_that_is_down(house: House, listener: socket.socket) -> None:
    listener.close()
    row = await sent(house)
    assert (row.state, row.asked, row.attempts) == ("queued", None, 1)
    assert "Connect" in row.error


async def test_an_address_the_server_does_not_know(plain: None, house: House, mailbox: Mailbox) -> None:
    mailbox.rcpt = "550 5.1.1 no such user"
    async with house.expect_events(MailBounced) as facts:
        row = await sent(house)
    assert (row.state, row.error) == ("bounced", "550 5.1.1 no such user")
    assert facts[0].body["kind"] == "hard"
    async with house.context() as ctx:
        assert await mail.suppressed(ctx, "alice@example.com") == "hard_bounce"


@pytest.mark.parametrize("answer", ["550 5.7.1 relaying denied", "530 5.7.0 authentication required"])
async def test_a_refusal_that_is_about_us_blames_no_address(
    plain: None, house: House, mailbox: Mailbox, answer: str
) -> None:
    mailbox.rcpt = answer
    async with house.expect_events(MailFailed):
        assert (await sent(house)).state == "failed"
    async with house.context() as ctx:
        assert await mail.suppressed(ctx, "alice@example.com") is None


@pytest.mark.parametrize("step", ["rcpt", "data"])
async def test_not_now_is_tried_again(plain: None, house: House, mailbox: Mailbox, step: str) -> None:
    setattr(mailbox, step, "451 4.7.1 greylisted")
    row = await sent(house)
    assert (row.state, row.asked, row.error) == ("queued", None, "451 4.7.1 greylisted")


async def test_a_text_the_server_refuses(plain: None, house: House, mailbox: Mailbox) -> None:
    mailbox.data = "554 5.6.0 looks like spam"
    async with house.expect_events(MailFailed) as facts:
        assert (await sent(house)).state == "failed"
    assert facts[0].body["reason"] == "refused"


async def test_an_answer_lost_after_the_text_leaves_it_open(plain: None, house: House, mailbox: Mailbox) -> None:
    mailbox.data = "drop"
    row = await sent(house)
    assert (row.state, row.asked) == ("queued", "smtp")
    mailbox.data = ""
    async with house.app.database.transaction() as db:
        await db.raw("UPDATE pgqueuer SET execute_after = now() - interval '1 s'")
    await house.drain()
    assert len({mail["Message-ID"] for mail in mailbox.mails}) == 1
    assert len(mailbox.mails) == 2
