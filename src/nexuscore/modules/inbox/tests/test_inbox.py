"""What comes in: acknowledged once it is stored, stored once, processed until it succeeds or five tries are over."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.settings import load
from nexuscore.kernel.testing import ALICE, Client, House
from nexuscore.modules.inbox import Handler, mark_failed, pending
from nexuscore.modules.inbox.events import InboundFailed, InboundMarked, InboundRefused, InboundReplayed
from nexuscore.modules.inbox.jobs import prune, requeue_overdue
from nexuscore.modules.inbox.refusals import _noted
from nexuscore.modules.inbox.service import wait_after
from nexuscore.modules.inbox.settings import InboxSettings
from nexuscore.modules.inbox.testing import (
    post,
    signed_by_generic,
    signed_by_github,
    signed_by_sendgrid,
    signed_by_standard,
    signed_by_stripe,
)
from nexuscore.modules.inbox.tests.shop import SECRETS, SENDGRID_KEY, Counted, failures

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    failures.clear()
    _noted.clear()
    yield
    failures.clear()


def event(id: str = "evt_1", type: str = "invoice.paid", more: str = "1") -> bytes:
    return b'{"id": "%s", "type": "%s", "data": {"more": "%s"}}' % (id.encode(), type.encode(), more.encode())


async def from_stripe(house: House, body: bytes) -> tuple[int, dict[str, object]]:
    return await post(house, "stripe", body, signed_by_stripe(SECRETS["stripe"][1], body))


async def messages(alice: Client, query: str = "") -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = (await alice.get(f"/inbox/messages{query}")).json()["data"]
    return data


async def later(house: House) -> None:
    async with house.context() as ctx:
        await ctx.db.raw("UPDATE pgqueuer SET execute_after = now() WHERE status = 'queued'")
    await house.drain()


async def test_every_provider_is_heard(house: House, alice: Client) -> None:
    batch = b'[{"sg_event_id": "a", "event": "bounce"}, {"sg_event_id": "b", "event": "open"}]'
    update = b'{"update_id": 1, "message": {}}'
    acme = b'{"nr": "n1", "what": "shipped"}'
    sent: list[tuple[str, bytes, dict[str, str]]] = [
        ("stripe", event(), signed_by_stripe(SECRETS["stripe"][0], event())),
        ("standard", event(), signed_by_standard(SECRETS["standard"][0], event())),
        ("github", event(), signed_by_github(SECRETS["github"][0], event())),
        ("sendgrid", batch, signed_by_sendgrid(SENDGRID_KEY, batch)),
        ("telegram", update, {"x-telegram-bot-api-secret-token": SECRETS["telegram"][1]}),
        ("generic", event(), signed_by_generic(SECRETS["generic"][1], event())),
        ("acme", acme, {"x-acme": signed_by_github("acme-secret", acme)["x-hub-signature-256"]}),
    ]
    for provider, body, headers in sent:
        assert await post(house, provider, body, headers) == (200, {"duplicate": False}), provider
        assert await post(house, provider, body, headers) == (200, {"duplicate": True}), provider
    found = [(each["provider"], each["event_id"], each["type"]) for each in await messages(alice)]
    assert found[::-1] == [
        ("stripe", "evt_1", "invoice.paid"),
        ("standard", "msg_1", "invoice.paid"),
        ("github", "delivery-1", "push"),
        ("sendgrid", "a", "bounce"),
        ("sendgrid", "b", "open"),
        ("telegram", "1", "message"),
        ("generic", "evt_1", "invoice.paid"),
        ("acme", "n1", "shipped"),
    ]


async def test_it_is_processed_by_those_who_handle_its_type(house: House, alice: Client) -> None:
    async with house.expect_events(Counted) as facts:
        for id, type in (("evt_1", "invoice.paid"), ("evt_2", "payout.paid"), ("evt_3", "invoices")):
            await from_stripe(house, event(id, type))
        assert [each["state"] for each in await messages(alice)] == ["pending"] * 3
        await house.drain()
    assert facts[0].body == {"event_id": "evt_1", "event_type": "invoice.paid"}
    assert [(each["state"], len(each["handlers"])) for each in await messages(alice)] == [
        ("processed", 0),
        ("processed", 0),
        ("processed", 1),
    ]


@pytest.mark.parametrize(
    ("pattern", "type", "wants"),
    [
        ("invoice.paid", "invoice.paid", True),
        ("invoice.paid", "invoice.paid.late", False),
        ("invoice.*", "invoice.paid", True),
        ("invoice.*", "invoices.paid", False),
        ("invoice.*", "invoice", False),
        ("*", "anything", True),
        ("inv*", "invoice", False),
    ],
)
def test_patterns(pattern: str, type: str, wants: bool) -> None:
    async def run(*_: object) -> None: ...

    assert Handler("p", pattern, run).wants("p", type) is wants
    assert not Handler("p", pattern, run).wants("q", type)


async def test_the_same_id_of_another_provider_is_another_event(house: House, alice: Client) -> None:
    await from_stripe(house, event())
    assert (await post(house, "generic", event(), signed_by_generic("generic-new", event())))[1] == {"duplicate": False}
    assert len(await messages(alice)) == 2
    assert len(await messages(alice, "?provider=stripe&state=pending")) == 1


async def test_fifty_at_once_are_stored_once(committed_house: House) -> None:
    answers = await asyncio.gather(*(from_stripe(committed_house, event(more=str(n))) for n in range(50)))
    assert {status for status, _ in answers} == {200}
    assert [answer["duplicate"] for _, answer in answers].count(False) == 1
    async with committed_house.expect_events(Counted):
        await committed_house.drain()


async def test_unknown_providers_missing_secrets_and_bad_signatures(house: House, alice: Client) -> None:
    status, answer = await post(house, "nobody", event(), {})
    assert (status, answer["error_code"]) == (404, "not_found")
    async with house.expect_events(InboundRefused) as facts:
        for _ in range(3):
            status, answer = await post(
                house, "unset", event(), {"x-unset": signed_by_github("", event())["x-hub-signature-256"]}
            )
            assert (status, answer["error_code"]) == (503, "inbox_not_configured")
    assert facts[0].body == {"provider": "unset", "reason": "no_secret"}
    async with house.expect_events(InboundRefused) as facts:
        status, answer = await post(house, "stripe", event(), signed_by_stripe("guess", event()))
        assert (status, answer["error_code"], answer["details"]) == (400, "bad_signature", {})
        missing = await post(house, "stripe", event(), {})
    assert [fact.body["reason"] for fact in facts] == ["bad_signature"], "once a minute, however many are forged"
    assert missing[1]["detail"] == answer["detail"], "it is not said what was wrong"
    assert await messages(alice) == []


async def test_what_is_signed_but_unreadable_is_a_fact(house: House) -> None:
    async with house.expect_events(InboundRefused) as facts:
        status, answer = await from_stripe(house, b"hello")
    assert (status, answer["error_code"]) == (400, "unreadable_event")
    assert facts[0].body == {"provider": "stripe", "reason": "unreadable"}


async def test_a_body_beyond_the_limit_is_not_read(house: House) -> None:
    status, answer = await from_stripe(house, event(more="x" * 3_000_000))
    assert (status, answer["error_code"]) == (413, "payload_too_large")


async def test_a_failure_is_tried_again_and_takes_back_what_was_half_done(
    house: House, alice: Client, fake_clock: FakeClock
) -> None:
    failures.extend(["second", "first: write to ada@example.com"])
    async with house.expect_events(Counted, Counted) as facts:
        await from_stripe(house, event(type="charge.failed"))
        await house.drain()
        [message] = await messages(alice)
        assert (message["state"], message["tries"]) == ("pending", 1)
        assert message["error"] == "RuntimeError: first: write to [email]"
        assert message["next_try_at"] > (fake_clock.now() + timedelta(seconds=47)).isoformat()
        await later(house)
        await later(house)
    assert [fact.body["event_id"] for fact in facts] == ["half", "evt_1"]
    [message] = await messages(alice)
    assert (message["state"], message["tries"], message["error"]) == ("processed", 3, None)


async def test_after_five_tries_it_waits_for_a_person_who_replays_it(house: House, alice: Client) -> None:
    failures.extend(["no"] * 5)
    await from_stripe(house, event(type="charge.failed"))
    async with house.expect_events(InboundFailed, InboundReplayed, Counted, Counted) as facts:
        for _ in range(7):
            await later(house)
        [message] = await messages(alice, "?state=failed")
        assert message["tries"] == 5
        assert failures == []
        replayed = await alice.post(f"/inbox/messages/{message['id']}/replay")
        assert (replayed.json()["state"], replayed.json()["tries"]) == ("pending", 0)
        await house.drain()
    assert facts[0].body == {"message_id": message["id"], "provider": "stripe", "event_type": "charge.failed"}
    assert (await messages(alice))[0]["state"] == "processed"


async def test_an_event_that_kills_its_worker_is_not_tried_for_ever(house: House, alice: Client) -> None:
    await from_stripe(house, event())
    async with house.context() as ctx:
        await ctx.db.raw("UPDATE inbox_messages SET tries = 5")
    async with house.expect_events(InboundFailed):
        await house.drain()
    assert (await messages(alice))[0]["error"] == "the worker was killed"


async def test_a_late_failure_does_not_undo_a_success(house: House, alice: Client) -> None:
    await from_stripe(house, event())
    await house.drain()
    async with house.context() as ctx:
        [row] = await ctx.db.raw("SELECT id FROM inbox_messages")
        assert (await mark_failed(ctx, row.id, "too late")).state == "processed"
    assert (await messages(alice))[0]["error"] is None
    assert await house.drain() == 0


def test_waits_double_from_a_minute_and_end_at_ten() -> None:
    for tries, seconds in ((1, 60), (2, 120), (3, 240), (4, 480), (9, 600)):
        waits = [wait_after(tries).total_seconds() for _ in range(100)]
        assert min(seconds * 0.8, 600) <= min(waits)
        assert max(waits) <= min(seconds * 1.2, 600)


async def test_the_payload_is_shown_without_personal_data_and_kept_as_it_came(house: House, alice: Client) -> None:
    body = b'{"id": "evt_1", "type": "x.y",  "customer": {"email": "ada@example.com", "token": "tok_secret"}, "n": 1}'
    await from_stripe(house, body)
    [listed] = await messages(alice)
    shown = (await alice.get(f"/inbox/messages/{listed['id']}")).json()["payload"]
    assert shown == {"id": "evt_1", "type": "x.y", "customer": {"email": "[redacted]", "token": "[redacted]"}, "n": 1}
    async with house.context() as ctx:
        [row] = await pending(ctx, "stripe")
        assert row.raw == body
        assert await pending(ctx, "github") == []
    assert [each["id"] for each in (await alice.get("/inbox/pending?provider=stripe")).json()] == [listed["id"]]


async def test_a_person_may_declare_it_done_or_failed(house: House, alice: Client) -> None:
    await from_stripe(house, event())
    [message] = await messages(alice)
    path = f"/inbox/messages/{message['id']}"
    async with house.expect_events(InboundMarked, InboundMarked) as facts:
        failed = await alice.post(f"{path}/mark-failed", {"error": "a duplicate of another"})
        done = await alice.post(f"{path}/mark-processed")
        await house.drain()
    assert (failed.json()["state"], done.json()["state"]) == ("failed", "processed")
    assert [fact.body["state"] for fact in facts] == ["failed", "processed"]
    assert facts[0].actor_id == ALICE.id


async def test_only_the_platform_sees_it(house: House, bob: Client, nobody: Client) -> None:
    await from_stripe(house, event())
    for client, status in ((bob, 403), (nobody, 401)):
        for path in ("/inbox/messages", "/inbox/pending", "/inbox/providers"):
            assert (await client.get(path)).status_code == status
    assert house.app.permissions["inbox.read"].roles == ("platform:admin",)


async def test_providers_are_listed_with_whether_their_secret_is_set(alice: Client) -> None:
    found = {each["name"]: each for each in (await alice.get("/inbox/providers")).json()}
    assert set(found) == {"stripe", "standard", "github", "sendgrid", "telegram", "generic", "acme", "unset"}
    assert [name for name, each in found.items() if not each["configured"]] == ["unset"]
    assert found["stripe"]["url"].endswith("/hooks/stripe")


async def test_processed_events_go_after_thirty_days_and_are_remembered_longer(
    house: House, alice: Client, fake_clock: FakeClock
) -> None:
    await from_stripe(house, event())
    await from_stripe(house, event("evt_2", "charge.failed"))
    async with house.context() as ctx:
        await ctx.db.raw("UPDATE inbox_messages SET state = 'failed' WHERE event_id = 'evt_2'")
    await house.drain()
    fake_clock.advance(days=29)
    async with house.app.context() as ctx:
        await prune.run(ctx)
    assert len(await messages(alice)) == 2
    fake_clock.advance(days=2)
    async with house.app.context() as ctx:
        await prune.run(ctx)
    assert [each["event_id"] for each in await messages(alice)] == ["evt_2"], "what failed stays"
    assert (await from_stripe(house, event()))[1] == {"duplicate": True}
    fake_clock.advance(days=150)
    async with house.app.context() as ctx:
        await prune.run(ctx)
    assert (await from_stripe(house, event()))[1] == {"duplicate": False}


async def test_what_lost_its_job_is_queued_again(house: House, alice: Client, fake_clock: FakeClock) -> None:
    await from_stripe(house, event())
    async with house.context() as ctx:
        await ctx.db.raw("DELETE FROM pgqueuer")
    for minutes in (10, 6):
        fake_clock.advance(minutes=minutes)
        async with house.app.context() as ctx:
            await requeue_overdue.run(ctx)
        await house.drain()
    assert [each["state"] for each in await messages(alice)] == ["processed"]


def test_secrets_that_cannot_be_secrets_stop_the_start() -> None:
    given = {"NEXUS_INBOX_SENDGRID_KEYS": "bm90IGEga2V5", "NEXUS_INBOX_STANDARD_SECRETS": "whsec_***"}
    with pytest.raises(ConfigurationError) as error:
        load([InboxSettings], environ=given, env_file=None)
    assert "NEXUS_INBOX_SENDGRID_KEYS" in str(error.value)
    assert "NEXUS_INBOX_STANDARD_SECRETS" in str(error.value)
    assert "bm90" not in str(error.value)
