"""Limits as values and as counting: never one too many in any stretch of the window, and never one too few for long."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pydantic import SecretStr

from nexuscore.kernel import clock, limits
from nexuscore.kernel.access import Actor
from nexuscore.kernel.app import App, compose
from nexuscore.kernel.errors import ConfigurationError, RateLimitError
from nexuscore.kernel.http.auth import Identity
from nexuscore.kernel.limits import Asked, Limit, Limits, Verdict, read_rate, whom
from nexuscore.kernel.module import Module
from nexuscore.kernel.quotas import RUNS, Memory, Quota
from nexuscore.kernel.redis import Redis
from nexuscore.kernel.settings import KernelSettings, load
from nexuscore.kernel.testing import ALICE, ORG_A
from nexuscore.kernel.testing_redis import RedisServer

pytestmark = pytest.mark.anyio
THREE = Limit("three", "3/min")


def limiter(redis: Redis | None = None, **changed: str) -> Limits:
    return Limits([*limits.HOUSE, THREE], changed, redis)


# --- what is written --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "quotas"),
    [
        ("5/min", [(5, 60)]),
        ("1000/h + 100/min", [(1000, 3600), (100, 60)]),
        ("5/15min+20/day", [(5, 900), (20, 86_400)]),
        ("1/30s", [(1, 30)]),
    ],
)
def test_a_rate_is_written_as_it_is_said(rate: str, quotas: list[tuple[int, int]]) -> None:
    assert [(quota.most, quota.seconds) for quota in read_rate(rate)] == quotas


@pytest.mark.parametrize("rate", ["", "5", "5/", "0/min", "5/0min", "-5/min", "5/fortnight", "5/min,", "5/min + "])
def test_what_is_no_rate_is_refused(rate: str) -> None:
    with pytest.raises(ConfigurationError, match="is no rate"):
        Limit("wrong", rate)


def test_the_house_has_the_limits_that_were_decided() -> None:
    assert {limit.name: (limit.rate, limit.per) for limit in limits.HOUSE} == {
        "user": ("1000/h + 100/min", "person"),
        "anonymous": ("100/h", "address"),
        "pages": ("120/min + 2000/h", "person"),
        "sign_in": ("5/min", "address"),
        "uploads": ("10/h", "person"),
        "payments": ("5/h", "person"),
        "chat": ("30/min", "person"),
    }


def changed_app(text: str, *modules: Module) -> App:
    environ = {"NEXUS_ENV": "test", "NEXUS_LIMITS": text}
    return compose(modules, settings=load([KernelSettings], environ=environ, env_file=None))


def test_settings_change_and_lift_limits() -> None:
    app = changed_app("uploads=20/h + 5/min, chat=off")
    changed = app.limits.of(limits.UPLOADS)
    assert changed is not None
    assert [(quota.most, quota.seconds) for quota in changed.quotas] == [(20, 3600), (5, 60)]
    assert app.limits.of(limits.CHAT) is None
    assert app.limits.of(limits.USER) == limits.USER
    none = changed_app("off, uploads=20/h")
    assert (none.limits.of(limits.USER), none.limits.of(limits.UPLOADS) is None) == (None, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("uploads=often", "is no rate"),
        ("uploads", "must look like"),
        ("upload=20/h", "names 'upload', which nobody declares"),
    ],
)
def test_a_setting_that_means_nothing_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        changed_app(text)


def test_two_limits_of_one_name_are_refused() -> None:
    one, other = (
        Module(name=name, package=None, limits=(Limit("exports", rate),)) for name, rate in (("a", "1/h"), ("b", "2/h"))
    )
    with pytest.raises(ConfigurationError, match="limit 'exports' is declared by 'a' and, otherwise, by 'b'"):
        changed_app("off", one, other)


# --- who is counted ---------------------------------------------------------------------------------------------------


def test_who_is_counted() -> None:
    person = Identity(Actor("user", ALICE.id), ORG_A)
    key = Identity(Actor("key", ALICE.id, facts={"key": "k1"}), ORG_A)
    assert whom(Limit("a", "1/h", per="person"), person, "192.0.2.1") == f"person:{ALICE.id}"
    assert whom(Limit("a", "1/h", per="person"), key, "192.0.2.1") == f"person:{ALICE.id}"
    assert whom(Limit("a", "1/h", per="key"), key, "192.0.2.1") == "key:k1"
    assert whom(Limit("a", "1/h", per="organisation"), person, "192.0.2.1") == f"organisation:{ORG_A}"
    assert whom(Limit("a", "1/h", per="address"), person, "192.0.2.1") == "address:192.0.2.1"
    for per in ("person", "key", "organisation", "address"):
        assert whom(Limit("a", "1/h", per=per), Identity(), "192.0.2.1") == "address:192.0.2.1"


@pytest.mark.parametrize(
    ("ip", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("testclient", "testclient"),
        (None, "unknown"),
    ],
)
def test_a_subscriber_of_ipv6_is_one_address(ip: str | None, counted: str) -> None:
    assert limits.address(ip) == counted


# --- counting in memory -----------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 200),
    st.sampled_from([10, 60, 3600]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(1, 40), st.booleans()), min_size=1, max_size=60),
)
def test_never_more_in_any_stretch_of_the_window_and_a_refusal_says_when(
    most: int, seconds: int, steps: list[tuple[float, int, bool]]
) -> None:
    """Property P12, of the counting itself. Seen red with a window that starts anew (twice as many around its edge),
    and with runs that leave with their first hit."""
    memory, quota = Memory(), Quota(most, seconds)
    now, admitted = 1_000_000.0, list[float]()
    for pause, times, patient in steps:
        now += pause * seconds / 3
        for _ in range(times):
            yes, [standing] = memory.take([(quota, "a")], now)
            if not yes:
                counted = sum(now - seconds - quota.grain <= at for at in admitted)
                assert counted >= most, "refused although there was room"
                if not patient:
                    continue
                now += standing.seconds + 1e-6
                assert memory.take([(quota, "a")], now)[0], "it was told to come back then"
            assert sum(at > now - seconds for at in admitted) < most, "one too many"
            admitted.append(now)


def test_a_full_quota_comes_back_after_the_window_and_not_before() -> None:
    memory, quota = Memory(), Quota(5, 60)
    assert [memory.take([(quota, "a")], 100.0)[0] for _ in range(6)] == [True] * 5 + [False]
    assert not memory.take([(quota, "a")], 159.9)[0]
    assert [memory.take([(quota, "a")], 160.0)[0] for _ in range(6)] == [True] * 5 + [False]


def test_of_two_quotas_either_refuses_and_a_refusal_counts_against_neither() -> None:
    memory, hour, minute = Memory(), Quota(4, 3600), Quota(2, 60)

    def take(now: float) -> bool:
        return memory.take([(hour, "h"), (minute, "m")], now)[0]

    assert [take(0.0) for _ in range(20)] == [True] * 2 + [False] * 18
    assert [take(60.0) for _ in range(20)] == [True] * 2 + [False] * 18
    assert not take(120.0)
    assert [take(3600.0) for _ in range(3)] == [True, True, False]


def test_memory_is_bounded() -> None:
    memory = Memory(most_keys=100)
    for number in range(1000):
        memory.take([(Quota(1, 3600), f"key {number}")], 0.0)
    assert len(memory) <= 101
    for number in range(200):
        memory.take([(Quota(1, 3600), "other")], 10_000.0 + number)
    assert len(memory) == 1


def test_a_busy_key_is_not_a_long_list() -> None:
    memory, quota = Memory(), Quota(100_000, 3600)
    for number in range(20_000):
        memory.take([(quota, "a")], number / 2)
    assert len(memory._logs["a"].runs) <= RUNS + 2


# --- counting in Redis ------------------------------------------------------------------------------------------------


@pytest.fixture
async def redis(redis_server: RedisServer, anyio_backend: str) -> AsyncIterator[Redis]:
    found = Redis(SecretStr(redis_server.url), prefix="test", timeout=2, retry=0.2)
    await found.start()
    try:
        yield found
    finally:
        await found.stop()


async def test_several_count_together_in_redis(redis: Redis) -> None:
    one, other = limiter(redis), limiter(redis)
    verdicts = await asyncio.gather(*((one, other)[n % 2].take([Asked(THREE, "alice")]) for n in range(50)))
    assert sum(verdict.admitted for verdict in verdicts) == 3
    assert (await one.take([Asked(THREE, "bob")])).admitted


async def test_a_quota_comes_back_in_redis(redis: Redis) -> None:
    quick = Limit("quick", "2/1s")
    found = limiter(redis)
    assert [(await found.take([Asked(quick, "a")])).admitted for _ in range(3)] == [True, True, False]
    refused = await found.take([Asked(quick, "a")])
    await asyncio.sleep(refused.standings[0][3].seconds + 0.01)
    assert (await found.take([Asked(quick, "a")])).admitted
    await asyncio.sleep(1.05)
    lone = await found.take([Asked(Limit("none", "1/h"), "a"), Asked(quick, "a")])
    assert [standing.left for *_, standing in lone.standings] == [0, 1]


async def test_runs_in_redis_are_those_of_memory(redis: Redis) -> None:
    """A quota above 64 is kept as runs: a few entries, one total."""
    many, found = Limit("many", "1000/h"), limiter(redis)
    verdicts = [await found.take([Asked(many, "a")]) for _ in range(150)]
    assert [verdict.standings[0][3].left for verdict in verdicts] == [1000 - n - 1 for n in range(150)]
    [key] = await redis.call("KEYS", "*")
    assert await redis.call("HLEN", key) == 4, "first, last, total and one run"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 12)), min_size=1, max_size=4))
def test_redis_decides_as_memory_does(cases: list[tuple[int, int, int]], redis_loop: Any) -> None:
    """The same script of tries, told the same: the two ways of counting are one."""
    run, redis, counter = redis_loop
    for hour, minute, tries in cases:
        counter[0] += 1
        limit = Limit(f"both{counter[0]}", f"{hour}/h + {minute}/min")
        there, here = limiter(redis), limiter()
        for _ in range(tries):
            told, known = run(there.take([Asked(limit, "a")])), run(here.take([Asked(limit, "a")]))
            assert (told.admitted, _lefts(told)) == (known.admitted, _lefts(known))


def _lefts(verdict: Verdict) -> list[int]:
    return [standing.left for *_, standing in verdict.standings]


@pytest.fixture
def redis_loop(redis_server: RedisServer) -> Any:
    with asyncio.Runner() as runner:
        redis = Redis(SecretStr(redis_server.url), prefix="test", timeout=2, retry=0.2)
        runner.run(redis.start())
        yield runner.run, redis, [0]
        runner.run(redis.stop())


@pytest.mark.parametrize("fail", ["local", "open", "closed"])
async def test_without_redis_each_limit_does_as_it_says(redis: Redis, redis_server: RedisServer, fail: str) -> None:
    """Sign-in and money are `local`: an outage gives each process its own count, not none. Seen red with all `open`."""
    limit = Limit("careful", "3/min", fail=fail)  # type: ignore[arg-type]  # one of the three
    found = limiter(redis)
    redis_server.kill()
    admitted = [(await found.take([Asked(limit, "a")])).admitted for _ in range(10)]
    assert admitted == {"local": [True] * 3 + [False] * 7, "open": [True] * 10, "closed": [False] * 10}[fail]
    last = (await found.take([Asked(limit, "a")])).refused() if fail == "closed" else None
    assert last is None or (last.status, last.code) == (503, "cache_error"), "it is not who asks that was too fast"
    redis_server.start()
    await asyncio.sleep(0.25)
    assert [(await found.take([Asked(limit, "a")])).admitted for _ in range(4)] == [True] * 3 + [False]


async def test_the_keys_in_redis_name_nobody(redis: Redis) -> None:
    await limiter(redis).take([Asked(THREE, "address:192.0.2.1")])
    [key] = await redis.call("KEYS", "*")
    assert key.startswith(b"test:limit:three:60:")
    assert b"192.0.2.1" not in key
    assert 60_000 < await redis.call("PTTL", key) <= 61_000


# --- in a verb --------------------------------------------------------------------------------------------------------


async def test_a_verb_asks_for_a_limit_itself() -> None:
    app = cast("App", SimpleNamespace(limits=limiter()))
    with clock.fake(datetime(2026, 11, 20, tzinfo=UTC)) as now:
        for _ in range(3):
            await limits.require(app, THREE, "alice@example.com")
        with pytest.raises(RateLimitError) as refused:
            await limits.require(app, THREE, "alice@example.com")
        assert refused.value.details == {"limit": "three", "most": 3, "window_s": 60, "retry_after_s": 60}
        await limits.require(app, THREE, "bob@example.com")
        now.advance(seconds=60)
        await limits.require(app, THREE, "alice@example.com")
