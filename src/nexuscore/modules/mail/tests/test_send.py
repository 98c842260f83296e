"""Sending: what is queued, what is refused, and what is never stored in clear."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from nexuscore.kernel.errors import ValidationError
from nexuscore.kernel.testing import ALICE, CHARLIE, House, canary
from nexuscore.modules import mail
from nexuscore.modules.mail.events import MailFailed, MailSent
from nexuscore.modules.mail.testing import outbox
from nexuscore.modules.mail.tests.probe import Broken, Hello, Unlisted

pytestmark = pytest.mark.anyio
TO = "alice@example.com"


async def send(house: House, message: mail.Message, to: str = TO, **rest: Any) -> UUID:
    async with house.context() as ctx:
        return await mail.send(ctx, message, to=to, **{"locale": "en", **rest})


async def test_a_mail_is_written_sent_and_announced(house: House) -> None:
    async with house.expect_events(MailSent) as facts:
        mail_id = await send(house, Hello(name="Alice"), name="Alice Ng")
        [sent] = await outbox(house)
    assert (sent.id, sent.to, sent.subject, sent.state) == (mail_id, TO, "Hello Alice", "sent")
    assert sent.headers["To"] == "Alice Ng <alice@example.com>"
    assert sent.headers["From"] == "NexusCore <no-reply@example.com>"
    assert sent.headers["Auto-Submitted"] == "auto-generated"
    assert sent.headers["Content-Language"] == "en"
    assert sent.links == ["https://app.example.com/verify?token=t"]
    assert "Hello Alice\n\n123456\nhttps://app.example.com/verify?token=t" in sent.text
    assert facts[0].subject == str(mail_id)
    assert facts[0].org == ALICE.org


async def test_nothing_is_written_before_the_job_runs(house: House) -> None:
    async with house.expect_events(MailFailed):
        mail_id = await send(house, Broken(name="x"))
        async with house.context() as ctx:
            assert (await mail.get(ctx, mail_id)).state == "queued"
        await house.drain()
    async with house.context() as ctx:
        failed = await mail.get(ctx, mail_id)
    assert failed.state == "failed"
    assert failed.error is not None
    assert "'nmae' is undefined" in failed.error


async def test_a_transaction_that_fails_sends_nothing(house: House) -> None:
    async def fail() -> None:
        async with house.context() as ctx:
            await mail.send(ctx, Hello(name="Alice"), to=TO, locale="en")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await outbox(house) == []


async def test_the_same_key_sends_once(house: House) -> None:
    ids = [await send(house, Hello(name=name), idempotency="welcome/7") for name in ("Alice", "Alice again")]
    assert ids[0] == ids[1]
    [sent] = await outbox(house)
    assert sent.subject == "Hello Alice"
    assert await send(house, Hello(name="late"), idempotency="welcome/7") == ids[0]
    assert len(await outbox(house)) == 1


async def test_a_key_counts_per_address_and_organisation(house: House) -> None:
    await send(house, Hello(name="a"), idempotency="1")
    await send(house, Hello(name="b"), to="bob@example.com", idempotency="1")
    async with house.context(CHARLIE) as ctx:
        await mail.send(ctx, Hello(name="c"), to=TO, locale="en", idempotency="1")
    async with house.app.context() as ctx:
        for _ in range(2):
            await mail.send(ctx, Hello(name="d"), to=TO, locale="en", idempotency="1")
    assert [sent.subject[-1] for sent in await outbox(house)] == ["a", "b", "c", "d"]


async def test_fifty_at_once_with_one_key_are_one_mail(committed_house: House) -> None:
    ids = await asyncio.gather(
        *(send(committed_house, Hello(name=str(number)), idempotency="once") for number in range(50))
    )
    assert len(set(ids)) == 1
    assert len(await outbox(committed_house)) == 1


HOSTILE_ADDRESSES = [
    "",
    "alice",
    "alice@example.com\nBcc: eve@example.com",
    "alice@example.com\r\n\r\nhello",
    "alice@example.com, eve@example.com",
    "alice@example.com eve@example.com",
    "Alice <alice@example.com>",
    "<alice@example.com>",
    "alice@@example.com",
    "alice@[127.0.0.1]",
    "alice@localhost",
    "alice\x00@example.com",
    f"{'a' * 250}@example.com",
]


@pytest.mark.parametrize("address", HOSTILE_ADDRESSES)
async def test_what_is_not_one_mailbox_is_refused(house: House, address: str) -> None:
    with pytest.raises(ValidationError) as refused:
        await send(house, Hello(name="Alice"), to=address)
    assert refused.value.public_details("en") == [
        {"field": "to", "code": "email", "message": "This must be an e-mail address."}
    ]


ENCODED = "=?utf-8?q?=0d=0aBcc:_eve@example.com?="  # Python decodes it, and writes the line break out


@pytest.mark.parametrize(
    "bad", ["\r\nBcc: eve@example.com", "\n", "\r", "\x00", "\x1b[0m", "\u2028", "\u202e", "\x85", ENCODED]
)
@pytest.mark.parametrize("where", ["variable", "recipient", "key"])
async def test_what_could_end_a_header_is_refused(house: House, bad: str, where: str) -> None:
    hostile = f"Alice{bad}x"
    with pytest.raises(ValidationError) as refused:
        await send(
            house,
            Hello(name=hostile if where == "variable" else "Alice"),
            name=hostile if where == "recipient" else None,
            idempotency=hostile if where == "key" else None,
        )
    [fault] = refused.value.faults
    assert fault.field == {"variable": "name", "recipient": "name", "key": "idempotency"}[where]
    assert fault.code == "control_character"
    assert fault.public("pl")["message"] == "Podziały wierszy i znaki sterujące są tu niedozwolone."


async def test_paragraphs_may_have_lines_and_nothing_worse(house: House) -> None:
    await send(house, Hello(name="Alice", note="first\nsecond"))
    [sent] = await outbox(house)
    assert "first\nsecond" in sent.text
    with pytest.raises(ValidationError):
        await send(house, Hello(name="Alice", note="first\x00second"))


async def test_too_much_text_is_refused(house: House) -> None:
    with pytest.raises(ValidationError) as long:
        await send(house, Hello(name="x" * 2001))
    assert long.value.faults[0].code == "string_too_long"
    with pytest.raises(ValidationError) as large:
        await send(house, Hello(name="Alice", note="x" * 100_000))
    assert (large.value.faults[0].field, large.value.faults[0].code) == ("note", "too_large")
    with pytest.raises(ValidationError):
        await send(house, Hello(name="Alice"), name="x" * 201)


async def test_a_mail_that_grows_too_large_when_written_fails(house: House) -> None:
    mail_id = await send(house, Hello(name="Alice", note="&" * 40_000))
    assert await outbox(house) == []
    async with house.context() as ctx:
        assert "larger than 100000 bytes" in str((await mail.get(ctx, mail_id)).error)


def test_unknown_missing_and_mistyped_variables_are_refused() -> None:
    with pytest.raises(ValueError, match="nmae"):
        Hello(name="Alice", nmae="Alice")  # type: ignore[call-arg]  # what is tested
    with pytest.raises(ValueError, match="name"):
        Hello()  # type: ignore[call-arg]  # what is tested
    with pytest.raises(ValueError, match="name"):
        Hello(name=7)
    for link in ("javascript:alert(1)", "//evil.example", "https://a.example/\nx", 'https://a.example/"x', "data:,x"):
        with pytest.raises(ValueError, match="web address"):
            Hello(name="Alice", link=link)


async def test_a_message_made_around_its_checks_is_refused(house: House) -> None:
    nameless = Hello.model_construct(None, link="https://a.example")  # type: ignore[call-arg]  # what is tested
    with pytest.raises(mail.InvalidMessage, match=r"probe\.hello cannot be sent: name: Field required"):
        await send(house, nameless)
    with pytest.raises(mail.InvalidMessage, match="link: Value error, must be a web address") as refused:
        await send(house, Hello.model_construct(name="Alice", link="javascript:secret"))
    assert "secret" not in str(refused.value)


async def test_a_message_nobody_lists_is_refused(house: House) -> None:
    with pytest.raises(mail.MessageNotRegistered, match=r"unlisted\.hello is in no manifest"):
        await send(house, Unlisted())


async def test_nothing_secret_can_be_read_in_a_dump(house: House) -> None:
    token, code = canary("token"), canary("code")
    await send(house, Hello(name="Alice", link=f"https://app.example.com/?token={token}", code=code))
    before = await house.dump()
    [sent] = await outbox(house)
    after = await house.dump()
    assert token in sent.links[0]
    assert code in sent.text
    for dump in (before, after):
        assert "mails " in dump
        assert token not in dump
        assert code not in dump


async def test_variables_are_gone_once_the_mail_is_sent(house: House) -> None:
    mail_id = await send(house, Hello(name="Alice"))
    async with house.context() as ctx:
        assert (await mail.get(ctx, mail_id)).variables is not None
        assert "Alice" not in str((await mail.get(ctx, mail_id)).variables)
    await house.drain()
    async with house.context() as ctx:
        assert (await mail.get(ctx, mail_id)).variables is None


async def test_facts_name_nobody(house: House) -> None:
    await send(house, Hello(name="Alice"), to="Alice.Ng@Example.com")
    await house.drain()
    [fact] = await house.facts(MailSent)
    assert "example" not in str(fact.body).lower()
    assert fact.body["recipient"] == mail.pseudonym(house.app, "alice.ng@example.COM")
    assert fact.body["recipient"] != mail.pseudonym(house.app, "alice.n@example.com")


@pytest.mark.parametrize(("locale", "language"), [("he-IL", "he"), ("pl_PL", "pl"), ("fr", "en"), ("", "en")])
async def test_a_locale_becomes_one_of_our_languages(house: House, locale: str, language: str) -> None:
    await send(house, Hello(name="Alice"), locale=locale)
    [sent] = await outbox(house)
    assert sent.locale == language
    assert f'lang="{language}"' in sent.html
