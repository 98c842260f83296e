"""Webhooks survive `kill -9`: what happened is delivered at least once, what was acknowledged is taken in once.

Three hundred events and four kills here; `make soak` runs ten thousand and twenty. The receiver fails three times out
of ten. Seen red with `record` writing only the last attempt's number, with `claim` not taking over what its
predecessor had claimed, and with the inbox answering before its transaction ended.
"""

import asyncio
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx2
import pytest

from nexuscore.kernel.app import App
from nexuscore.kernel.testing import ORG_A
from nexuscore.modules.inbox.testing import signed_by_stripe
from nexuscore.modules.webhooks.testing import Heard, Receiver, Say, receiving
from tests.crash.hooks import Sold, modules
from tests.crash.places import Place, end, opened

pytestmark = pytest.mark.anyio
LONG = bool(os.environ.get("NEXUS_SOAK"))
EVENTS, KILLS = (10_000, 20) if LONG else (300, 4)
ENDPOINTS = 3  # so that both workers always have something under way
INBOUND, INBOUND_KILLS = (1_000, 20) if LONG else (150, 3)
SECRET = "whsec_of_the_stall"


@pytest.fixture
async def place(anyio_backend: str) -> AsyncIterator[Place]:
    async with opened(modules, "tests.crash.hooks:app", NEXUS_INBOX_STRIPE_SECRETS=SECRET) as place:
        yield place


@asynccontextmanager
async def killing(place: Place, receiver: Receiver, chance: random.Random) -> AsyncIterator[None]:
    """Two workers, both killed and replaced every now and then, while calls are under way."""
    running = [place.start("worker") for _ in range(2)]

    async def kill() -> None:
        for _ in range(KILLS // 2):
            await asyncio.sleep(chance.uniform(0.5, 2))
            async with asyncio.timeout(60):
                while not receiver.under_way:
                    await asyncio.sleep(0.001)
            for process in running:
                end(process)
            running[:] = [place.start("worker") for _ in range(2)]
            async with asyncio.timeout(60):
                while receiver.under_way:  # what the dead had begun
                    await asyncio.sleep(0.01)

    killer = asyncio.create_task(kill())
    try:
        yield
        await killer
    finally:
        killer.cancel()
        for process in running:
            end(process)


async def announce(app: App, count: int) -> None:
    """Events as they come in a busy hour: some at a time, all the time."""
    for first in range(0, count, 25):
        async with app.context(org=ORG_A) as ctx:
            for number in range(first, min(first + 25, count)):
                ctx.emit(Sold(number=number))
        await asyncio.sleep(0.25 if LONG else 0.4)


async def settled(place: Place, wanted: int) -> None:
    """Wait until every delivery has come to an end."""
    async with asyncio.timeout(900 if LONG else 120):
        while True:
            [row] = await place.asked(
                "SELECT count(*) AS all, count(*) FILTER (WHERE state = 'pending') AS pending FROM webhook_deliveries",
            )
            if row["all"] >= wanted and not row.pending:
                return
            await asyncio.sleep(0.25)


def fails_three_in_ten(chance: random.Random, heard_of: Counter[str], patience: int) -> Any:
    def say(heard: Heard) -> Say:
        heard_of[heard.id] += 1
        fails = heard_of[heard.id] <= patience and chance.random() < 0.3
        return Say(500 if fails else 200, after=chance.uniform(0, 0.2))

    return say


async def test_everything_is_delivered_though_workers_are_killed(place: Place) -> None:
    app = place.app
    chance = random.Random(20261120)  # noqa: S311 - moments and failures, not secrets
    answers: Counter[str] = Counter()
    async with receiving() as receiver:
        receiver.say = fails_three_in_ten(chance, answers, patience=100 if LONG else 3)
        endpoints = [await _add_endpoint(app, f"{receiver.url}/{number}") for number in range(ENDPOINTS)]
        async with killing(place, receiver, chance):
            await announce(app, EVENTS)
            await settled(place, EVENTS * ENDPOINTS)
            for endpoint in endpoints:
                await _recover(app, endpoint)
            await settled(place, EVENTS * ENDPOINTS)
        await _check(place, receiver)


async def _add_endpoint(app: App, url: str) -> str:
    transport = httpx2.ASGITransport(app=app)
    headers = {"authorization": "Bearer tok", "nexus-org": str(ORG_A)}
    async with httpx2.AsyncClient(transport=transport, base_url="http://here", headers=headers) as client:
        new = {"url": url, "filters": ["shop.*"], "schedule": "exponential-5"}
        answer = await client.post("/api/v1/webhooks/endpoints", json=new)
        assert answer.status_code == 201, answer.text
        id: str = answer.json()["id"]
        return id


async def _recover(app: App, endpoint: str) -> None:
    """Six failures in a row end a delivery; whoever runs the receiver then recovers what failed."""
    transport = httpx2.ASGITransport(app=app)
    headers = {"authorization": "Bearer tok", "nexus-org": str(ORG_A)}
    async with httpx2.AsyncClient(transport=transport, base_url="http://here", headers=headers) as client:
        since = {"since": "2020-01-01T00:00:00Z"}
        answer = await client.post(f"/api/v1/webhooks/endpoints/{endpoint}/recover", json=since)
        assert answer.status_code == 200, answer.text


async def _check(place: Place, receiver: Receiver) -> None:
    deliveries = await place.asked("SELECT id::text, event_id::text, state, attempts FROM webhook_deliveries")
    rows = await place.asked("SELECT delivery_id::text AS id, state FROM webhook_attempts")
    assert Counter(each.state for each in deliveries) == {"delivered": EVENTS * ENDPOINTS}
    heard = Counter(each.id for each in receiver.heard)
    assert set(heard) == {each.id for each in deliveries}, "every delivery was heard, under its id"
    sent: dict[tuple[str, str], set[str]] = {}
    for each in receiver.heard:
        sent.setdefault((each.path, each.json["id"]), set()).add(each.id)
    assert len(sent) == EVENTS * ENDPOINTS
    assert {len(ids) for ids in sent.values()} == {1}, "an event is always sent to an endpoint under the same id"
    logged = Counter(row.id for row in rows)
    assert {each.id: each.attempts for each in deliveries} == logged, "as many attempts as rows of the log"
    states = Counter(row.state for row in rows)
    assert states["running"] == 0
    answered = states["delivered"] + states["failed"]
    assert answered <= sum(heard.values()) <= answered + states["interrupted"], "no request without a row"
    assert all(heard[id] <= logged[id] for id in heard)
    assert states["interrupted"], "kills while calls are under way interrupt some"
    sys.stdout.write(f"{EVENTS} events, {KILLS} kills: {sum(heard.values())} requests, {dict(states)}\n")


async def _post_until_killed(port: int, numbers: Sequence[int], acknowledged: list[str]) -> None:
    """Post signed events, ten at a time; note those that were acknowledged."""
    waiting = list(numbers)

    async def post(client: httpx2.AsyncClient) -> None:
        while waiting:
            id = f"evt_{waiting.pop()}"
            body = b'{"id": "%s", "type": "charge.succeeded"}' % id.encode()
            headers = {"content-type": "application/json", **signed_by_stripe(SECRET, body)}
            answer = await client.post("/hooks/stripe", content=body, headers=headers)
            assert answer.status_code == 200, answer.text
            acknowledged.append(id)

    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
        with suppress(httpx2.TransportError):
            await asyncio.gather(*(post(client) for _ in range(10)))


async def _ready(port: int, process: "subprocess.Popen[bytes]") -> None:
    async with asyncio.timeout(60), httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        while True:
            assert process.poll() is None, "the server ended by itself"
            with suppress(httpx2.TransportError):
                if (await client.get("/health/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.05)


async def test_what_was_acknowledged_is_taken_in(place: Place, free_tcp_port: int) -> None:
    chance = random.Random(42)  # noqa: S311 - moments, not secrets
    acknowledged: list[str] = []
    sent = killed = 0
    process = place.start("serve", "--port", str(free_tcp_port))
    await _ready(free_tcp_port, process)
    try:
        while len(acknowledged) < INBOUND or killed < INBOUND_KILLS:
            posting = asyncio.create_task(
                _post_until_killed(free_tcp_port, range(sent, sent + INBOUND // 2), acknowledged)
            )
            sent += INBOUND // 2
            if killed < INBOUND_KILLS:
                await asyncio.sleep(chance.uniform(0.02, 0.4))
                end(process)
                killed += 1
                await posting
                process = place.start("serve", "--port", str(free_tcp_port))
                await _ready(free_tcp_port, process)
            await posting
        async with asyncio.timeout(120):
            while (await place.asked("SELECT count(*) AS n FROM inbox_messages WHERE state = 'pending'"))[0].n:
                await asyncio.sleep(0.25)
    finally:
        end(process)
    stored = [each.event_id for each in await place.asked("SELECT event_id FROM inbox_messages")]
    counted = [each.subject for each in await place.asked("SELECT subject FROM events WHERE type = 'stall.counted'")]
    assert len(acknowledged) >= INBOUND
    assert set(acknowledged) <= set(stored), "an acknowledged event is lost"
    assert sorted(counted) == sorted(stored), "every event was handled to the end, once"
    sys.stdout.write(f"{len(acknowledged)} acknowledged, {len(stored)} stored, {killed} kills\n")
