"""The second step of signing in. Holes 8 and 9: its tries are capped on every path, and nothing skips it."""

import asyncio
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import Client, House
from nexuscore.modules.identity import recovery_codes, sessions, single_use, totp
from nexuscore.modules.identity.events import SignedIn, SignInFailed
from nexuscore.modules.identity.testing import (
    PASSWORD,
    QUICK,
    Authenticator,
    Person,
    challenge_for,
    code_of,
    mails_to,
    person,
    sign_in,
    token_in,
    visitor,
    with_passkey,
    with_totp,
)

pytestmark = pytest.mark.anyio
NEW = "Louder-Harbour-42?"
LIMITED = {**QUICK, "NEXUS_IDENTITY_SECOND_FACTOR_TRIES_PER_DAY": "8"}


async def tried(client: Client, challenge: str, **proof: Any) -> str:
    """How a try is answered: "signed_in", or the error's code."""
    answer = await client.post("/auth/second-factor", {"challenge": challenge, **proof})
    told = answer.json()
    return str(told["status"] if answer.status_code == 200 else told["error_code"])


async def protected(house: House) -> tuple[Person, str, list[str], Authenticator]:
    """Anna with everything: an app, recovery codes, a passkey."""
    anna = await person(house, "anna@example.com")
    secret, codes = await with_totp(anna.client)
    return anna, secret, codes, await with_passkey(anna.client)


async def signature(client: Client, challenge: str, key: Authenticator) -> dict[str, Any]:
    """What `key` signs to meet a challenge."""
    options = await client.post("/auth/second-factor/options", {"challenge": challenge})
    return key.get(options.json()["public_key"])


async def test_every_factor_is_offered_and_any_one_is_enough(house: House, fake_clock: FakeClock) -> None:
    anna, secret, codes, key = await protected(house)
    fake_clock.advance(seconds=30)
    browser = visitor(house)
    answer = await browser.post("/auth/sign-in", {"email": anna.email, "password": PASSWORD})
    assert answer.json()["factors"] == ["passkey", "totp", "recovery_code"]
    challenge = str(answer.json()["challenge"])
    assert await tried(browser, challenge, passkey=await signature(browser, challenge, key)) == "signed_in"
    assert await tried(browser, await challenge_for(browser, anna.email), code=code_of(secret)) == "signed_in"
    assert await tried(browser, await challenge_for(browser, anna.email), recovery_code=codes[3]) == "signed_in"


async def test_hole_8_a_challenge_takes_five_tries_of_whatever_kind(house: House, fake_clock: FakeClock) -> None:
    """Hole 8 (allauth 2024). Weakened: a wrong factor was raised, so the count of the try was rolled back."""
    anna, secret, codes, key = await protected(house)
    fake_clock.advance(seconds=30)
    browser = visitor(house)
    challenge = await challenge_for(browser, anna.email)
    forged = Authenticator(id=key.id, user_handle=key.user_handle, counter=50)
    assert await tried(browser, challenge, code="000000") == "second_factor_invalid"
    assert await tried(browser, challenge, recovery_code="0000-0000-0000-0000") == "second_factor_invalid"
    for _ in range(3):
        passkey = await signature(browser, challenge, forged)
        assert await tried(browser, challenge, passkey=passkey) == "second_factor_invalid"
    right = await signature(browser, challenge, key)
    for proof in ({"code": code_of(secret)}, {"recovery_code": codes[0]}, {"passkey": right}):
        assert await tried(visitor(house), challenge, **proof) == "secret_invalid"
    assert await tried(browser, await challenge_for(browser, anna.email), code=code_of(secret)) == "signed_in"


@pytest.mark.parametrize("settings", [LIMITED])
async def test_hole_8_new_challenges_bring_no_new_tries(
    house: House, fake_clock: FakeClock, settings: dict[str, str]
) -> None:
    """The same, by somebody who knows the password. Weakened: only the challenge counted its tries."""
    anna, secret, codes, key = await protected(house)
    fake_clock.advance(seconds=30)
    for number in range(8):
        browser = visitor(house, ip=f"198.51.100.{number}")
        wrong = {"code": "000000"} if number % 2 else {"recovery_code": "0000-0000-0000-0000"}
        assert await tried(browser, await challenge_for(browser, anna.email), **wrong) == "second_factor_invalid"
    browser = visitor(house)
    for proof in ({"code": code_of(secret)}, {"recovery_code": codes[0]}):
        assert await tried(browser, await challenge_for(browser, anna.email), **proof) == "rate_limited"
    reauthenticated = await anna.client.post("/auth/reauthenticate/second-factor", {"code": code_of(secret)})
    assert reauthenticated.status_code == 429
    challenge = await challenge_for(browser, anna.email)
    passkey = await signature(browser, challenge, key)
    assert await tried(browser, challenge, passkey=passkey) == "signed_in", "nobody guesses a signature"
    fake_clock.advance(days=1)
    assert await tried(browser, await challenge_for(browser, anna.email), code=code_of(secret)) == "signed_in"


@pytest.mark.parametrize("settings", [LIMITED])
async def test_hole_8_on_every_path_that_takes_a_code(
    house: House, fake_clock: FakeClock, settings: dict[str, str]
) -> None:
    """The same where somebody signed in is asked for a code. Weakened: these paths did not count."""
    anna, ben = await person(house, "anna@example.com"), await person(house, "ben@example.com")
    secret, _ = await with_totp(anna.client)
    draft = (await ben.client.post("/me/totp")).json()["secret"]
    paths = ((anna, "/auth/reauthenticate/second-factor", secret), (ben, "/me/totp/confirm", draft))
    for who, path, right in paths:
        fake_clock.advance(seconds=30)
        for _ in range(8):
            assert (await who.client.post(path, {"code": "000000"})).status_code == 401
        assert (await who.client.post(path, {"code": code_of(right)})).status_code == 429


@pytest.mark.parametrize("settings", [LIMITED])
async def test_a_right_code_clears_the_count(house: House, fake_clock: FakeClock, settings: dict[str, str]) -> None:
    anna = await person(house, "anna@example.com")
    secret, _ = await with_totp(anna.client)
    for _ in range(3):
        fake_clock.advance(seconds=30)
        challenge = await challenge_for(visitor(house), anna.email)
        for _ in range(4):
            assert await tried(visitor(house), challenge, code="000000") == "second_factor_invalid"
        assert await tried(visitor(house), challenge, code=code_of(secret)) == "signed_in"


@pytest.mark.parametrize("settings", [{**QUICK, "NEXUS_LIMITS": "off, codes=6/min"}])
async def test_an_address_may_try_so_often(house: House, fake_clock: FakeClock, settings: dict[str, str]) -> None:
    """Unknown challenges count as well, whatever the error."""
    browser = visitor(house, ip="198.51.100.1")
    for _ in range(6):
        assert await tried(browser, str(uuid4()), code="000000") == "secret_invalid"
    assert await tried(browser, str(uuid4()), code="000000") == "rate_limited"
    assert await tried(visitor(house, ip="198.51.100.2"), str(uuid4()), code="000000") == "secret_invalid"


EMPTY = [
    {},
    {"code": None, "recovery_code": None, "passkey": None},
    {"code": ""},
    {"recovery_code": ""},
    {"recovery_code": "  "},
    {"passkey": {}},
    {"passkey": []},
    {"code": "000000", "recovery_code": "0000-0000-0000-0000"},
    {"code": True},
    {"code": ["000000"]},
    {"verified": True, "code": "000000"},
]


@pytest.mark.parametrize("proof", EMPTY)
async def test_hole_9_an_empty_or_odd_answer_opens_nothing(house: House, proof: dict[str, Any]) -> None:
    """Hole 9 (allauth 2023; authentik CVE-2026-49448). Weakened: an answer with no factor in it met the challenge."""
    anna, _, codes, _ = await protected(house)
    browser = visitor(house)
    challenge = await challenge_for(browser, anna.email, session="cookie")
    async with house.expect_events():
        answer = await browser.post("/auth/second-factor", {"challenge": challenge, **proof})
    assert answer.status_code == 422
    assert answer.headers.get_list("set-cookie") == []
    assert await tried(browser, challenge, recovery_code=codes[0]) == "signed_in"


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b'""'])
async def test_hole_9_no_body_opens_nothing(house: House, body: bytes) -> None:
    """The same. Weakened as above."""
    anna, *_ = await protected(house)
    browser = visitor(house)
    await challenge_for(browser, anna.email)
    answer = await browser.http.post(
        "/api/v1/auth/second-factor", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code in (400, 422)
    assert (await browser.get("/me")).status_code == 401


async def test_a_challenge_is_not_a_token(house: House) -> None:
    anna, *_ = await protected(house)
    browser = visitor(house)
    challenge = await challenge_for(browser, anna.email)
    for token in (challenge, f"nxs_{challenge}"):
        browser.http.headers["authorization"] = f"Bearer {token}"
        assert (await browser.get("/me")).status_code == 401
    del browser.http.headers["authorization"]
    assert (await browser.post("/auth/refresh", {"refresh_token": challenge})).status_code == 401
    browser.http.cookies.set("nexus_session", challenge)
    assert (await browser.get("/me")).status_code == 401


async def broken(*_: object, **__: object) -> None:
    raise RuntimeError("the disk is full")


@pytest.mark.parametrize("place", [(totp, "accept"), (single_use, "redeem_id"), (sessions, "_with_tokens")])
async def test_hole_9_an_error_on_the_way_opens_nothing(
    house: House, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch, place: tuple[ModuleType, str]
) -> None:
    """The same. Weakened: the session was begun in a transaction of its own, before the factor was looked at."""
    anna, secret, *_ = await protected(house)
    fake_clock.advance(seconds=30)
    browser = visitor(house)
    challenge = await challenge_for(browser, anna.email)
    with monkeypatch.context() as breaking:
        breaking.setattr(*place, broken)
        async with house.expect_events():
            answer = await browser.post("/auth/second-factor", {"challenge": challenge, "code": code_of(secret)})
    assert answer.status_code == 500
    assert len((await anna.client.get("/me/sessions")).json()["data"]) == 1
    assert await tried(browser, challenge, code=code_of(secret)) == "signed_in"


@pytest.mark.parametrize("place", [(recovery_codes, "use"), (sessions, "open")])
async def test_hole_9_giving_up_opens_nothing(
    committed_house: House, monkeypatch: pytest.MonkeyPatch, place: tuple[ModuleType, str]
) -> None:
    """The same. Weakened as above."""
    house = committed_house
    anna, _, codes, _ = await protected(house)
    browser = visitor(house)
    challenge = await challenge_for(browser, anna.email)
    reached, done = asyncio.Event(), getattr(*place)

    async def slow(*given: Any, **more: Any) -> Any:
        result = await done(*given, **more)
        reached.set()
        await asyncio.sleep(60)
        return result

    with monkeypatch.context() as slowed:
        slowed.setattr(*place, slow)
        request = asyncio.create_task(tried(browser, challenge, recovery_code=codes[0]))
        await reached.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
    assert len((await anna.client.get("/me/sessions")).json()["data"]) == 1
    assert len(await house.facts(SignedIn)) == 1
    assert await tried(browser, challenge, recovery_code=codes[0]) == "signed_in"


async def by_reset_link(house: House, stranger: Client, email: str) -> Any:
    await stranger.post("/auth/forgot-password", {"email": email})
    [mail] = await mails_to(house, email, "identity.reset")
    done = await stranger.post("/auth/reset-password", {"token": token_in(mail), "password": NEW})
    assert (done.status_code, done.content) == (204, b"")
    return await stranger.post("/auth/sign-in", {"email": email, "password": NEW})


async def by_magic_link(house: House, stranger: Client, email: str) -> Any:
    await stranger.post("/auth/magic-link", {"email": email})
    [mail] = await mails_to(house, email, "identity.magic_link")
    return await stranger.post("/auth/magic-link/sign-in", {"token": token_in(mail)})


@pytest.mark.parametrize("way", [by_reset_link, by_magic_link])
async def test_hole_9_every_way_in_asks_for_it(
    house: House, way: Callable[[House, Client, str], Awaitable[Any]]
) -> None:
    """The same by the ways around the password. Weakened: they ended in `finish` instead of `proceed`."""
    anna, _, codes, _ = await protected(house)
    stranger = visitor(house)
    answer = await way(house, stranger, anna.email)
    assert answer.json()["status"] == "second_factor_needed"
    assert answer.headers.get_list("set-cookie") == []
    assert (await stranger.get("/me")).status_code == 401
    assert await tried(stranger, answer.json()["challenge"], recovery_code=codes[0]) == "signed_in"


async def test_hole_9_a_password_set_meanwhile_ends_the_challenge(house: House, fake_clock: FakeClock) -> None:
    """The same. Weakened: challenges outlived the password they were given for."""
    anna, secret, *_ = await protected(house)
    fake_clock.advance(seconds=30)
    mallory = visitor(house)
    challenge = await challenge_for(mallory, anna.email)
    await anna.client.post("/me/password", {"current": PASSWORD, "new": NEW})
    assert await tried(mallory, challenge, code=code_of(secret)) == "secret_invalid"


async def test_a_suspended_person_is_told_only_after_both_factors(house: House, fake_clock: FakeClock) -> None:
    anna, secret, *_ = await protected(house)
    fake_clock.advance(seconds=30)
    browser = visitor(house)
    challenge = await challenge_for(browser, anna.email)
    async with house.app.context() as ctx:
        await ctx.db.raw("UPDATE users SET state = 'suspended' WHERE id = $1", anna.id)
    assert await tried(browser, challenge, code="000000") == "second_factor_invalid"
    assert await tried(browser, challenge, code=code_of(secret)) == "account_suspended"


async def test_a_challenge_lasts_ten_minutes(house: House, fake_clock: FakeClock) -> None:
    anna, secret, *_ = await protected(house)
    challenge = await challenge_for(visitor(house), anna.email)
    fake_clock.advance(minutes=10)
    assert await tried(visitor(house), challenge, code=code_of(secret)) == "secret_invalid"
    options = await visitor(house).post("/auth/second-factor/options", {"challenge": challenge})
    assert options.json()["error_code"] == "secret_invalid"


async def test_somebody_elses_factor_is_a_wrong_one(house: House, fake_clock: FakeClock) -> None:
    anna, ben = await person(house, "anna@example.com"), await person(house, "ben@example.com")
    await with_totp(anna.client)
    secret, codes = await with_totp(ben.client)
    fake_clock.advance(seconds=30)
    challenge = await challenge_for(visitor(house), anna.email)
    async with house.expect_events(SignInFailed, SignInFailed) as facts:
        for proof in ({"code": code_of(secret)}, {"recovery_code": codes[0]}):
            assert await tried(visitor(house), challenge, **proof) == "second_factor_invalid"
    assert {(each.data.user_id, each.data.reason) for each in facts} == {(anna.id, "second_factor_invalid")}  # type: ignore[attr-defined]  # a SignInFailed fact


REQUIRED = {**QUICK, "NEXUS_IDENTITY_REQUIRE_SECOND_FACTOR_FOR_ADMINS": "true"}


@pytest.mark.parametrize("settings", [REQUIRED])
async def test_admins_may_have_to_show_one(house: House, fake_clock: FakeClock, settings: dict[str, str]) -> None:
    root = await person(house, "root@example.com", platform_role="admin")
    anna = await person(house, "anna@example.com")
    assert (await root.client.get("/users")).status_code == 403
    status = (await root.client.get("/me/second-factors")).json()
    assert (status["required"], status["missing"]) == (True, True)
    secret, _ = await with_totp(root.client)
    assert (await root.client.get("/users")).status_code == 200, "a code was shown in this session"
    assert (await root.client.get("/me/second-factors")).json()["missing"] is False
    assert (await root.client.delete("/me/totp")).json()["error_code"] == "second_factor_required"
    await with_passkey(root.client)
    assert (await root.client.delete("/me/totp")).status_code == 204
    [passkey] = (await root.client.get("/me/passkeys")).json()["data"]
    refused = await root.client.delete(f"/me/passkeys/{passkey['id']}")
    assert refused.json()["error_code"] == "second_factor_required"
    assert len((await root.client.get("/me/passkeys")).json()["data"]) == 1
    assert (await anna.client.get("/me/second-factors")).json()["required"] is False
    assert secret


@pytest.mark.parametrize("settings", [REQUIRED])
async def test_an_older_session_without_one_is_no_admins(house: House, settings: dict[str, str]) -> None:
    root = await person(house, "root@example.com", platform_role="admin")
    elsewhere = visitor(house)
    await sign_in(elsewhere, root.email)
    key = await with_passkey(root.client)
    assert (await root.client.get("/users")).status_code == 200
    assert (await elsewhere.get("/users")).status_code == 403
    options = (await elsewhere.post("/auth/passkey/options")).json()["public_key"]
    signed_in = await elsewhere.post("/auth/passkey", {"credential": key.get(options)})
    elsewhere.http.headers["authorization"] = f"Bearer {signed_in.json()['access_token']}"
    assert (await elsewhere.get("/users")).status_code == 200


@pytest.mark.parametrize("settings", [REQUIRED])
async def test_proving_it_again_makes_an_admin_of_the_session(
    house: House, fake_clock: FakeClock, settings: dict[str, str]
) -> None:
    root = await person(house, "root@example.com", platform_role="admin")
    elsewhere = visitor(house)
    await sign_in(elsewhere, root.email)
    secret, _ = await with_totp(root.client)
    for _ in range(2):
        fake_clock.advance(seconds=30)
        await elsewhere.post("/auth/reauthenticate/second-factor", {"code": code_of(secret)})
    assert (await elsewhere.get("/users")).status_code == 200
    sessions = (await elsewhere.get("/me/sessions")).json()["data"]
    assert [each["factors"] for each in sessions if each["current"]] == [["password", "totp"]]
