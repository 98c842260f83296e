"""Limits and load as a caller meets them: headers, 429 and 503, and who is counted together."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

import httpx2
import pytest
from hypothesis import given, settings, strategies as st

from nexuscore.kernel import clock, limits
from nexuscore.kernel.app import App, compose
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.http import Exchange, Public, Reply, Routes, SignedIn
from nexuscore.kernel.http.auth import Identity
from nexuscore.kernel.limits import Limit
from nexuscore.kernel.module import Module
from nexuscore.kernel.settings import KernelSettings, load
from nexuscore.kernel.testing import ALICE, BOB, CHARLIE, Personas
from nexuscore.kernel.testing_redis import RedisServer

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
THREE = Limit("three", "3/min", per="organisation")
Anybody = Annotated[Exchange, Public("a test")]
Somebody = Annotated[Exchange, SignedIn()]
routes = Routes("/gates", tag="Gates")
outside = Routes("/gates", tag="Gates", outside_api=True)
hooks = Routes("/hooks/gates", tag="Gates", outside_api=True, unlimited="a test")


class Crowd:
    """Requests that are held inside until they may go on."""

    inside: ClassVar[int] = 0
    may_end: ClassVar[asyncio.Event]


@routes.get("/open")
async def gate(exchange: Anybody) -> Reply:
    """Everybody, with the house's limits."""
    return Reply(body=b"{}")


@routes.get("/mine")
async def own_gate(exchange: Somebody) -> Reply:
    """Whoever is signed in."""
    return Reply(body=b"{}")


@routes.get("/three", limit=THREE)
async def narrow_gate(exchange: Somebody) -> Reply:
    """Three a minute for an organisation."""
    return Reply(body=b"{}")


@routes.get("/{priority}", priority="normal")
async def slow_gate(exchange: Anybody, priority: str) -> Reply:
    """Holds who comes in."""
    return await _hold()


@routes.get("/held/low", priority="low")
async def low_gate(exchange: Anybody) -> Reply:
    """The same, of less importance."""
    return await _hold()


@routes.get("/held/critical", priority="critical")
async def critical_gate(exchange: Anybody) -> Reply:
    """Never refused for others' sake."""
    return Reply(body=b"{}")


@outside.get("")
async def outer_gate(exchange: Anybody) -> Reply:
    """Outside the API there is one limit for everybody."""
    return Reply(body=b"{}")


@hooks.post("")
async def hook_gate(exchange: Anybody) -> Reply:
    """Who says why has no limits but their own."""
    return Reply(body=b"{}")


async def _hold() -> Reply:
    Crowd.inside += 1
    try:
        await Crowd.may_end.wait()
    finally:
        Crowd.inside -= 1
    return Reply(body=b"{}")


module = Module(name="gates", package=None, routes=(routes, outside, hooks))


def made(**environ: str) -> App:
    """The app, its database closed: nothing here asks it."""
    app = compose([module], settings=load([KernelSettings], environ={"NEXUS_ENV": "test", **environ}, env_file=None))
    app.authenticator = Personas()
    return app


def caller(app: App, token: str | None = None, ip: str = "192.0.2.1") -> httpx2.AsyncClient:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    transport = httpx2.ASGITransport(app=app, client=(ip, 1234))
    return httpx2.AsyncClient(transport=transport, base_url="http://test/api/v1/gates", headers=headers)


async def answers(who: httpx2.AsyncClient, path: str, times: int) -> list[int]:
    return [(await who.get(path)).status_code for _ in range(times)]


@pytest.fixture
def app() -> App:
    return made()


async def test_every_answer_says_how_things_stand(app: App) -> None:
    with clock.fake(NOON) as now:
        await caller(app, "alice").get("/mine")
        now.advance(seconds=20)
        answer = await caller(app, "alice").get("/mine")
    assert answer.status_code == 200
    assert answer.headers["ratelimit-policy"] == '"user";q=1000;w=3600, "user-60s";q=100;w=60'
    assert answer.headers["ratelimit"] == '"user";r=998;t=3600, "user-60s";r=98;t=40'
    assert (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == ("100", "98")
    assert "retry-after" not in answer.headers


async def test_the_hundred_and_first_in_a_minute_is_told_when_to_come_back(app: App) -> None:
    alice = caller(app, "alice")
    with clock.fake(NOON) as now:
        assert await answers(alice, "/mine", 100) == [200] * 100
        refused = await alice.get("/mine", headers={"accept-language": "pl"})
        assert await answers(caller(app, "bob"), "/mine", 1) == [200]
        now.advance(seconds=int(refused.headers["retry-after"]))
        assert await answers(alice, "/mine", 1) == [200]
    assert (refused.status_code, refused.json()["error_code"]) == (429, "rate_limited")
    assert refused.json()["details"] == {"limit": "user", "most": 100, "window_s": 60, "retry_after_s": 60}
    assert (refused.headers["x-ratelimit-remaining"], refused.headers["retry-after"]) == ("0", "60")
    assert refused.json()["error"].startswith("Za dużo żądań")


async def test_a_thousand_in_an_hour(app: App) -> None:
    alice = caller(app, "alice")
    with clock.fake(NOON) as now:
        for _ in range(10):
            assert await answers(alice, "/mine", 100) == [200] * 100
            now.advance(seconds=70)
        refused = await alice.get("/mine")
        assert (refused.status_code, refused.json()["details"]["most"]) == (429, 1000)
        assert 2800 < int(refused.headers["retry-after"]) <= 3000


async def test_strangers_have_a_hundred_an_hour_by_address(app: App) -> None:
    one, neighbour, other = (caller(app, ip=f"2001:db8:0:{net}") for net in ("1::1", "1::2", "2::1"))
    assert await answers(one, "/open", 60) == [200] * 60
    assert await answers(neighbour, "/open", 41) == [200] * 40 + [429]
    assert await answers(other, "/open", 1) == [200]
    assert await answers(caller(app, "alice", "2001:db8:0:1::1"), "/open", 1) == [200], (
        "who signs in counts for themselves"
    )


async def test_tokens_cannot_be_guessed_faster_than_that(app: App) -> None:
    """Seen red when only those who got in were counted: every guess was answered 401."""
    guesses = [(await caller(app, f"guess-{number}").get("/mine")).status_code for number in range(102)]
    assert guesses == [401] * 100 + [429] * 2
    assert await answers(caller(app), "/mine", 1) == [429]


class Stranger(Personas):
    """Signs in whoever names an organisation of theirs, and nobody does."""

    async def identify(self, app: App, exchange: Exchange) -> Identity:
        raise NotFoundError


async def test_nor_can_organisations(app: App) -> None:
    """Whoever is refused while it is found out who they are counts as nobody. Seen red when only a bad token did."""
    app.authenticator = Stranger()
    found = [(await caller(app, "alice").get("/mine")).status_code for _ in range(102)]
    assert found == [404] * 100 + [429] * 2


async def test_a_proxy_that_adds_a_line_of_its_own_is_heard() -> None:
    """As HAProxy does. Seen: of what was sent the first line counted, which is the caller's, so all 120 came in."""
    app = made(NEXUS_TRUSTED_PROXIES="10.0.0.0/8")
    found = []
    for number in range(120):
        lines = [("x-forwarded-for", f"192.0.2.{number}"), ("x-forwarded-for", "203.0.113.50")]
        found.append((await caller(app, ip="10.0.0.1").get("/open", headers=lines)).status_code)
    assert found == [200] * 100 + [429] * 20


@pytest.mark.parametrize("header", ["x-forwarded-for", "x-real-ip", "forwarded"])
async def test_hole_3_a_forged_address_is_not_another_one(app: App, header: str) -> None:
    """Hole 3 (allauth; CVE-2024-47070), for every operation. Weakened: X-Forwarded-For was believed of anybody."""
    found = [(await caller(app).get("/open", headers={header: f"198.51.100.{n}"})).status_code for n in range(101)]
    assert found == [200] * 100 + [429]


async def test_an_operation_may_have_a_limit_of_its_own_and_says_so(app: App) -> None:
    assert await answers(caller(app, "alice"), "/three", 2) == [200, 200]
    assert await answers(caller(app, "bob"), "/three", 2) == [200, 429], "the organisation counts as one"
    assert await answers(caller(app, "charlie"), "/three", 1) == [200]
    answer = await caller(app, "charlie").get("/three")
    assert answer.headers["ratelimit-policy"].endswith('"three";q=3;w=60')
    assert answer.headers["x-ratelimit-limit"] == "3"
    assert ALICE.org == BOB.org != CHARLIE.org


async def test_outside_the_api_one_limit_counts_persons_and_the_addresses_of_strangers(app: App) -> None:
    """Seen red with the limits of what is outside the API left to each operation, as they were: 130 of 130 came in."""
    stranger, alice = caller(app), caller(app, "alice")
    found = await answers(stranger, "http://test/gates", 130)
    assert (found.count(200), found.count(429)) == (120, 10)
    refused = await stranger.get("http://test/api/docs")
    assert (refused.status_code, refused.json()["details"]["limit"]) == (429, "pages")
    assert await answers(alice, "http://test/gates", 1) == [200]
    assert await answers(caller(app, ip="192.0.2.2"), "http://test/gates", 1) == [200]
    assert await answers(stranger, "/open", 1) == [200]


async def test_what_says_why_counts_only_against_what_it_declares(app: App) -> None:
    here = caller(app)
    for path in ("http://test/hooks/gates", "http://test/health/live"):
        found = [await here.request("POST" if "hooks" in path else "GET", path) for _ in range(150)]
        assert {answer.status_code for answer in found} == {200}
        assert not any(name.startswith(("ratelimit", "x-ratelimit")) for answer in found for name in answer.headers)


async def test_limits_can_be_lifted_and_widened() -> None:
    lifted = caller(made(NEXUS_LIMITS="off"))
    assert await answers(lifted, "/open", 150) == [200] * 150
    assert "ratelimit" not in (await lifted.get("/open")).headers
    narrow = caller(made(NEXUS_LIMITS="off, anonymous=2/min"))
    assert await answers(narrow, "/open", 3) == [200, 200, 429]


async def test_the_document_tells_limits_from_the_same_values(app: App) -> None:
    operation = app.openapi["paths"]["/api/v1/gates/three"]["get"]
    assert operation["x-rate-limits"][-1] == {
        "name": "three",
        "per": "organisation",
        "quotas": [{"most": 3, "window_s": 60}],
    }
    assert [each["name"] for each in operation["x-rate-limits"]] == ["user", "anonymous", "three"]
    refused, shed = (_answer(app, operation["responses"][status]) for status in ("429", "503"))
    assert refused["x-codes"] == ["rate_limited"]
    assert {"Retry-After", "RateLimit"} <= refused["headers"].keys()
    assert "RateLimit" in operation["responses"]["200"]["headers"]
    assert "overloaded" in shed["x-codes"]
    assert "Retry-After" in shed["headers"]


def _answer(app: App, answer: dict[str, Any]) -> dict[str, Any]:
    name = answer["$ref"].removeprefix("#/components/responses/")
    found: dict[str, Any] = app.openapi["components"]["responses"][name]
    return found


@settings(max_examples=100, deadline=None)
@given(most=st.integers(1, 20), extra=st.integers(1, 10))
def test_property_12_over_the_limit_is_429_with_retry_after(most: int, extra: int) -> None:
    """Property P12, over HTTP: so many pass, each one more is 429 and says when, and then passes."""

    async def storm() -> None:
        app = made(NEXUS_LIMITS=f"off, three={most}/min")
        with clock.fake(NOON) as now:
            async with caller(app, "alice") as alice:
                found = await asyncio.gather(*(alice.get("/three") for _ in range(most + extra)))
                assert sorted(answer.status_code for answer in found) == [200] * most + [429] * extra
                late = [answer for answer in found if answer.status_code == 429]
                assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in late)
                now.advance(seconds=int(late[0].headers["retry-after"]))
                assert (await alice.get("/three")).status_code == 200

    asyncio.run(storm())


# --- load -------------------------------------------------------------------------------------------------------------


@contextmanager
def crowd() -> Iterator[None]:
    Crowd.inside, Crowd.may_end = 0, asyncio.Event()
    yield
    Crowd.may_end.set()


async def crowded(app: App, path: str, until: int) -> list["asyncio.Task[httpx2.Response]"]:
    """Requests that stay inside, so many that the next one of theirs is too many."""
    tasks: list[asyncio.Task[httpx2.Response]] = []
    while Crowd.inside < until:
        before = Crowd.inside
        tasks.append(asyncio.create_task(caller(app).get(path)))
        while Crowd.inside == before and not tasks[-1].done():
            await asyncio.sleep(0)
        assert not tasks[-1].done(), tasks[-1].result().text
    return tasks


async def test_under_load_the_low_go_first_and_the_critical_last() -> None:
    """Seen red with one bound for all: the critical were refused with the rest."""
    app = made(NEXUS_LIMITS="off", NEXUS_MAX_IN_FLIGHT="10")
    with crowd():
        await crowded(app, "/held/low", 5)
        refused = await caller(app).get("/held/low")
        assert (refused.status_code, refused.json()["error_code"]) == (503, "overloaded")
        assert 1 <= int(refused.headers["retry-after"]) <= 5
        held = await crowded(app, "/normal", 10)
        assert await answers(caller(app), "/normal", 1) == [503]
        critical = ("/held/critical", "http://test/health/live", "http://test/metrics")
        for path in critical:
            assert await answers(caller(app), path, 20) == [200] * 20
        Crowd.may_end.set()
        assert {answer.status_code for answer in await asyncio.gather(*held)} == {200}
        for path in ("/normal", "/held/low", *critical):
            assert await answers(caller(app), path, 1) == [200], "it recovers at once: nothing is queued"


async def test_who_gives_up_leaves_a_place_free() -> None:
    app = made(NEXUS_LIMITS="off", NEXUS_MAX_IN_FLIGHT="1")
    for _ in range(3):
        with crowd():
            [task] = await crowded(app, "/normal", 1)
            assert await answers(caller(app), "/normal", 1) == [503]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


# --- Redis ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["killed", "paused", "five seconds late"])
async def test_a_redis_that_is_away_is_nobodys_error(redis_server: RedisServer, how: str) -> None:
    """No 5xx, and once the circuit is open nobody asks it, so nobody waits. Seen red with `RedisDown` let through."""
    app = made(NEXUS_REDIS_URL=redis_server.url, NEXUS_LIMITS="off, three=30/min", NEXUS_REDIS_TIMEOUT_MS="100")
    assert app.redis is not None
    await app.redis.start()
    try:
        alice = caller(app, "alice")
        assert await answers(alice, "/three", 3) == [200] * 3
        match how:
            case "killed":
                redis_server.kill()
            case "paused":
                redis_server.pause()
            case _:
                redis_server.ask("CLIENT", "PAUSE", "5000", "ALL")
        assert await answers(alice, "/three", 40) == [200] * 30 + [429] * 10, "counted by this process alone"
        assert app.redis.breaker.state == "open"
        assert app.redis._line is None, "nobody asks it"
    finally:
        await app.redis.stop()
        redis_server.kill()


def test_sign_in_and_money_are_counted_locally_when_redis_is_away() -> None:
    assert {limit.name: limit.fail for limit in limits.HOUSE} == dict.fromkeys(
        ("user", "anonymous", "pages", "sign_in", "uploads", "payments", "chat"), "local"
    )
