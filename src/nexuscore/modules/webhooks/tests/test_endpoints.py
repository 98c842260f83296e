"""Endpoints: what people may write into them, who may, and what they get to see."""

from typing import Any

import pytest

from nexuscore.kernel.outbound import Policy
from nexuscore.kernel.outbound.testing import HOSTILE
from nexuscore.kernel.testing import Client, House
from nexuscore.modules.webhooks import endpoints
from nexuscore.modules.webhooks.events import (
    EndpointChanged,
    EndpointCreated,
    EndpointDeleted,
    SecretRotated,
    WebhookDisabled,
    WebhookEnabled,
)
from nexuscore.modules.webhooks.tests.shop import add

pytestmark = pytest.mark.anyio
URL = "https://hooks.example.com/in"


async def test_an_endpoint_lives_and_every_step_is_a_fact(house: House, alice: Client) -> None:
    async with house.expect_events(
        EndpointCreated, EndpointChanged, SecretRotated, WebhookDisabled, WebhookEnabled, EndpointDeleted
    ) as facts:
        endpoint = await add(alice, URL, "invoice.paid", description=" Books ")
        path = f"/webhooks/endpoints/{endpoint['id']}"
        changed = await alice.patch(path, {"filters": ["*"], "rate_per_minute": 60})
        rotated = await alice.post(f"{path}/rotate-secret", {})
        disabled = await alice.post(f"{path}/disable")
        enabled = await alice.post(f"{path}/enable")
        assert (await alice.delete(path)).status_code == 204
    assert (endpoint["description"], endpoint["state"], endpoint["schedule"]) == ("Books", "enabled", "standard")
    assert (changed.json()["filters"], changed.json()["rate_per_minute"]) == (["*"], 60)
    assert rotated.json()["previous_until"] is not None
    assert (disabled.json()["disabled_reason"], enabled.json()["disabled_reason"]) == ("by_user", None)
    assert facts[1].body == {"endpoint_id": endpoint["id"], "fields": ["filters", "rate_per_minute"]}
    assert "example.com" not in str([fact.body for fact in facts]), "an address may hold a secret"
    assert (await alice.get(path)).status_code == 404
    assert (await alice.get("/webhooks/endpoints")).json()["data"] == []


async def test_the_secret_is_shown_once(alice: Client) -> None:
    endpoint = await add(alice, URL)
    assert endpoint["secret"].startswith("whsec_")
    one = await alice.get(f"/webhooks/endpoints/{endpoint['id']}")
    for answer in (one, await alice.get("/webhooks/endpoints")):
        assert "whsec_" not in answer.text
    assert (await add(alice, URL))["secret"] != endpoint["secret"]


async def test_saying_twice_that_it_is_enabled_is_one_fact(house: House, alice: Client) -> None:
    endpoint = await add(alice, URL)
    async with house.expect_events(WebhookDisabled):
        for _ in range(2):
            await alice.post(f"/webhooks/endpoints/{endpoint['id']}/disable")


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("url", "http://hooks.example.com/", "target_refused"),
        ("url", "https://10.0.0.1/", "target_refused"),
        ("url", "https://me:pass@hooks.example.com/", "target_refused"),
        ("url", "", "string_too_short"),
        ("filters", [], "too_short"),
        ("filters", ["invoice"], "unknown_event_type"),
        ("filters", ["invoice.payed"], "unknown_event_type"),
        ("filters", ["shop.whispered"], "unknown_event_type"),
        ("filters", ["paid.*"], "unknown_event_type"),
        ("filters", ["*.paid"], "string_pattern_mismatch"),
        ("headers", {"Host": "a"}, "not_valid"),
        ("headers", {"Webhook-Id": "a"}, "not_valid"),
        ("headers", {"Transfer-Encoding": "chunked"}, "not_valid"),
        ("headers", {"X-Forwarded-For": "1.1.1.1"}, "not_valid"),
        ("headers", {"x": "1", "X": "2"}, "not_valid"),
        ("headers", {"x": "a\r\nhost: b"}, "string_pattern_mismatch"),
        ("headers", {"x y": "a"}, "string_pattern_mismatch"),
        ("rate_per_minute", 0, "greater_than_equal"),
        ("schedule", "often", "literal_error"),
        ("api_version", "v9", "literal_error"),
        ("secret", "whsec_AAAA", "extra_forbidden"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_field(alice: Client, field: str, value: Any, code: str) -> None:
    answer = await alice.post("/webhooks/endpoints", {"url": URL, "filters": ["*"], field: value})
    assert answer.status_code == 422, answer.text
    [fault] = answer.json()["details"]
    assert (fault["field"].partition(".")[0], fault["code"]) == (field, code)
    endpoint = await add(alice, URL)
    if field != "rate_per_minute":  # where 0 lifts the bound
        changed = await alice.patch(f"/webhooks/endpoints/{endpoint['id']}", {field: value})
        assert changed.status_code == 422


async def test_in_production_hostile_addresses_are_refused_when_they_are_written_down(
    alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those whose names lead inside are found out at each call: see test_hostile."""
    monkeypatch.setattr(endpoints, "policy", lambda app: Policy())
    accepted = []
    for url, _ in HOSTILE:
        answer = await alice.post("/webhooks/endpoints", {"url": url, "filters": ["*"]})
        if answer.status_code != 422:
            accepted.append(url)
    assert accepted == [url for url, names in HOSTILE if names and ".example.com/" in url and url[:5] == "https"]


async def test_there_is_an_end_to_how_many(house: House, alice: Client, charlie: Client) -> None:
    for _ in range(50):
        await add(alice, URL)
    answer = await alice.post("/webhooks/endpoints", {"url": URL, "filters": ["*"]})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "too_many_endpoints")
    await add(charlie, URL)


async def test_who_may_not(alice: Client, bob: Client, charlie: Client, nobody: Client) -> None:
    endpoint = await add(alice, URL)
    path = f"/webhooks/endpoints/{endpoint['id']}"
    for client, status in ((bob, 403), (charlie, 404), (nobody, 401)):
        assert (await client.get(path)).status_code == status
        assert (await client.patch(path, {"filters": ["*"]})).status_code == status
        assert (await client.delete(path)).status_code == status
        assert (await client.get(f"{path}/stats")).status_code == status
        for verb, body in (
            ("rotate-secret", {}),
            ("test", {}),
            ("replay", {}),
            ("recover", {"since": "2026-01-01T00:00:00Z"}),
        ):
            assert (await client.post(f"{path}/{verb}", body)).status_code == status
    assert (await bob.get("/webhooks/endpoints")).status_code == 403
    assert (await charlie.get("/webhooks/endpoints")).json()["data"] == []
    assert (await alice.get(path)).status_code == 200
