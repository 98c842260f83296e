"""Somebody is told: soon, once, by every way that is set up; and a failure of one way silences no other."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest

from nexuscore.kernel import alerts, log, watch
from nexuscore.kernel.alerts import RULES, AlertSender
from nexuscore.kernel.app import App, compose
from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.http import Exchange, Public, Routes
from nexuscore.kernel.module import Module
from nexuscore.kernel.settings import KernelSettings, load
from nexuscore.kernel.sight import Tally

pytestmark = pytest.mark.anyio
routes = Routes("/failing", tag="Failing")


@routes.get("/{which}")
async def fail_somehow(exchange: Annotated[Exchange, Public("a test")], which: str) -> None:
    """Fail, with somebody's secret in the reason."""
    raise RuntimeError(f"{which}: token=hunter2hunter2")


FAILING = Module(name="failing", package=None, routes=(routes,))


@dataclass
class Receiver:
    """A real HTTP server that takes alerts, and answers as it is told."""

    url: str = ""
    status: int = 200
    bodies: list[dict[str, Any]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(re.search(r"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]  # our client sends it
        self.heads.append(head)
        self.bodies.append(json.loads(await reader.readexactly(length)))
        writer.write(b"HTTP/1.1 %d OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % self.status)
        writer.close()
        await writer.wait_closed()
        self.heard.set()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.talk, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook/s3cret"
    try:
        yield receiver
    finally:
        server.close()


@pytest.fixture
async def receiver(anyio_backend: str) -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


def made(data: Path, *modules: Module, **chosen: str) -> App:
    environ = {"NEXUS_ENV": "test", "NEXUS_DATA": str(data), "NEXUS_LIMITS": "off", **chosen}
    return compose([FAILING, *modules], settings=load([KernelSettings], environ=environ, env_file=None))


@pytest.fixture
def app(receiver: Receiver, tmp_path: Path) -> App:
    return made(tmp_path, NEXUS_ALERT_HOOK_URL=receiver.url)


async def get(app: App, path: str) -> int:
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [], "client": ("::1", 1)}
    await app(scope, receive, send)
    return int(said[0]["status"])


def answered(app: App, times: int, *, status: int = 200, seconds: float = 0.1, **spent: int) -> None:
    tally = Tally()
    for name, value in spent.items():
        setattr(tally, name, value)
    for _ in range(times):
        app.watch.request("/notes", status, seconds, tally, "broken" if status >= 500 else None, "r-1")


# --- what is told ---------------------------------------------------------------------------------


async def test_a_fault_of_ours_is_told_once_with_its_count(app: App, receiver: Receiver, fake_clock: FakeClock) -> None:
    for _ in range(3):
        assert await get(app, "/api/v1/failing/one") == 500
    await app.watch.alerts.tell()
    (told,) = receiver.bodies
    assert (told["rule"], told["severity"], told["count"]) == ("server_error", "critical", 3)
    assert told["text"] == "[critical] NexusCore: /api/v1/failing/{which} fails with RuntimeError (3 times)"
    assert told["facts"]["route"] == "/api/v1/failing/{which}"
    assert re.fullmatch(r"[0-9a-f]{32}", told["facts"]["request_id"]), "to be found in the log"
    assert "hunter2" not in json.dumps(told)


async def test_the_same_matter_is_told_again_only_after_a_while(
    app: App, receiver: Receiver, fake_clock: FakeClock
) -> None:
    """Seen red without `_told`: a failing route rang every five seconds."""
    for _ in range(10):
        await get(app, "/api/v1/failing/one")
        await app.watch.alerts.tell()
        fake_clock.advance(seconds=60)
    assert [told["count"] for told in receiver.bodies] == [1]
    fake_clock.advance(minutes=6)
    await app.watch.alerts.tell()
    assert [told["count"] for told in receiver.bodies] == [1, 9], "what happened meanwhile is counted"


async def test_a_storm_of_matters_is_bounded(app: App, receiver: Receiver, fake_clock: FakeClock) -> None:
    for number in range(1000):
        app.watch.alerts.alert("slow_answers", f"matter {number}", count=3)
    app.watch.alerts.alert("server_error", "/last", route="/last", code="x")
    await app.watch.alerts.tell()
    assert len(receiver.bodies) == 20
    assert receiver.bodies[0]["rule"] == "server_error", "the critical first"
    await app.watch.alerts.tell()
    assert len(receiver.bodies) == 20
    fake_clock.advance(hours=1)
    await app.watch.alerts.tell()
    assert len(receiver.bodies) == 40


async def test_a_receiver_that_fails_is_asked_again_and_silences_no_other(
    receiver: Receiver, tmp_path: Path, fake_clock: FakeClock
) -> None:
    async with receiving() as pager:
        app = made(
            tmp_path,
            NEXUS_ALERT_HOOK_URL=receiver.url,
            NEXUS_ALERT_PAGERDUTY_KEY="routing-key-1",
            NEXUS_ALERT_PAGERDUTY_URL=pager.url,
        )
        receiver.status = 503
        await get(app, "/api/v1/failing/one")
        await app.watch.alerts.tell()
        receiver.status = 200
        await app.watch.alerts.tell()
        await app.watch.alerts.tell()
    assert (len(receiver.bodies), len(pager.bodies)) == (2, 1), "PagerDuty had taken it the first time"
    (event,) = pager.bodies
    assert (event["routing_key"], event["event_action"]) == ("routing-key-1", "trigger")
    assert event["payload"]["severity"] == "critical"
    assert event["dedup_key"] == "http://127.0.0.1:8000/server_error//api/v1/failing/{which} RuntimeError"


@dataclass
class Redis:
    """What several processes share."""

    keys: set[str] = field(default_factory=set)

    def key(self, *parts: object) -> str:
        return ":".join(map(str, parts))

    async def call(self, *command: Any) -> Any:
        assert command[0] == "SET"
        assert command[3] == "NX"
        if command[1] in self.keys:
            return None
        self.keys.add(command[1])
        return b"OK"


async def test_of_several_processes_one_tells(receiver: Receiver, tmp_path: Path, fake_clock: FakeClock) -> None:
    apps = [made(tmp_path, NEXUS_ALERT_HOOK_URL=receiver.url) for _ in range(3)]
    shared = Redis()
    for app in apps:
        app.redis = shared  # type: ignore[assignment]  # as much of one as alerts use
        await get(app, "/api/v1/failing/one")
        await app.watch.alerts.tell()
    assert len(receiver.bodies) == 1


# --- the rules ------------------------------------------------------------------------------------


def waiting(app: App) -> dict[str, str]:
    """What would be told, in words."""
    return {alert.rule.name: alert.told() for alert in app.watch.alerts._waiting.values()}


async def test_error_rates_are_held_against_the_rules(app: App, fake_clock: FakeClock) -> None:
    answered(app, 95)
    answered(app, 5, status=500)
    app.watch.analyse()
    assert set(waiting(app)) == {"server_error"}, "5 % is not above 5 %"
    answered(app, 2, status=500)
    app.watch.analyse()
    assert waiting(app)["error_rate"] == "7 % of the last 100 requests failed"
    answered(app, 10, status=502)
    app.watch.analyse()
    assert "a spike" in waiting(app)["error_spike"]


async def test_a_few_requests_say_nothing_of_a_rate(app: App, fake_clock: FakeClock) -> None:
    answered(app, 19, status=500)
    app.watch.analyse()
    assert "error_spike" not in waiting(app)
    fake_clock.advance(minutes=6)
    answered(app, 19, status=500)
    app.watch.analyse()
    assert "error_spike" not in waiting(app), "what was more than five minutes ago is over"


async def test_slow_answers_many_queries_and_a_useless_cache_are_told(app: App, fake_clock: FakeClock) -> None:
    answered(app, 1, seconds=5.1)
    answered(app, 2, seconds=1.1)
    answered(app, 1, queries=51)
    answered(app, 20, cache_hits=1, cache_misses=3)
    app.watch.analyse()
    assert waiting(app) == {
        "slow_answer": "/notes took 5.1 s to answer",
        "slow_answers": "3 slow answers in 5 minutes",
        "too_many_queries": "/notes sent the database 51 statements",
        "cache_misses": "Only 25 % of looks into the cache found something",
    }


async def test_who_is_told_depends_on_how_bad_it_is(app: App, receiver: Receiver, fake_clock: FakeClock) -> None:
    """Information goes to the log alone, warnings not to the hook, but for those a chat wants."""
    answered(app, 3, seconds=5.1)
    answered(app, 20, cache_hits=1, cache_misses=3)
    app.watch.job("mail.deliver", "parked", 7)
    app.watch.analyse()
    await app.watch.alerts.tell()
    assert [told["rule"] for told in receiver.bodies] == ["slow_answers"]


async def test_what_a_process_sheds_by_itself_is_no_fault(app: App, fake_clock: FakeClock) -> None:
    app.watch.request("/notes", 503, 0.0, Tally(), "overloaded", "r-1")
    assert waiting(app) == {}


async def test_a_database_that_is_gone_is_told(app: App, fake_clock: FakeClock) -> None:
    """The app is not started here, so it has none."""
    await app.watch.look()
    assert waiting(app)["health_lost"] == "database is down, and nothing works without it"


# --- the round ------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(alerts, "TICK", 0.01)
    yield
    log.on_critical(None)


async def test_by_itself_it_tells_what_was_critical(
    app: App, receiver: Receiver, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way, as it runs: a line is written, the watch makes its round, the receiver hears of it."""
    app.watch.start()
    try:
        log.get_logger("ledger").critical("books_do_not_balance", account=7)
        async with asyncio.timeout(10):
            await receiver.heard.wait()
    finally:
        await app.watch.stop()
    assert receiver.bodies[0]["facts"] == {"of_event": "books_do_not_balance", "of_logger": "ledger"}


async def test_what_waits_is_told_before_the_process_ends(app: App, receiver: Receiver) -> None:
    app.watch.start()
    await get(app, "/api/v1/failing/one")
    await app.watch.stop()
    assert len(receiver.bodies) == 1


def test_all_of_it_is_within_a_minute() -> None:
    """A round in which the last sender takes its whole time, after one that had just passed, and the short window."""
    assert alerts.TICK + watch.ANALYSE_S + 2 * 15 < 60


async def test_every_rule_can_be_told(app: App, fake_clock: FakeClock) -> None:
    facts = {"route": "/x", "code": "c", "percent": 1, "requests": 2, "event": "e", "check": "k", "seconds": 3}
    for name in RULES:
        app.watch.alerts.alert(name, "", **facts, count=4, queries=5, job="j")
    assert all("{" not in told for told in waiting(app).values())
    await app.watch.alerts.tell()
    assert waiting(app) == {}


def test_a_sender_of_ones_own_fills_the_slot(tmp_path: Path) -> None:
    class Bell(AlertSender):
        name = "bell"

        def is_set_up(self, app: App) -> bool:
            return True

        async def send(self, app: App, alert: alerts.Alert) -> None:
            return None

    app = made(tmp_path, Module(name="bell", package=None, contributes=(Bell(),)))
    assert [each.name for each in app.watch.alerts._senders()] == ["bell"]
