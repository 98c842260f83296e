"""Signing in by password: what is announced, refused, and handed to a second factor."""

import asyncio
from threading import Event
from typing import Any
from uuid import UUID

import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.errors import NexusError, ServiceUnavailable
from nexuscore.kernel.testing import House
from nexuscore.modules.identity import directory, sessions, sign_in as signing_in, single_use
from nexuscore.modules.identity.errors import SecretInvalid
from nexuscore.modules.identity.events import SessionRevoked, SignedIn, SignInChallenged, SignInFailed
from nexuscore.modules.identity.hashing import Threads
from nexuscore.modules.identity.testing import PASSWORD, QUICK, account, person, sign_in, visitor

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings() -> dict[str, str]:
    return {**QUICK, "NEXUS_IDENTITY_SIGN_IN_PER_MINUTE": "5"}


async def test_a_failure_is_announced_without_the_strangers_address(house: House) -> None:
    anna = await account(house, "anna@example.com")
    async with house.expect_events(SignInFailed, SignInFailed) as facts:
        for email in ("Anna+x@example.com", "anna@example.com"):
            await visitor(house).post("/auth/sign-in", {"email": email, "password": "wrong"})
    assert [fact.body["user_id"] for fact in facts] == [None, str(anna.id)]
    assert facts[0].body["account"] == facts[1].body["account"]
    assert facts[0].body["reason"] == "invalid_credentials"
    assert facts[0].ip == "203.0.113.7"
    assert "example" not in str([fact.body for fact in facts])


async def test_too_many_tries_are_announced_once(house: House) -> None:
    client = visitor(house)
    async with house.expect_events(*[SignInFailed] * 6) as facts:
        for _ in range(9):
            answer = await client.post("/auth/sign-in", {"email": "anna@example.com", "password": "x"})
    assert (answer.status_code, answer.json()["error_code"]) == (429, "rate_limited")
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert [fact.body["reason"] for fact in facts][-1] == "rate_limited"


async def test_the_limit_lifts_by_itself(house: House, fake_clock: FakeClock) -> None:
    await account(house, "anna@example.com")
    for _ in range(6):
        await visitor(house).post("/auth/sign-in", {"email": "anna@example.com", "password": "x"})
    fake_clock.advance(seconds=60)
    await sign_in(visitor(house), "anna@example.com")


@pytest.fixture
def totp(monkeypatch: pytest.MonkeyPatch) -> None:
    async def factors(*_: Any) -> list[str]:
        return ["totp", "recovery_code"]

    monkeypatch.setattr(signing_in, "factors_of", factors)


@pytest.mark.usefixtures("totp")
async def test_a_second_factor_is_asked_for_before_any_session(house: House, fake_clock: FakeClock) -> None:
    anna = await account(house, "anna@example.com")
    client = visitor(house)
    async with house.expect_events(SignInChallenged):
        answer = await client.post("/auth/sign-in", {"email": anna.email, "password": PASSWORD, "session": "cookie"})
    body = answer.json()
    assert (body["status"], body["factors"]) == ("second_factor_needed", ["totp", "recovery_code"])
    assert body["expires_in"] == 600
    challenge = UUID(body["challenge"])
    async with house.expect_events(SignedIn) as facts, house.app.context() as ctx:
        opened = await signing_in.meet(ctx, challenge, await directory.user(ctx, anna.id), "totp")
    assert facts[0].body["factors"] == ["password", "totp"]
    assert not isinstance(opened, NexusError)
    assert opened.cookie
    with pytest.raises(SecretInvalid):
        async with house.app.context() as ctx:
            await signing_in.meet(ctx, challenge, await directory.user(ctx, anna.id), "totp")


@pytest.mark.usefixtures("totp")
async def test_a_challenge_is_tried_a_few_times_and_not_for_long(house: House, fake_clock: FakeClock) -> None:
    anna = await account(house, "anna@example.com")
    body = {"email": anna.email, "password": PASSWORD}
    challenge = UUID((await visitor(house).post("/auth/sign-in", body)).json()["challenge"])
    tries = []
    for _ in range(6):
        async with house.app.context() as ctx:
            tries.append(await single_use.count_try(ctx, single_use.SIGN_IN, challenge, 5) is not None)
    assert tries == [True] * 5 + [False]
    late = UUID((await visitor(house).post("/auth/sign-in", body)).json()["challenge"])
    fake_clock.advance(minutes=10)
    with pytest.raises(SecretInvalid):
        async with house.app.context() as ctx:
            await signing_in.meet(ctx, late, await directory.user(ctx, anna.id), "totp")


async def test_a_malformed_address_is_a_fault_of_the_field(house: House) -> None:
    answer = await visitor(house).post("/auth/sign-in", {"email": "anna", "password": "x"})
    assert (answer.status_code, answer.json()["details"][0]["field"]) == (422, "email")


async def test_what_others_may_call(house: House) -> None:
    anna = await person(house, "anna@example.com")
    async with house.app.context() as ctx:
        assert (await directory.user(ctx, anna.id)).email == anna.email
        assert [each.id for each in await directory.users(ctx, [anna.id, UUID(int=1)])] == [anna.id]
        found = await directory.user_by_email(ctx, " ANNA@Example.com")
        assert found is not None
        assert found.id == anna.id
        assert await directory.user_by_email(ctx, "nobody@example.com") is None
    async with house.expect_events(SessionRevoked), house.app.context() as ctx:
        assert await sessions.revoke_sessions(ctx, anna.id, "test") == 1
    assert (await anna.client.get("/me")).status_code == 401


async def test_hashing_has_no_endless_queue() -> None:
    threads, gate = Threads(1, 1), Event()
    waiting = [asyncio.create_task(threads.run(gate.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(ServiceUnavailable) as refused:
        await threads.run(gate.wait)
    assert refused.value.headers["Retry-After"] == "2"
    gate.set()
    assert await asyncio.gather(*waiting) == [True, True]
