"""Deliveries: an event happens, a receiver hears of it, and what came of every try is written down."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from standardwebhooks.webhooks import Webhook

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import ALICE, CHARLIE, Client, House
from nexuscore.modules.webhooks import jobs
from nexuscore.modules.webhooks.events import WebhookDisabled
from nexuscore.modules.webhooks.sending import client_of
from nexuscore.modules.webhooks.testing import Receiver, Say, hurry
from nexuscore.modules.webhooks.tests.shop import OrderPlaced, Whispered, add, listed, pay, tries
from nexuscore.modules.webhooks.waking import wake

pytestmark = pytest.mark.anyio


async def test_an_event_is_delivered_signed_and_logged(house: House, alice: Client, receiver: Receiver) -> None:
    endpoint = await add(alice, receiver.url)
    [event_id] = await pay(house)
    await house.drain()
    [heard] = receiver.heard
    Webhook(endpoint["secret"]).verify(heard.body, heard.headers)
    assert heard.headers["content-type"] == "application/json"
    assert heard.json == {
        "id": str(event_id),
        "type": "invoice.paid",
        "version": 3,
        "time": heard.json["time"],
        "org": str(ALICE.org),
        "data": {"invoice_id": heard.json["data"]["invoice_id"], "amount": 0, "currency": "SGD"},
    }
    [delivery] = await listed(alice)
    assert (delivery["id"], delivery["state"], delivery["attempts"]) == (heard.id, "delivered", 1)
    [attempt] = await tries(alice, delivery)
    assert (attempt["state"], attempt["status"], attempt["answer"]) == ("delivered", 200, "ok")
    assert (attempt["error"], attempt["next_try_at"]) == (None, None)
    assert (await alice.get(f"/webhooks/deliveries/{delivery['id']}")).json()["body"].encode() == heard.body


async def test_filters_decide_what_is_sent(house: House, alice: Client, receiver: Receiver) -> None:
    for name, wanted in (("exact", "invoice.sent"), ("family", "invoice.*"), ("deep", "order.*"), ("all", "*")):
        await add(alice, f"{receiver.url}/{name}", wanted)
    await house.drain()
    receiver.heard.clear()
    await pay(house)
    async with house.context(ALICE) as ctx:
        ctx.emit(OrderPlaced())
        ctx.emit(Whispered(secret="hush"))
    await house.drain()
    heard = sorted((each.path.rpartition("/")[2], each.json["type"]) for each in receiver.heard)
    assert heard == [
        ("all", "invoice.paid"),
        ("all", "order.line.placed"),
        ("deep", "order.line.placed"),
        ("family", "invoice.paid"),
    ]


async def test_another_organisation_hears_and_sees_nothing(
    house: House, alice: Client, charlie: Client, receiver: Receiver
) -> None:
    endpoint = await add(alice, receiver.url, "*")
    await add(charlie, f"{receiver.url}/charlie", "*")
    await house.drain()
    receiver.heard.clear()
    await pay(house, CHARLIE)
    await house.drain()
    assert [each.path for each in receiver.heard] == ["/hook/charlie"]
    await pay(house)
    await house.drain()
    [delivery] = await listed(alice, type="invoice.paid")
    for path in ("", "/attempts"):
        assert (await charlie.get(f"/webhooks/deliveries/{delivery['id']}{path}")).status_code == 404
    for verb in ("retry", "cancel"):
        assert (await charlie.post(f"/webhooks/deliveries/{delivery['id']}/{verb}")).status_code == 404
    for verb in ("enable", "disable"):
        assert (await charlie.post(f"/webhooks/endpoints/{endpoint['id']}/{verb}")).status_code == 404
    assert delivery["id"] not in [each["id"] for each in await listed(charlie)]


async def test_a_failing_receiver_is_tried_again_by_the_schedule_and_with_the_same_id(
    house: House, alice: Client, receiver: Receiver
) -> None:
    receiver.say = lambda heard: Say(500, body=b"oh no")
    await add(alice, receiver.url, schedule="three")
    await pay(house)
    for _ in range(5):
        await hurry(house)
    assert len(receiver.heard) == 3
    assert len({each.id for each in receiver.heard}) == 1
    [delivery] = await listed(alice)
    assert (delivery["state"], delivery["attempts"], delivery["last_status"]) == ("failed", 3, 500)
    attempts = await tries(alice, delivery)
    assert [each["error"] for each in attempts] == ["error_status"] * 3
    assert [each["next_try_at"] is None for each in attempts] == [False, False, True]
    assert attempts[0]["answer"] == "oh no"


async def test_what_failed_is_recovered_since_a_time_or_one_by_one(
    house: House, alice: Client, receiver: Receiver
) -> None:
    receiver.say = lambda heard: Say(503)
    endpoint = await add(alice, receiver.url, schedule="three")
    await pay(house, count=3)
    for _ in range(3):
        await hurry(house)
    assert [each["state"] for each in await listed(alice)] == ["failed"] * 3
    receiver.say = lambda heard: Say()
    one = (await listed(alice))[0]
    retried = (await alice.post(f"/webhooks/deliveries/{one['id']}/retry")).json()
    assert (retried["state"], retried["attempts"]) == ("pending", 3)
    path = f"/webhooks/endpoints/{endpoint['id']}/recover"
    assert (await alice.post(path, {"since": "2100-01-01T00:00:00Z"})).json() == {"deliveries": 0}
    assert (await alice.post(path, {"since": "2020-01-01T00:00:00Z"})).json() == {"deliveries": 2}
    await house.drain()
    assert [(each["state"], each["attempts"]) for each in await listed(alice)] == [("delivered", 4)] * 3
    again = await alice.post(f"/webhooks/deliveries/{one['id']}/retry")
    assert (again.status_code, again.json()["error_code"]) == (409, "already_delivered")
    stats = (await alice.get(f"/webhooks/endpoints/{endpoint['id']}/stats")).json()
    assert (stats["delivered"], stats["failed"], stats["success_rate"]) == (3, 0, 1.0)


async def test_gone_disables_at_once_and_cancels_the_rest(house: House, alice: Client, receiver: Receiver) -> None:
    receiver.say = lambda heard: Say(410)
    endpoint = await add(alice, receiver.url)
    await pay(house)
    async with house.expect_events(WebhookDisabled) as facts:
        await house.drain()
    assert facts[0].body == {"endpoint_id": endpoint["id"], "reason": "gone"}
    found = (await alice.get(f"/webhooks/endpoints/{endpoint['id']}")).json()
    assert (found["state"], found["disabled_reason"]) == ("disabled", "gone")
    await pay(house)
    await house.drain()
    assert len(receiver.heard) == 1
    assert [each["state"] for each in await listed(alice)] == ["failed"]


async def test_a_redirect_fails_and_is_not_followed(house: House, alice: Client, receiver: Receiver) -> None:
    receiver.say = lambda heard: Say(302, {"location": "/elsewhere"})
    await add(alice, receiver.url)
    await pay(house)
    await house.drain()
    assert [each.path for each in receiver.heard] == ["/hook"]
    [attempt] = await tries(alice, (await listed(alice))[0])
    assert (attempt["error"], attempt["status"]) == ("redirected", 302)
    assert attempt["answer_headers"]["location"] == "/elsewhere"


async def test_retry_after_is_honoured_for_the_delivery_and_holds_the_endpoint(
    house: House, alice: Client, receiver: Receiver, fake_clock: FakeClock
) -> None:
    receiver.say = lambda heard: Say(429, {"retry-after": "900"})
    endpoint = await add(alice, receiver.url)
    await pay(house)
    await house.drain()
    [delivery] = await listed(alice)
    assert datetime.fromisoformat(delivery["next_try_at"]) == fake_clock.now() + timedelta(seconds=900)
    await pay(house)
    await house.drain()
    assert len(receiver.heard) == 1, "while it asked for patience it is sent nothing new"
    assert (await alice.get(f"/webhooks/endpoints/{endpoint['id']}")).json()["rest_until"] is not None
    fake_clock.advance(seconds=901)
    receiver.say = lambda heard: Say()
    async with house.context(ALICE) as ctx:
        await ctx.db.raw("UPDATE pgqueuer SET execute_after = now()")
    await house.drain()
    assert [each["state"] for each in await listed(alice)] == ["delivered"] * 2


async def test_five_days_of_failure_disable_it_with_one_notice(
    house: House, alice: Client, receiver: Receiver, fake_clock: FakeClock
) -> None:
    receiver.say = lambda heard: Say(500)
    endpoint = await add(alice, receiver.url)
    async with house.expect_events(WebhookDisabled) as facts:
        async with house.context(ALICE) as ctx:
            await ctx.db.raw("UPDATE webhook_endpoints SET failed_in_row = 7")
        pass_five_days = [timedelta(), timedelta(days=4, hours=23), timedelta(hours=2), timedelta(hours=1)]
        seen = []
        for wait in pass_five_days:
            fake_clock.set(fake_clock.now() + wait)
            await alice.post(f"/webhooks/endpoints/{endpoint['id']}/recover", {"since": "2020-01-01T00:00:00Z"})
            await _quietly(house)
            seen.append((await alice.get(f"/webhooks/endpoints/{endpoint['id']}")).json()["state"])
    assert seen == ["enabled", "enabled", "disabled", "disabled"]
    assert facts[0].body == {"endpoint_id": endpoint["id"], "reason": "failing"}
    assert {each["state"] for each in await listed(alice)} == {"cancelled"}


async def _quietly(house: House) -> None:
    """A delivery that fails, without an event in the log."""
    async with house.context(ALICE) as ctx:
        await ctx.db.raw(
            "INSERT INTO webhook_deliveries (id, endpoint_id, event_id, event_type, body, next_try_at, created_at)"
            " SELECT gen_random_uuid(), id, gen_random_uuid(), 'invoice.paid', '{}', '2000-01-01', now()"
            " FROM webhook_endpoints WHERE state = 'enabled'"
        )
    await hurry(house)


async def test_a_success_begins_the_five_days_anew(
    house: House, alice: Client, receiver: Receiver, fake_clock: FakeClock
) -> None:
    receiver.say = lambda heard: Say(500)
    endpoint = await add(alice, receiver.url)
    path = f"/webhooks/endpoints/{endpoint['id']}"
    await pay(house)
    await house.drain()
    assert (await alice.get(path)).json()["failing_since"] is not None
    receiver.say = lambda heard: Say()
    await hurry(house)
    assert (await alice.get(path)).json()["failing_since"] is None


async def test_what_was_missed_while_disabled_is_replayed_once(house: House, alice: Client, receiver: Receiver) -> None:
    endpoint = await add(alice, receiver.url)
    path = f"/webhooks/endpoints/{endpoint['id']}"
    await pay(house)
    await house.drain()
    receiver.say = lambda heard: Say(500)
    waiting = await pay(house)
    await house.drain()
    await alice.post(f"{path}/disable")
    assert [each["state"] for each in await listed(alice)] == ["cancelled", "delivered"]
    missed = await pay(house, count=2)
    async with house.context(ALICE) as ctx:
        ctx.emit(OrderPlaced())
    await house.drain()
    refused = await alice.post(f"{path}/replay", {})
    assert (refused.status_code, refused.json()["error_code"]) == (409, "endpoint_disabled")
    await alice.post(f"{path}/enable")
    receiver.heard.clear()
    receiver.say = lambda heard: Say()
    await house.drain()
    assert receiver.heard == [], "enabling alone sends nothing old"
    for _ in range(2):
        answer = await alice.post(f"{path}/replay", {"since": "2020-01-01T00:00:00Z"})
        assert answer.status_code == 202
        await house.drain()
    assert {each.json["id"] for each in receiver.heard} == {str(id) for id in (*waiting, *missed)}
    assert len(receiver.heard) == 3


async def test_a_test_goes_to_one_endpoint_even_when_it_is_disabled(
    house: House, alice: Client, receiver: Receiver
) -> None:
    one = await add(alice, f"{receiver.url}/one", "*")
    await add(alice, f"{receiver.url}/two", "*")
    await alice.post(f"/webhooks/endpoints/{one['id']}/disable")
    await house.drain()
    receiver.heard.clear()
    for body in ({}, {"type": "invoice.paid"}):
        assert (await alice.post(f"/webhooks/endpoints/{one['id']}/test", body)).status_code == 201
    await house.drain()
    assert [each.path for each in receiver.heard] == ["/hook/one"] * 2
    assert {each.json["type"]: each.json["test"] for each in receiver.heard} == {
        "webhook.test": True,
        "invoice.paid": True,
    }
    for heard in receiver.heard:
        Webhook(one["secret"]).verify(heard.body, heard.headers)
    unknown = await alice.post(f"/webhooks/endpoints/{one['id']}/test", {"type": "shop.whispered"})
    assert unknown.status_code == 404


async def test_only_what_waits_can_be_cancelled(house: House, alice: Client, receiver: Receiver) -> None:
    receiver.say = lambda heard: Say(500)
    await add(alice, receiver.url)
    await pay(house)
    await house.drain()
    [delivery] = await listed(alice, state="pending")
    assert (await alice.post(f"/webhooks/deliveries/{delivery['id']}/cancel")).json()["state"] == "cancelled"
    again = await alice.post(f"/webhooks/deliveries/{delivery['id']}/cancel")
    assert (again.status_code, again.json()["error_code"]) == (409, "not_waiting")
    await hurry(house)
    assert len(receiver.heard) == 1


async def test_both_secrets_sign_until_the_overlap_ends(
    house: House, alice: Client, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = await add(alice, receiver.url)
    path = f"/webhooks/endpoints/{endpoint['id']}"
    rotated = (await alice.post(f"{path}/rotate-secret", {"overlap_hours": 1})).json()
    assert rotated["secret"] != endpoint["secret"]
    await pay(house)
    await house.drain()
    for secret in (endpoint["secret"], rotated["secret"]):
        Webhook(secret).verify(receiver.heard[0].body, receiver.heard[0].headers)
    async with house.context(ALICE) as ctx:
        await ctx.db.raw("UPDATE webhook_endpoints SET previous_until = now() - interval '1 second'")
    await pay(house)
    await house.drain()
    assert receiver.heard[1].headers["webhook-signature"].count("v1,") == 1
    Webhook(rotated["secret"]).verify(receiver.heard[1].body, receiver.heard[1].headers)


async def test_of_an_answer_four_kilobytes_are_kept_and_no_cookie(
    house: House, alice: Client, receiver: Receiver
) -> None:
    receiver.say = lambda heard: Say(200, {"set-cookie": "canary", "x-trace": "1"}, b"\0" + b"x" * 200_000)
    await add(alice, receiver.url)
    await pay(house)
    await house.drain()
    [attempt] = await tries(alice, (await listed(alice))[0])
    assert attempt["answer"] == "\ufffd" + "x" * 4095
    assert attempt["answer_headers"]["x-trace"] == "1"
    assert "canary" not in await house.dump()


async def test_extra_headers_are_sent_and_sealed(house: House, alice: Client, receiver: Receiver) -> None:
    endpoint = await add(alice, receiver.url, headers={"Authorization": "Bearer canary-token", "X-Shop": "7"})
    assert endpoint["header_names"] == ["Authorization", "X-Shop"]
    await pay(house)
    await house.drain()
    assert receiver.heard[0].headers["authorization"] == "Bearer canary-token"
    assert receiver.heard[0].headers["x-shop"] == "7"
    dump = await house.dump()
    assert "canary-token" not in dump
    assert endpoint["secret"] not in dump
    assert endpoint["secret"].removeprefix("whsec_") not in dump


async def test_a_rate_is_kept_by_waiting_not_by_losing(
    house: House, alice: Client, receiver: Receiver, fake_clock: FakeClock
) -> None:
    await add(alice, receiver.url, rate_per_minute=120)
    await pay(house, count=6)
    await house.drain()
    assert len(receiver.heard) == 2, "two a second, one second's worth at once"
    for total in (4, 6):
        fake_clock.advance(seconds=1)
        async with house.context(ALICE) as ctx:
            await ctx.db.raw("UPDATE pgqueuer SET execute_after = now()")
        await house.drain()
        assert len(receiver.heard) == total


async def test_the_catalogue_names_public_types_and_previews_fit_their_schema(
    house: House, alice: Client, receiver: Receiver
) -> None:
    types = (await alice.get("/webhooks/event-types")).json()
    assert {
        "type": "invoice.paid",
        "version": 3,
        "module": "shop",
        "description": "An invoice was paid in full.",
    } in types
    assert "shop.whispered" not in [each["type"] for each in types]
    assert "access.denied" not in [each["type"] for each in types]
    preview = (await alice.get("/webhooks/event-types/invoice.paid")).json()
    assert preview["schema"]["properties"]["data"]["properties"]["amount"]["type"] == "integer"
    assert preview["example"]["data"] == {"invoice_id": preview["example"]["data"]["invoice_id"], "amount": 1}
    for entry in types:
        example: dict[str, Any] = (await alice.get(f"/webhooks/event-types/{entry['type']}")).json()["example"]
        kind = house.app.event_types[entry["type"]]
        kind.model_validate(example["data"])
        assert (example["type"], example["version"]) == (kind.type, kind.version)
    assert (await alice.get("/webhooks/event-types/shop.whispered")).status_code == 404


async def test_lists_are_narrowed_by_endpoint_state_and_type(house: House, alice: Client, receiver: Receiver) -> None:
    one = await add(alice, f"{receiver.url}/one")
    two = await add(alice, f"{receiver.url}/two")
    receiver.say = lambda heard: Say(500 if heard.path == "/hook/two" else 200)
    await pay(house)
    await house.drain()
    assert [each["endpoint_id"] for each in await listed(alice, state="delivered")] == [one["id"]]
    assert [each["endpoint_id"] for each in await listed(alice, endpoint_id=two["id"])] == [two["id"]]
    assert await listed(alice, endpoint_id=two["id"], state="delivered") == []
    assert len(await listed(alice, type="invoice.paid")) == 2
    assert await listed(alice, type="invoice.sent") == []


async def test_what_a_killed_worker_had_begun_is_sent_again_and_its_try_is_marked(
    house: House, alice: Client, receiver: Receiver
) -> None:
    endpoint = await add(alice, receiver.url)
    async with house.context(ALICE) as ctx:
        await ctx.db.raw(
            "WITH d AS (INSERT INTO webhook_deliveries (id, endpoint_id, event_id, event_type, body, next_try_at,"
            " created_at, attempts, step, claimed_by) VALUES (gen_random_uuid(), $1, gen_random_uuid(), 'x', '{}',"
            " '2000-01-01', now(), 1, 1, gen_random_uuid()) RETURNING id)"
            " INSERT INTO webhook_attempts (delivery_id, number, started_at) SELECT id, 1, now() FROM d",
            endpoint["id"],
        )
        await wake(ctx, UUID(endpoint["id"]))
    await house.drain()
    [delivery] = await listed(alice)
    assert [each["state"] for each in await tries(alice, delivery)] == ["interrupted", "delivered"]
    assert delivery["attempts"] == 2


async def test_old_deliveries_are_forgotten_unless_they_wait(
    house: House, alice: Client, receiver: Receiver, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_SOME", 2)
    fake_clock.set(datetime.now(UTC))
    endpoint = await add(alice, receiver.url)
    await pay(house, count=5)
    await house.drain()
    receiver.say = lambda heard: Say(500)
    await pay(house)
    await house.drain()
    for days, left in ((29, 6), (2, 1)):
        fake_clock.advance(days=days)
        async with house.app.context() as ctx:
            await jobs.prune.run(ctx)
        assert len(await listed(alice, endpoint_id=endpoint["id"])) == left
    assert [each["state"] for each in await listed(alice)] == ["pending"]


async def test_connections_end_with_the_app(house: House, receiver: Receiver) -> None:
    """Seen red without `app.on_stop`: the connection stayed until the process ended."""
    await client_of(house.app).request("POST", receiver.url)
    assert receiver.connections == 1
    await house.app.stop()
    async with asyncio.timeout(5):
        while receiver.connections:
            await asyncio.sleep(0.01)
