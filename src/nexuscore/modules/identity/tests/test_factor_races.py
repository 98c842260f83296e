"""Fifty at once: a code, a recovery code, a challenge and a passkey's signature each work for exactly one."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import Client, House
from nexuscore.modules.identity.events import RecoveryCodesMade, RecoveryCodeUsed, SecondFactorEnabled, SignedIn
from nexuscore.modules.identity.testing import (
    QUICK,
    Authenticator,
    challenge_for,
    code_of,
    person,
    sign_in,
    visitor,
    with_passkey,
    with_totp,
)

pytestmark = pytest.mark.anyio
FIFTY = 50


async def at_once(
    house: House, path: str, bodies: Sequence[dict[str, Any]], client: Client | None = None
) -> Counter[int]:
    """How those are answered who send these at the same moment."""
    clients = [client or visitor(house, ip=f"198.51.100.{number}") for number in range(len(bodies))]
    answers = await asyncio.gather(*(each.post(path, body) for each, body in zip(clients, bodies, strict=True)))
    return Counter(answer.status_code for answer in answers)


async def fifty_challenges(house: House, email: str) -> list[str]:
    return [await challenge_for(visitor(house), email) for _ in range(FIFTY)]


async def test_a_step_of_the_clock(committed_house: House, fake_clock: FakeClock) -> None:
    anna = await person(committed_house, "anna@example.com")
    secret, _ = await with_totp(anna.client)
    fake_clock.advance(seconds=30)
    challenges = await fifty_challenges(committed_house, anna.email)
    proof = [{"challenge": each, "code": code_of(secret)} for each in challenges]
    assert await at_once(committed_house, "/auth/second-factor", proof) == {200: 1, 401: FIFTY - 1}
    assert len(await committed_house.facts(SignedIn)) == 2


async def test_a_recovery_code(committed_house: House) -> None:
    anna = await person(committed_house, "anna@example.com")
    _, codes = await with_totp(anna.client)
    challenges = await fifty_challenges(committed_house, anna.email)
    proof = [{"challenge": each, "recovery_code": codes[0]} for each in challenges]
    assert await at_once(committed_house, "/auth/second-factor", proof) == {200: 1, 401: FIFTY - 1}
    assert len(await committed_house.facts(RecoveryCodeUsed)) == 1


async def test_a_challenge(committed_house: House) -> None:
    anna = await person(committed_house, "anna@example.com")
    _, codes = await with_totp(anna.client)
    challenge = await challenge_for(visitor(committed_house), anna.email)
    proof = [{"challenge": challenge, "recovery_code": codes[at % 10]} for at in range(FIFTY)]
    assert await at_once(committed_house, "/auth/second-factor", proof) == {200: 1, 400: FIFTY - 1}
    assert len(await committed_house.facts(RecoveryCodeUsed)) == 1
    assert len(await committed_house.facts(SignedIn)) == 2


async def test_fifty_guesses_at_once_are_five(committed_house: House) -> None:
    anna = await person(committed_house, "anna@example.com")
    await with_totp(anna.client)
    challenge = await challenge_for(visitor(committed_house), anna.email)
    guess = [{"challenge": challenge, "recovery_code": f"{at:04}-0000-0000-0000"} for at in range(FIFTY)]
    assert await at_once(committed_house, "/auth/second-factor", guess) == {401: 5, 400: FIFTY - 5}


@pytest.mark.parametrize("settings", [{**QUICK, "NEXUS_IDENTITY_SECOND_FACTOR_TRIES_PER_DAY": "7"}])
async def test_fifty_guesses_at_fifty_challenges_are_seven(committed_house: House, settings: dict[str, str]) -> None:
    anna = await person(committed_house, "anna@example.com")
    await with_totp(anna.client)
    challenges = await fifty_challenges(committed_house, anna.email)
    guess = [{"challenge": challenges[at], "recovery_code": f"{at:04}-0000-0000-0000"} for at in range(FIFTY)]
    assert await at_once(committed_house, "/auth/second-factor", guess) == {401: 7, 429: FIFTY - 7}


@pytest.mark.parametrize("counter", [0, None])
async def test_a_signature(committed_house: House, counter: int | None) -> None:
    anna = await person(committed_house, "anna@example.com")
    key = await with_passkey(anna.client, Authenticator(counter=counter))
    browser = visitor(committed_house)
    assertion = key.get((await browser.post("/auth/passkey/options")).json()["public_key"])
    done = await at_once(committed_house, "/auth/passkey", [{"credential": assertion}] * FIFTY, browser)
    assert done == {200: 1, 401: FIFTY - 1}


async def test_a_signature_that_meets_a_challenge(committed_house: House) -> None:
    anna = await person(committed_house, "anna@example.com")
    key = await with_passkey(anna.client, Authenticator(counter=None))
    challenge = await challenge_for(visitor(committed_house), anna.email)
    options = await visitor(committed_house).post("/auth/second-factor/options", {"challenge": challenge})
    proof = {"challenge": challenge, "passkey": key.get(options.json()["public_key"])}
    assert await at_once(committed_house, "/auth/second-factor", [proof] * FIFTY) == {200: 1, 400: FIFTY - 1}


async def test_a_confirmation(committed_house: House) -> None:
    anna = await person(committed_house, "anna@example.com")
    secret = (await anna.client.post("/me/totp")).json()["secret"]
    done = await at_once(committed_house, "/me/totp/confirm", [{"code": code_of(secret)}] * FIFTY, anna.client)
    assert done == {200: 1, 409: FIFTY - 1}
    assert len(await committed_house.facts(RecoveryCodesMade)) == 1


async def test_a_new_passkey(committed_house: House) -> None:
    anna = await person(committed_house, "anna@example.com")
    options = (await anna.client.post("/me/passkeys/options")).json()["public_key"]
    same, others = Authenticator().create(options), [Authenticator().create(options) for _ in range(FIFTY)]
    made = [{"credential": others[at] if at % 2 else same} for at in range(FIFTY)]
    assert await at_once(committed_house, "/me/passkeys", made, anna.client) == {201: 1, 400: FIFTY - 1}


async def test_two_first_factors_at_once_bring_one_set_of_codes(committed_house: House) -> None:
    anna = await person(committed_house, "anna@example.com")
    secret = (await anna.client.post("/me/totp")).json()["secret"]
    asked = [(await anna.client.post("/me/passkeys/options")).json()["public_key"] for _ in range(5)]
    answers = await asyncio.gather(
        anna.client.post("/me/totp/confirm", {"code": code_of(secret)}),
        *(anna.client.post("/me/passkeys", {"credential": Authenticator().create(each)}) for each in asked),
    )
    assert [answer.status_code for answer in answers] == [200, *[201] * 5]
    assert sum(answer.json()["recovery_codes"] is not None for answer in answers) == 1
    assert len(await committed_house.facts(SecondFactorEnabled)) == 2


@pytest.mark.parametrize("settings", [{**QUICK, "NEXUS_IDENTITY_REQUIRE_SECOND_FACTOR_FOR_ADMINS": "true"}])
async def test_the_last_two_factors_are_not_both_removed(committed_house: House, settings: dict[str, str]) -> None:
    root = await person(committed_house, "root@example.com", platform_role="admin")
    await with_totp(root.client)
    await with_passkey(root.client)
    [passkey] = (await root.client.get("/me/passkeys")).json()["data"]
    answers = await asyncio.gather(root.client.delete("/me/totp"), root.client.delete(f"/me/passkeys/{passkey['id']}"))
    assert sorted(answer.status_code for answer in answers) == [204, 409]


async def test_signing_in_everywhere_while_factors_come_and_go(committed_house: House) -> None:
    """Nothing waits for itself: every order of locks is the same."""
    anna = await person(committed_house, "anna@example.com")
    key = await with_passkey(anna.client, Authenticator(counter=None))

    async def by_passkey() -> int:
        browser = visitor(committed_house)
        asked = (await browser.post("/auth/passkey/options")).json()["public_key"]
        return (await browser.post("/auth/passkey", {"credential": key.get(asked)})).status_code

    async def by_challenge() -> int:
        browser = visitor(committed_house)
        challenge = await challenge_for(browser, anna.email)
        asked = (await browser.post("/auth/second-factor/options", {"challenge": challenge})).json()["public_key"]
        proof = {"challenge": challenge, "passkey": key.get(asked)}
        return (await browser.post("/auth/second-factor", proof)).status_code

    async def codes() -> int:
        return (await anna.client.post("/me/recovery-codes")).status_code

    done = await asyncio.gather(*(each() for _ in range(10) for each in (by_passkey, by_challenge, codes)))
    assert set(done) == {200}
    assert (await sign_in(visitor(committed_house), anna.email))["status"] == "second_factor_needed"
