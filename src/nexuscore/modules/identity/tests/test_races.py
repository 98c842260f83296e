"""Fifty at once: every single-use secret works for exactly one of them. And nothing usable is in a dump."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given as drawn, settings as examples, strategies as st

from nexuscore.kernel.limits import address as address_key
from nexuscore.kernel.testing import House
from nexuscore.modules.identity.bootstrap import BootstrapGreeting
from nexuscore.modules.identity.events import PasswordChanged, SessionRevoked
from nexuscore.modules.identity.testing import PASSWORD, QUICK, account, mails_to, person, token_in, visitor

pytestmark = pytest.mark.anyio
FIFTY = 50
NEW = {"email": "anna@example.com", "password": PASSWORD, "name": "Anna"}


async def at_once(house: House, path: str, body: Callable[[int], dict[str, Any]]) -> Counter[int]:
    """How fifty clients who send this at the same moment are answered."""
    clients = [visitor(house, ip=f"198.51.100.{number}") for number in range(FIFTY)]
    answers = await asyncio.gather(*(client.post(path, body(at)) for at, client in enumerate(clients)))
    return Counter(answer.status_code for answer in answers)


async def test_a_verification_link(committed_house: House) -> None:
    await visitor(committed_house).post("/auth/register", NEW)
    [mail] = await mails_to(committed_house, "anna@example.com")
    done = await at_once(committed_house, "/auth/verify-email", lambda _: {"token": token_in(mail)})
    assert done == {204: 1, 400: FIFTY - 1}


async def test_a_verification_code(committed_house: House) -> None:
    registered = (await visitor(committed_house).post("/auth/register", NEW)).json()
    [mail] = await mails_to(committed_house, "anna@example.com")
    code = re.findall(r"\b\d{6}\b", mail.text)[0]
    proof = {"registration": registered["registration"], "code": code}
    assert await at_once(committed_house, "/auth/verify-email", lambda _: proof) == {204: 1, 400: FIFTY - 1}


async def test_fifty_guesses_at_once_are_three(committed_house: House) -> None:
    registered = (await visitor(committed_house).post("/auth/register", NEW)).json()
    await committed_house.drain()
    given = {"registration": registered["registration"]}
    await at_once(committed_house, "/auth/verify-email", lambda at: {**given, "code": f"{at:06}"})
    async with committed_house.app.context() as ctx:
        [secret] = await ctx.db.raw("SELECT tries, used_at FROM single_use_secrets")
    assert secret.tries == 3 or secret.used_at is not None


async def test_a_reset_link(committed_house: House) -> None:
    await account(committed_house, "anna@example.com")
    await visitor(committed_house).post("/auth/forgot-password", {"email": "anna@example.com"})
    [mail] = await mails_to(committed_house, "anna@example.com")
    given = {"token": token_in(mail)}
    done = await at_once(
        committed_house, "/auth/reset-password", lambda at: {**given, "password": f"Harbour-Number-{at:02}!"}
    )
    assert done == {204: 1, 400: FIFTY - 1}
    assert len(await committed_house.facts(PasswordChanged)) == 1


async def test_a_link_that_confirms_a_new_address(committed_house: House) -> None:
    anna = await person(committed_house, "anna@example.com")
    await anna.client.post("/me/email", {"email": "new@example.com"})
    [mail] = await mails_to(committed_house, "new@example.com")
    done = await at_once(committed_house, "/auth/confirm-email", lambda _: {"token": token_in(mail)})
    assert done == {204: 1, 400: FIFTY - 1}


async def test_the_first_admins_link(committed_house: House) -> None:
    [line] = await BootstrapGreeting().lines(committed_house.app)
    token = line.rpartition("token=")[2]
    given = {"token": token, "name": "A", "password": PASSWORD}
    done = await at_once(committed_house, "/auth/bootstrap", lambda at: {**given, "email": f"a{at}@example.com"})
    assert done == {200: 1, 400: FIFTY - 1}
    async with committed_house.app.context() as ctx:
        assert len(await ctx.db.raw("SELECT 1 FROM users")) == 1


async def test_a_refresh_token(committed_house: House) -> None:
    anna = await person(committed_house, "anna@example.com")
    body = {"refresh_token": anna.tokens["refresh_token"]}
    assert await at_once(committed_house, "/auth/refresh", lambda _: body) == {200: 1, 401: FIFTY - 1}
    assert len(await committed_house.facts(SessionRevoked)) == 1


async def test_an_address_registered_fifty_times_at_once_is_one_account(committed_house: House) -> None:
    assert await at_once(committed_house, "/auth/register", lambda _: NEW) == {202: FIFTY}
    mails = await mails_to(committed_house, "anna@example.com")
    done = await asyncio.gather(
        *(visitor(committed_house).post("/auth/verify-email", {"token": token_in(mail)}) for mail in mails)
    )
    assert Counter(answer.status_code for answer in done) == {204: 1, 400: len(mails) - 1}


@pytest.mark.parametrize("settings", [{**QUICK, "NEXUS_IDENTITY_SIGN_IN_PER_MINUTE": "5"}])
async def test_fifty_sign_ins_at_once_are_five(committed_house: House, settings: dict[str, str]) -> None:
    await account(committed_house, "anna@example.com")
    done = await at_once(committed_house, "/auth/sign-in", lambda _: {"email": "anna@example.com", "password": "no"})
    assert done == {401: 5, 429: FIFTY - 5}


async def test_a_dump_of_the_database_holds_no_usable_secret(committed_house: House) -> None:
    house = committed_house
    anna = await person(house, "anna@example.com")
    browser = visitor(house)
    await browser.post("/auth/sign-in", {"email": anna.email, "password": PASSWORD, "session": "cookie"})
    stranger = visitor(house, ip="192.0.2.77")
    await stranger.post("/auth/register", {**NEW, "email": "bob@example.com"})
    await stranger.post("/auth/forgot-password", {"email": anna.email})
    await anna.client.post("/me/email", {"email": "new@example.com"})
    [line] = await BootstrapGreeting().lines(house.app)
    queued = await house.dump()
    await house.drain()
    [verify], [reset] = await mails_to(house, "bob@example.com"), await mails_to(house, anna.email, "identity.reset")
    [confirm] = await mails_to(house, "new@example.com")
    code = re.findall(r"\b\d{6}\b", verify.text)[0]
    secrets = {
        PASSWORD,
        anna.tokens["access_token"],
        anna.tokens["refresh_token"],
        browser.http.cookies["nexus_session"],
        browser.http.cookies["nexus_csrf"],
        token_in(verify),
        token_in(reset),
        token_in(confirm),
        line.rpartition("token=")[2],
        f'"{code}"',
    }
    assert all(len(secret) >= 8 for secret in secrets)
    for dump in (queued, await house.dump()):
        assert "anna@example.com" in dump
        assert [secret for secret in secrets if secret in dump] == []


async def test_counts_name_nobody(house: House) -> None:
    await visitor(house, ip="192.0.2.77").post("/auth/sign-in", {"email": "canary@example.com", "password": "x"})
    dump = [line for line in (await house.dump()).splitlines() if not line.startswith("events")]
    assert any(line.startswith("attempt_counts ") for line in dump)
    assert not any("canary" in line or "192.0.2.77" in line for line in dump)


@examples(max_examples=200)
@drawn(st.ip_addresses())
def test_addresses_of_one_subscriber_share_a_key(ip: Any) -> None:
    key = address_key(str(ip))
    assert address_key(key) == key
    if ip.version == 6 and ip.ipv4_mapped is None:
        assert key == address_key(str(type(ip)(int(ip) ^ 0xFFFF)))
