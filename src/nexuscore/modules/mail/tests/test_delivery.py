"""Delivery: retries, the sender to fall back to, and mail that must not go twice."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import bindparam, update

from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.testing import House
from nexuscore.modules import mail
from nexuscore.modules.mail import delivery
from nexuscore.modules.mail.events import MailBounced, MailFailed, MailSent, MailSuppressed
from nexuscore.modules.mail.tables import Mail
from nexuscore.modules.mail.tests.probe import Hello, Script

pytestmark = pytest.mark.anyio
TO = "alice@example.com"
LATER = mail.NotNow("451 try again later")
LOST = mail.NotNow("ReadTimeout", uncertain=True)
NO = mail.Refused("422 not like this")
_TRIED = update(Mail).where(Mail.id == bindparam("mail_id"))


@pytest.fixture
def env() -> dict[str, str]:
    return {}


@pytest.fixture
def settings(env: dict[str, str]) -> dict[str, str]:
    return env


async def queued(house: House, to: str = TO) -> UUID:
    async with house.context() as ctx:
        return await mail.send(ctx, Hello(name="Alice"), to=to, locale="en")


async def state(house: House, mail_id: UUID) -> Any:
    async with house.context() as ctx:
        return await mail.get(ctx, mail_id)


async def run(house: House, times: int = 1) -> None:
    """Run the jobs that are due, then make the ones put off due, `times` over."""
    for _ in range(times):
        await house.drain()
        async with house.app.database.transaction() as db:
            await db.raw("UPDATE pgqueuer SET execute_after = now() - interval '1 s'")


async def waiting(house: House) -> list[timedelta]:
    """How long each job that was put off still waits."""
    async with house.app.database.transaction() as db:
        rows = await db.raw(
            "SELECT execute_after - now() AS wait FROM pgqueuer WHERE entrypoint = 'mail.deliver' AND status = 'queued'"
        )
    return [row.wait for row in rows]


async def test_what_is_put_off_is_tried_again(house: House, script: Script) -> None:
    script.answers = [LATER, LATER]
    async with house.expect_events(MailSent):
        mail_id = await queued(house)
        await run(house)
        late = await state(house, mail_id)
        assert (late.state, late.attempts, late.error, late.asked) == ("queued", 1, LATER.reason, None)
        await run(house, 2)
    sent = await state(house, mail_id)
    assert (sent.state, sent.attempts, sent.sender, sent.provider_id) == ("sent", 3, "script", "script-3")
    assert (sent.error, sent.variables) == (None, None)
    assert sent.sent_at is not None


async def test_every_try_is_the_same_mail(house: House, script: Script) -> None:
    script.answers = [LATER, LOST]
    await queued(house)
    await run(house, 3)
    assert len(script.seen) == 3
    assert script.seen[0] == script.seen[1] == script.seen[2]
    assert script.seen[0].message_id == f"<{script.seen[0].id}@example.com>"


async def test_a_sender_may_say_how_long_to_wait(house: House, script: Script) -> None:
    script.answers = [mail.NotNow("429", after=timedelta(minutes=45))]
    await queued(house)
    await house.drain()
    [wait] = await waiting(house)
    assert timedelta(minutes=44) < wait <= timedelta(minutes=45)


async def test_after_the_last_try_the_mail_has_failed(house: House, script: Script) -> None:
    script.answers = [LATER] * 10
    async with house.expect_events(MailFailed) as facts:
        mail_id = await queued(house)
        await run(house, 12)
    failed = await state(house, mail_id)
    assert (failed.state, failed.attempts, failed.error) == ("failed", 10, LATER.reason)
    assert facts[0].body["reason"] == "gave_up"
    assert await waiting(house) == []


async def test_a_failed_mail_can_be_sent_after_all(house: House, script: Script) -> None:
    script.answers = [NO]
    mail_id = await queued(house)
    await run(house)
    assert (await state(house, mail_id)).state == "failed"
    async with house.context() as ctx:
        await mail.retry(ctx, mail_id)
    await run(house)
    assert (await state(house, mail_id)).state == "sent"
    async with house.context() as ctx:
        with pytest.raises(NotFoundError):
            await mail.retry(ctx, mail_id)


async def test_what_was_refused_is_not_tried_again(house: House, script: Script) -> None:
    script.answers = [NO]
    async with house.expect_events(MailFailed) as facts:
        mail_id = await queued(house)
        await run(house, 3)
    assert len(script.seen) == 1
    refused = await state(house, mail_id)
    assert (refused.state, refused.error, refused.sender) == ("failed", NO.reason, "script")
    assert facts[0].body["reason"] == "refused"


async def test_a_sender_that_breaks_may_have_sent(house: House, script: Script, fallback: Script) -> None:
    script.answers = [ZeroDivisionError("oops")]
    mail_id = await queued(house)
    await run(house)
    late = await state(house, mail_id)
    assert (late.state, late.asked, late.error) == ("queued", "script", "ZeroDivisionError: oops")
    assert fallback.seen == []


@pytest.mark.parametrize("env", [{"NEXUS_MAIL_TIMEOUT_S": "0.01"}], ids=["impatient"])
async def test_a_sender_that_never_answers_may_have_sent(house: House, script: Script) -> None:
    script.takes_s = 60
    mail_id = await queued(house)
    await run(house)
    late = await state(house, mail_id)
    assert (late.state, late.asked) == ("queued", "script")
    assert late.error.startswith("TimeoutError")


@pytest.mark.parametrize("answer", [LATER, NO], ids=["not now", "refused"])
async def test_the_second_sender_takes_what_the_first_surely_has_not(
    house: House, script: Script, fallback: Script, answer: mail.Outcome
) -> None:
    script.answers = [answer]
    async with house.expect_events(MailSent) as facts:
        mail_id = await queued(house)
        await run(house)
    sent = await state(house, mail_id)
    assert (sent.state, sent.sender, sent.provider_id) == ("sent", "second", "second-1")
    assert facts[0].body["sender"] == "second"


async def test_the_second_sender_is_not_asked_while_the_first_may_have_it(
    house: House, script: Script, fallback: Script
) -> None:
    """Not in the same try, and not later either, when the first is down for certain."""
    script.answers = [LOST, LATER, LATER]
    mail_id = await queued(house)
    await run(house, 3)
    late = await state(house, mail_id)
    assert (late.state, late.asked, late.attempts) == ("queued", "script", 3)
    await run(house)
    assert (await state(house, mail_id)).sender == "script"
    assert fallback.seen == []


async def test_a_lost_answer_of_the_second_sender_stays_with_it(house: House, script: Script, fallback: Script) -> None:
    script.answers, fallback.answers = [LATER], [LOST]
    mail_id = await queued(house)
    await run(house)
    assert (await state(house, mail_id)).asked == "second"
    await run(house)
    assert (await state(house, mail_id)).sender == "second"
    assert (len(script.seen), len(fallback.seen)) == (1, 2)


async def test_when_one_refuses_and_one_is_down_it_is_tried_again(
    house: House, script: Script, fallback: Script
) -> None:
    script.answers, fallback.answers = [NO, NO], [LATER, NO]
    mail_id = await queued(house)
    await run(house)
    assert (await state(house, mail_id)).state == "queued"
    await run(house)
    assert (await state(house, mail_id)).state == "failed"


async def test_a_worker_that_dies_leaves_the_mail_with_the_sender_it_was_asking(
    house: House, script: Script, fallback: Script
) -> None:
    """Dead between claim and record: whom it was asking may have the mail, so nobody else is asked."""
    mail_id = await queued(house)
    async with house.context() as ctx:
        claimed = await delivery.claim(ctx, mail_id)
    assert claimed is not None
    assert (claimed.pinned, [sender.name for sender in claimed.senders]) == (False, ["script", "second"])
    async with house.context() as ctx:
        again = await delivery.claim(ctx, mail_id)
    assert again is not None
    assert (again.pinned, [sender.name for sender in again.senders]) == (True, ["script"])
    script.answers = [LATER]
    await delivery.attempt(house.app, claimed)
    async with house.context() as ctx:
        third = await delivery.claim(ctx, mail_id)
    assert third is not None
    assert [sender.name for sender in third.senders] == ["second"]


async def test_a_mail_that_kills_its_workers_is_given_up(house: House, script: Script) -> None:
    mail_id = await queued(house)
    for _ in range(10):
        async with house.context() as ctx:
            assert await delivery.claim(ctx, mail_id) is not None
    async with house.expect_events(MailFailed):
        await run(house)
    assert (await state(house, mail_id)).error == "every try was cut short"
    assert script.seen == []


async def test_a_mail_is_recorded_once(house: House, script: Script) -> None:
    """A worker that was believed dead, and its successor, both come to an end."""
    mail_id = await queued(house)
    async with house.context() as ctx:
        slow = await delivery.claim(ctx, mail_id)
    assert slow is not None
    async with house.expect_events(MailSent):
        await run(house)
        async with house.context() as ctx:
            await delivery.record(ctx, slow, delivery.Attempt(mail.Taken("late"), "script"))
            await delivery.record(ctx, slow, delivery.Attempt(LATER, "script"))
            assert await delivery.claim(ctx, mail_id) is None
    assert (await state(house, mail_id)).provider_id == "script-1"


async def test_a_dead_address_gets_no_more_mail(house: House, script: Script) -> None:
    script.answers = [mail.Refused("550 no such user", bounced=True)]
    async with house.expect_events(MailBounced, MailSuppressed, MailSent) as facts:
        bounced = await queued(house)
        await run(house)
        suppressed = await queued(house, "Alice@EXAMPLE.com")
        other = await queued(house, "bob@example.com")
        await run(house)
    assert (await state(house, bounced)).state == "bounced"
    stopped = await state(house, suppressed)
    assert (stopped.state, stopped.error, stopped.variables) == ("suppressed", "hard_bounce", None)
    assert (await state(house, other)).state == "sent"
    assert len(script.seen) == 2
    assert facts[0].body["kind"] == "hard"
    assert facts[0].body["recipient"] == facts[1].body["recipient"] != facts[2].body["recipient"]


async def test_a_dead_address_is_not_offered_to_the_next_sender(house: House, script: Script, fallback: Script) -> None:
    script.answers = [mail.Refused("550 no such user", bounced=True)]
    await queued(house)
    await run(house)
    assert fallback.seen == []


async def test_a_message_that_was_queued_by_another_version_fails_with_its_name(house: House) -> None:
    mail_id = await queued(house)
    old = delivery.seal_variables(house.app, mail_id, '{"who": "Alice"}')
    async with house.context() as ctx:
        await ctx.db.execute(_TRIED, mail_id=mail_id, variables=old)
    await run(house)
    assert "probe.hello was queued by another version: name: Field required" in str((await state(house, mail_id)).error)


async def test_sealed_variables_belong_to_their_mail(house: House) -> None:
    """A value copied to another row is not opened there."""
    mail_id, other = await queued(house), await queued(house, "eve@example.com")
    async with house.context() as ctx:
        taken = (await mail.get(ctx, mail_id)).variables
        await ctx.db.execute(_TRIED, mail_id=other, variables=taken)
    await run(house)
    assert (await state(house, other)).state == "failed"
