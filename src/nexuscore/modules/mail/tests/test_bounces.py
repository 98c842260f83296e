"""Mail that comes back: what providers report later, and the addresses that get no more."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from nexuscore.kernel.jobs import Schedule
from nexuscore.kernel.testing import ALICE, House
from nexuscore.modules import mail
from nexuscore.modules.mail import jobs
from nexuscore.modules.mail.events import MailBounced
from nexuscore.modules.mail.testing import outbox
from nexuscore.modules.mail.tests.probe import Hello, Script

pytestmark = pytest.mark.anyio
TO = "alice@example.com"


async def sent(house: House, to: str = TO) -> Any:
    async with house.context() as ctx:
        mail_id = await mail.send(ctx, Hello(name="Alice"), to=to, locale="en")
    await house.drain()
    return await state(house, mail_id)


async def state(house: House, mail_id: UUID) -> Any:
    async with house.context() as ctx:
        return await mail.get(ctx, mail_id)


async def bounce(house: House, kind: Any, **of: Any) -> bool:
    """As the inbox would: in no organisation."""
    async with house.app.context() as ctx:
        return await mail.record_bounce(ctx, kind, **of)


async def reason(house: House, address: str = TO) -> str | None:
    async with house.app.context() as ctx:
        return await mail.suppressed(ctx, address)


@pytest.mark.parametrize(
    ("kind", "ends", "stopped"),
    [("hard", "bounced", "hard_bounce"), ("soft", "bounced", None), ("complaint", "complained", "complaint")],
)
async def test_a_provider_reports_a_bounce(
    house: House, script: Script, kind: str, ends: str, stopped: str | None
) -> None:
    one = await sent(house)
    async with house.expect_events(MailBounced) as facts:
        assert await bounce(house, kind, provider_id=one.provider_id, reason="mailbox gone")
        assert await bounce(house, kind, provider_id=one.provider_id, reason="mailbox gone")
    back = await state(house, one.id)
    assert (back.state, back.error) == (ends, "mailbox gone")
    assert await reason(house) == stopped
    assert await reason(house, "ALICE@example.COM") == stopped
    assert facts[0].org == ALICE.org
    assert facts[0].body["kind"] == kind
    assert facts[0].subject == str(one.id)


async def test_a_bounce_can_name_our_own_id(house: House, script: Script) -> None:
    one = await sent(house)
    assert await bounce(house, "hard", mail_id=one.id)
    assert (await state(house, one.id)).state == "bounced"


async def test_a_bounce_can_name_an_address_alone(house: House) -> None:
    async with house.expect_events(MailBounced) as facts:
        assert await bounce(house, "complaint", address="Alice@Example.com")
        assert await bounce(house, "complaint", address=TO)
    assert await reason(house) == "complaint"
    assert facts[0].body["mail_id"] is None


async def test_news_of_an_unknown_mail_is_not_ours(house: House) -> None:
    async with house.expect_events():
        assert not await bounce(house, "hard", provider_id="nobody's")
        assert not await bounce(house, "hard", mail_id=uuid4())
        assert not await bounce(house, "hard")
        async with house.app.context() as ctx:
            assert not await mail.record_delivery(ctx, provider_id="nobody's")


async def test_a_complaint_follows_a_delivery_and_stays(house: House, script: Script) -> None:
    one = await sent(house)
    for ends in ("delivered", "complained"):
        async with house.app.context() as ctx:
            if ends == "complained":
                await mail.record_bounce(ctx, "complaint", provider_id=one.provider_id)
                await mail.record_bounce(ctx, "hard", provider_id=one.provider_id)
            assert await mail.record_delivery(ctx, provider_id=one.provider_id)
        assert (await state(house, one.id)).state == ends


async def test_an_address_can_be_let_through_again(house: House) -> None:
    async with house.app.context() as ctx:
        assert await mail.suppress(ctx, TO, "by hand")
        assert not await mail.suppress(ctx, TO.upper(), "again")
    assert (await sent(house)).state == "suppressed"
    async with house.app.context() as ctx:
        assert await mail.allow(ctx, "Alice@example.com")
        assert not await mail.allow(ctx, TO)
    assert (await sent(house)).state == "sent"


async def test_old_mail_is_forgotten_and_dead_addresses_are_not(house: House) -> None:
    old, new = await sent(house), await sent(house, "bob@example.com")
    await bounce(house, "hard", mail_id=old.id)
    async with house.app.database.transaction() as db:
        await db.raw("UPDATE mails SET created_at = now() - interval '31 days' WHERE id = $1", old.id)
    assert isinstance(jobs.forget, Schedule)
    async with house.app.context() as ctx:
        await jobs.forget(ctx)
    assert [kept.id for kept in await outbox(house)] == [new.id]
    assert await reason(house) == "hard_bounce"
