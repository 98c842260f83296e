"""Redis as a process sees it: answers in order, nobody handed another's, and no waiting for one that is away."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from nexuscore.kernel.app import App
from nexuscore.kernel.redis import Redis, RedisDown, Script
from nexuscore.kernel.settings import KernelSettings, load
from nexuscore.kernel.testing_redis import RedisServer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def redis(redis_server: RedisServer, anyio_backend: str) -> AsyncIterator[Redis]:
    found = Redis(SecretStr(redis_server.url), prefix="test", timeout=0.25, retry=0.2)
    await found.start()
    try:
        yield found
    finally:
        await found.stop()


async def test_a_command_is_answered(redis: Redis) -> None:
    key = redis.key("limits", 7)
    assert key == "test:limits:7"
    assert await redis.call("SET", key, "שלום") == b"OK"
    assert await redis.call("GET", key) == "שלום".encode()
    assert await redis.call("GET", "other") is None


async def test_many_at_once_get_their_own_answers(redis: Redis) -> None:
    answers = await asyncio.gather(*(redis.call("ECHO", f"number {number}") for number in range(500)))
    assert answers == [f"number {number}".encode() for number in range(500)]


async def test_hole_27_a_cancelled_request_hands_its_answer_to_nobody(redis: Redis) -> None:
    """Hole 27 (OpenAI, March 2023). Weakened: who was cancelled left the row, so the next one got what they asked."""
    await redis.call("SET", "secret", "of somebody else")
    for _ in range(20):
        impatient = asyncio.create_task(redis.call("GET", "secret"))
        await asyncio.sleep(0)
        impatient.cancel()
        assert await redis.call("ECHO", "mine") == b"mine"
    assert redis.breaker.state == "closed"


async def test_a_script_is_sent_once_and_again_to_a_server_that_forgot_it(
    redis: Redis, redis_server: RedisServer
) -> None:
    script = Script("return {KEYS[1], ARGV[1]}")
    assert await redis.run(script, ["a"], [1]) == [b"a", b"1"]
    redis_server.ask("SCRIPT", "FLUSH")
    assert await redis.run(script, ["b"], [2]) == [b"b", b"2"]
    assert redis.breaker.state == "closed"


async def test_what_redis_refuses_to_do_is_as_bad_as_no_answer(redis: Redis) -> None:
    await redis.call("SET", "a", "text")
    with pytest.raises(RedisDown, match="not an integer"):
        await redis.call("INCR", "a")
    assert await redis.call("GET", "a") == b"text"


@pytest.mark.parametrize("how", ["kill", "pause"])
async def test_it_is_left_alone_after_five_failures_and_found_again(
    redis: Redis, redis_server: RedisServer, how: str
) -> None:
    """Seen red with a breaker that never opens: the sixth call went to the server again."""
    assert await redis.call("PING") == b"PONG"
    (redis_server.kill if how == "kill" else redis_server.pause)()
    for _ in range(5):
        with pytest.raises(RedisDown):
            await redis.call("PING")
    assert str(redis.breaker.state) == "open"
    with pytest.raises(RedisDown, match="left alone"):
        await redis.call("PING")
    (redis_server.start if how == "kill" else redis_server.resume)()
    await asyncio.sleep(0.25)
    assert await redis.call("PING") == b"PONG"
    assert redis.breaker.state == "closed"


async def test_a_lost_connection_is_opened_again(redis: Redis, redis_server: RedisServer) -> None:
    redis_server.ask("CLIENT", "KILL", "TYPE", "normal")
    for _ in range(5):
        try:
            assert await redis.call("ECHO", "again") == b"again"
            break
        except RedisDown:
            await asyncio.sleep(0.01)
    assert await redis.call("PING") == b"PONG"


async def test_a_process_starts_without_it_and_uses_it_once_it_is_there(redis_server: RedisServer) -> None:
    redis_server.kill()
    redis = Redis(SecretStr(redis_server.url), prefix="test", timeout=0.25, retry=0.1)
    await redis.start()
    try:
        with pytest.raises(RedisDown):
            await redis.call("PING")
        redis_server.start()
        assert await redis.call("PING") == b"PONG"
    finally:
        await redis.stop()


async def test_what_is_published_is_heard_and_a_loss_is_noticed(redis: Redis, redis_server: RedisServer) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    states: asyncio.Queue[bool] = asyncio.Queue()
    following = asyncio.create_task(redis.follow("news", heard.put_nowait, states.put_nowait))
    try:
        assert await asyncio.wait_for(states.get(), 5) is True
        await redis.call("PUBLISH", "news", "one")
        assert await asyncio.wait_for(heard.get(), 5) == b"one"
        redis_server.pause()
        assert await asyncio.wait_for(states.get(), 5) is False
        redis_server.resume()
        while await asyncio.wait_for(states.get(), 5) is False:
            pass
        await asyncio.sleep(0.25)
        await redis.call("PUBLISH", "news", "two")
        assert await asyncio.wait_for(heard.get(), 5) == b"two"
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_an_app_has_one_when_the_settings_name_it(composed: App, redis_server: RedisServer) -> None:
    assert composed.redis is None
    environ = {"NEXUS_ENV": "test", "NEXUS_REDIS_URL": redis_server.url}
    named = App((), load([KernelSettings], environ=environ, env_file=None))
    assert named.redis is not None


def test_without_the_setting_the_library_is_not_even_loaded() -> None:
    code = "import sys, json, nexuscore.kernel.app; print(json.dumps(sorted(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "redis" not in json.loads(loaded.stdout)
