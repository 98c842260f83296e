"""Resend and SendGrid, against local servers that speak their published APIs; and the step from one to the other."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from nexuscore.kernel.testing import House
from nexuscore.modules import mail
from nexuscore.modules.mail.events import MailSent
from nexuscore.modules.mail.tests.probe import Hello
from nexuscore.modules.mail.tests.servers import Resend, SendGrid, serving

pytestmark = pytest.mark.anyio

RESEND = {"NEXUS_MAIL_RESEND_KEY": "re_123"}
SENDGRID = {"NEXUS_MAIL_SENDGRID_KEY": "SG.123"}
QUICK = {"NEXUS_MAIL_TIMEOUT_S": "0.5"}
LIMITED = {"statusCode": 429, "name": "rate_limit_exceeded", "message": "Too many requests."}
DOWN = {"statusCode": 500, "name": "application_error", "message": "An unexpected error occurred."}
WRONG = {"statusCode": 422, "name": "invalid_from_address", "message": "Invalid `from` field."}


@pytest.fixture
async def resend(anyio_backend: str) -> AsyncIterator[Resend]:
    vendor = Resend()
    async with serving(vendor):
        yield vendor


@pytest.fixture
async def sendgrid(anyio_backend: str) -> AsyncIterator[SendGrid]:
    vendor = SendGrid()
    async with serving(vendor):
        yield vendor


@pytest.fixture
def keys() -> dict[str, str]:
    return {**RESEND, **SENDGRID}


@pytest.fixture
def settings(resend: Resend, sendgrid: SendGrid, keys: dict[str, str]) -> dict[str, str]:
    return {"NEXUS_MAIL_RESEND_URL": resend.url, "NEXUS_MAIL_SENDGRID_URL": f"{sendgrid.url}/", **QUICK, **keys}


async def queued(house: House, **rest: Any) -> UUID:
    async with house.context() as ctx:
        return await mail.send(ctx, Hello(name="דוד & Co"), to="alice@example.com", locale="he", **rest)


async def run(house: House, mail_id: UUID) -> Any:
    """Try once, now."""
    async with house.app.database.transaction() as db:
        await db.raw("UPDATE pgqueuer SET execute_after = now() - interval '1 s'")
    await house.drain()
    async with house.context() as ctx:
        return await mail.get(ctx, mail_id)


@pytest.mark.parametrize("keys", [{**RESEND, "NEXUS_MAIL_REPLY_TO": "help@example.com"}], ids=["resend"])
async def test_resend_gets_what_its_api_wants(house: House, resend: Resend) -> None:
    mail_id = await queued(house, name='Ng, "A"')
    row = await run(house, mail_id)
    assert (row.state, row.sender) == ("sent", "resend")
    assert row.provider_id == "49a3999c-0ce1-4ea6-ab68-afcd6dc2e790"
    [asked] = resend.asked
    assert (asked.path, asked.headers["idempotency-key"]) == ("/emails", str(mail_id))
    assert asked.headers["authorization"] == "Bearer re_123"
    body = asked.body
    assert body["from"] == "NexusCore <no-reply@example.com>"
    assert body["to"] == ['"Ng, \\"A\\"" <alice@example.com>']
    assert body["reply_to"] == ["help@example.com"]
    assert body["subject"] == "Hello דוד & Co"
    assert 'dir="rtl"' in body["html"]
    assert "דוד &amp; Co" in body["html"]
    assert body["text"].startswith("Hello דוד & Co")
    assert body["headers"]["Message-ID"] == f"<{mail_id}@example.com>"
    assert body["tags"] == [{"name": "mail_id", "value": str(mail_id)}]


@pytest.mark.parametrize("keys", [{**SENDGRID, "NEXUS_MAIL_REPLY_TO": "help@example.com"}], ids=["sendgrid"])
async def test_sendgrid_gets_what_its_api_wants(house: House, sendgrid: SendGrid) -> None:
    mail_id = await queued(house, name="Alice Ng")
    row = await run(house, mail_id)
    assert (row.state, row.sender, row.provider_id) == ("sent", "sendgrid", "14c5d75ce93.dfd.64b461")
    [asked] = sendgrid.asked
    assert (asked.path, asked.headers["authorization"]) == ("/v3/mail/send", "Bearer SG.123")
    body = asked.body
    assert body["personalizations"] == [{"to": [{"email": "alice@example.com", "name": "Alice Ng"}]}]
    assert body["from"] == {"email": "no-reply@example.com", "name": "NexusCore"}
    assert body["reply_to"] == {"email": "help@example.com"}
    assert body["custom_args"] == {"mail_id": str(mail_id)}
    assert body["headers"]["Message-ID"] == f"<{mail_id}@example.com>"
    tracking = body["tracking_settings"]
    assert set(tracking) == {"click_tracking", "open_tracking", "subscription_tracking"}
    assert not any(each["enable"] for each in tracking.values())


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, LIMITED),
        (422, WRONG),
        (401, {"statusCode": 401, "name": "missing_api_key", "message": "Missing API key"}),
        (403, {"statusCode": 403, "name": "validation_error", "message": "The domain is not verified."}),
        (451, {"statusCode": 451, "name": "security_error", "message": "We may have found a security issue."}),
    ],
)
async def test_sendgrid_takes_what_resend_surely_has_not(
    house: House, resend: Resend, sendgrid: SendGrid, status: int, body: dict[str, Any]
) -> None:
    resend.answers = [(status, {}, body)]
    async with house.expect_events(MailSent):
        row = await run(house, await queued(house))
    assert (row.state, row.sender) == ("sent", "sendgrid")
    assert len(sendgrid.sent) == 1


@pytest.mark.parametrize(
    "keys", [{**RESEND, **SENDGRID, "NEXUS_MAIL_RESEND_URL": "http://127.0.0.1:9"}], ids=["no way"]
)
async def test_sendgrid_takes_it_when_resend_cannot_be_reached(house: House, sendgrid: SendGrid) -> None:
    row = await run(house, await queued(house))
    assert (row.sender, len(sendgrid.sent)) == ("sendgrid", 1)


@pytest.mark.parametrize("fault", ["lost", (500, {}, DOWN), (502, {}, b"<html>Bad gateway</html>")])
async def test_an_open_answer_of_resend_never_means_two_mails(
    house: House, resend: Resend, sendgrid: SendGrid, fault: Any
) -> None:
    """Resend may have it: it alone is asked again, with the same key, and says which mail that was."""
    resend.answers = [fault]
    mail_id = await queued(house)
    row = await run(house, mail_id)
    assert (row.state, row.asked) == ("queued", "resend")
    resend.answers = [(429, {}, LIMITED)]
    assert (await run(house, mail_id)).asked == "resend"
    row = await run(house, mail_id)
    assert (row.state, row.sender) == ("sent", "resend")
    assert row.provider_id == "49a3999c-0ce1-4ea6-ab68-afcd6dc2e790"
    assert (len(resend.sent), len(sendgrid.asked)) == (1, 0)
    assert len({asked.headers["idempotency-key"] for asked in resend.asked}) == 1
    assert resend.asked[0].body == resend.asked[-1].body


async def test_a_key_resend_knows_with_another_text_was_taken(house: House, resend: Resend) -> None:
    """The template changed between two tries; the first one arrived."""
    resend.answers = [
        (409, {}, {"statusCode": 409, "name": "invalid_idempotent_request", "message": "Different payload."})
    ]
    row = await run(house, await queued(house))
    assert (row.state, row.sender, row.provider_id) == ("sent", "resend", None)


async def test_a_request_resend_still_works_on_is_open(house: House, resend: Resend, sendgrid: SendGrid) -> None:
    resend.answers = [(409, {}, {"statusCode": 409, "name": "concurrent_idempotent_requests", "message": "Wait."})]
    row = await run(house, await queued(house))
    assert (row.state, row.asked, sendgrid.asked) == ("queued", "resend", [])


@pytest.mark.parametrize("keys", [RESEND], ids=["resend"])
async def test_resend_says_how_long_to_wait(house: House, resend: Resend) -> None:
    resend.answers = [(429, {"retry-after": "600"}, LIMITED)]
    row = await run(house, await queued(house))
    assert row.error == "429 rate_limit_exceeded: Too many requests."
    async with house.app.database.transaction() as db:
        [job] = await db.raw("SELECT execute_after > now() + interval '9 minutes' AS late FROM pgqueuer")
    assert job.late


@pytest.mark.parametrize("keys", [SENDGRID], ids=["sendgrid"])
@pytest.mark.parametrize(
    ("status", "text", "ends"),
    [
        (400, "The from address does not match a verified Sender Identity.", "failed"),
        (413, "The JSON payload you have included in your request is too large.", "failed"),
        (401, "The provided authorization grant is invalid", "queued"),
        (429, "too many requests", "queued"),
        (500, "", "queued"),
    ],
)
async def test_what_sendgrid_answers_decides(
    house: House, sendgrid: SendGrid, status: int, text: str, ends: str
) -> None:
    sendgrid.answers = [(status, {}, {"errors": [{"message": text, "field": None, "help": None}]} if text else None)]
    row = await run(house, await queued(house))
    assert (row.state, row.error) == (ends, f"{status} {text}".strip())
    assert row.asked == ("sendgrid" if status == 500 else None)


@pytest.mark.parametrize(
    "keys", [{**RESEND, **SENDGRID, "NEXUS_MAIL_SENDERS": "sendgrid, resend"}], ids=["the other way round"]
)
async def test_the_order_is_a_setting(house: House, resend: Resend, sendgrid: SendGrid) -> None:
    assert (await run(house, await queued(house))).sender == "sendgrid"
    assert resend.asked == []


@pytest.mark.parametrize("keys", [{"NEXUS_MAIL_RESEND_KEY": "re_wrong"}], ids=["wrong key"])
async def test_the_key_is_in_no_error(house: House, resend: Resend) -> None:
    row = await run(house, await queued(house))
    assert row.error == "403 invalid_api_key: API key is invalid"
    assert "re_wrong" not in await house.dump()
