"""Sessions: listed, refreshed, ended; by tokens and by cookies."""

from datetime import timedelta

import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import Client, House
from nexuscore.modules.identity import jobs
from nexuscore.modules.identity.events import SessionRevoked, SignedOut
from nexuscore.modules.identity.testing import PASSWORD, account, mails_to, person, sign_in, visitor

pytestmark = pytest.mark.anyio
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
    " Version/18.0 Mobile/15E148 Safari/604.1"
)


async def by_cookie(client: Client, email: str) -> dict[str, str]:
    answer = await client.post("/auth/sign-in", {"email": email, "password": PASSWORD, "session": "cookie"})
    assert answer.status_code == 200
    body: dict[str, str] = answer.json()
    return body


async def test_sessions_are_listed_with_their_devices(house: House) -> None:
    anna = await person(house, "anna@example.com")
    phone = visitor(house, ip="2001:db8::1", agent=SAFARI)
    await sign_in(phone, anna.email)
    listed = (await phone.get("/me/sessions")).json()["data"]
    assert [(each["device"], each["ip"], each["current"]) for each in listed] == [
        ("Mobile Safari on iOS", "2001:db8::1", True),
        ("Firefox on Linux", "203.0.113.7", False),
    ]
    assert listed[0]["country"] is None
    assert listed[0]["factors"] == ["password"]


async def test_a_session_is_ended_from_another(house: House) -> None:
    anna = await person(house, "anna@example.com")
    phone = visitor(house, agent=SAFARI)
    lost = (await sign_in(phone, anna.email))["session_id"]
    async with house.expect_events(SessionRevoked):
        assert (await anna.client.delete(f"/me/sessions/{lost}")).status_code == 204
    assert (await phone.get("/me")).status_code == 401
    assert (await anna.client.get("/me")).status_code == 200
    assert (await anna.client.delete(f"/me/sessions/{lost}")).status_code == 404


async def test_nobody_ends_or_sees_another_persons_session(house: House) -> None:
    anna, bob = await person(house, "anna@example.com"), await person(house, "bob@example.com")
    assert (await bob.client.delete(f"/me/sessions/{anna.tokens['session_id']}")).status_code == 404
    assert len((await bob.client.get("/me/sessions")).json()["data"]) == 1
    assert (await anna.client.get("/me")).status_code == 200


async def test_signing_out_everywhere_ends_them_all(house: House) -> None:
    anna = await person(house, "anna@example.com")
    phone, browser = visitor(house, agent=SAFARI), visitor(house)
    tokens = await sign_in(phone, anna.email)
    await by_cookie(browser, anna.email)
    assert (await anna.client.post("/auth/sign-out-everywhere")).status_code == 204
    for client in (anna.client, phone, browser):
        assert (await client.get("/me")).status_code == 401
    again = await visitor(house).post("/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    assert again.status_code == 401


async def test_a_refresh_token_buys_the_next_pair_once(house: House, fake_clock: FakeClock) -> None:
    anna = await person(house, "anna@example.com")
    fake_clock.advance(minutes=16)
    assert (await anna.client.get("/me")).json()["error_code"] == "invalid_token"
    app = visitor(house)
    answer = await app.post("/auth/refresh", {"refresh_token": anna.tokens["refresh_token"]})
    pair = answer.json()
    assert pair["session_id"] == anna.tokens["session_id"]
    assert pair["refresh_token"] != anna.tokens["refresh_token"]
    app.http.headers["authorization"] = f"Bearer {pair['access_token']}"
    assert (await app.get("/me")).status_code == 200


async def test_a_refresh_token_used_twice_ends_the_session(house: House) -> None:
    anna = await person(house, "anna@example.com")
    thief = visitor(house, ip="198.51.100.9")
    pair = (await thief.post("/auth/refresh", {"refresh_token": anna.tokens["refresh_token"]})).json()
    async with house.expect_events(SessionRevoked) as facts:
        again = await visitor(house).post("/auth/refresh", {"refresh_token": anna.tokens["refresh_token"]})
    assert (again.status_code, facts[0].body["reason"]) == (401, "refresh_token_reused")
    assert (await thief.post("/auth/refresh", {"refresh_token": pair["refresh_token"]})).status_code == 401
    assert (await anna.client.get("/me")).status_code == 401


async def test_a_session_lives_thirty_days_from_its_last_use(house: House, fake_clock: FakeClock) -> None:
    anna = await person(house, "anna@example.com")
    token = anna.tokens["refresh_token"]
    app = visitor(house)
    for _ in range(2):
        fake_clock.advance(days=29)
        token = (await app.post("/auth/refresh", {"refresh_token": token})).json()["refresh_token"]
    fake_clock.advance(days=30, seconds=1)
    assert (await app.post("/auth/refresh", {"refresh_token": token})).status_code == 401


async def test_a_browser_gets_a_cookie_its_pages_cannot_read(house: House) -> None:
    await account(house, "anna@example.com")
    browser = visitor(house)
    answer = await browser.post(
        "/auth/sign-in", {"email": "anna@example.com", "password": PASSWORD, "session": "cookie"}
    )
    body = answer.json()
    assert body["access_token"] is None
    assert body["refresh_token"] is None
    session, csrf = answer.headers.get_list("set-cookie")
    assert session.startswith("nexus_session=nxc_")
    assert session.endswith("; Path=/; Max-Age=2592000; SameSite=Lax; HttpOnly")
    assert csrf.startswith(f"nexus_csrf={body['csrf_token']};")
    assert "HttpOnly" not in csrf
    assert (await browser.get("/me")).json()["email"] == "anna@example.com"


async def test_a_change_by_cookie_needs_the_pages_token(house: House) -> None:
    anna, bob = await account(house, "anna@example.com"), await account(house, "bob@example.com")
    browser, other = visitor(house), visitor(house)
    token = (await by_cookie(browser, str(anna.email)))["csrf_token"]
    stolen = (await by_cookie(other, str(bob.email)))["csrf_token"]
    for headers in ({}, {"x-csrf-token": "nonsense"}, {"x-csrf-token": stolen}):
        answer = await browser.patch("/me", {"name": "X"}, headers=headers)
        assert (answer.status_code, answer.json()["error_code"]) == (403, "csrf_failed")
    assert (await browser.patch("/me", {"name": "X"}, headers={"x-csrf-token": token})).status_code == 200


async def test_signing_out_takes_the_cookies_back(house: House) -> None:
    anna = await account(house, "anna@example.com")
    browser = visitor(house)
    token = (await by_cookie(browser, str(anna.email)))["csrf_token"]
    kept = browser.http.cookies["nexus_session"]
    async with house.expect_events(SignedOut):
        answer = await browser.post("/auth/sign-out", headers={"x-csrf-token": token})
    assert answer.status_code == 204
    assert all("Max-Age=0" in each for each in answer.headers.get_list("set-cookie"))
    replayed = await visitor(house).get("/me", headers={"cookie": f"nexus_session={kept}"})
    assert replayed.status_code == 401


async def test_a_stale_cookie_does_not_keep_anybody_from_signing_in(house: House) -> None:
    await account(house, "anna@example.com")
    browser = visitor(house, cookie="nexus_session=nxc_stale")
    assert (await browser.get("/me")).status_code == 401
    await by_cookie(browser, "anna@example.com")


async def test_being_seen_is_noted_once_a_minute(house: House, fake_clock: FakeClock) -> None:
    anna = await person(house, "anna@example.com")
    began = fake_clock.now()

    async def seen() -> timedelta:
        async with house.app.context() as ctx:
            [row] = await ctx.db.raw("SELECT last_seen_at FROM sessions")
        found: timedelta = row.last_seen_at - began
        return found

    fake_clock.advance(seconds=30)
    await anna.client.get("/me")
    assert await seen() == timedelta()
    fake_clock.advance(seconds=31)
    await anna.client.get("/me")
    assert await seen() == timedelta(seconds=61)


async def test_a_new_device_is_mailed_and_a_known_one_is_not(house: House) -> None:
    anna = await person(house, "anna@example.com")
    await sign_in(visitor(house), anna.email)
    assert await mails_to(house, anna.email) == []
    await sign_in(visitor(house, agent=SAFARI), anna.email)
    [mail] = await mails_to(house, anna.email)
    assert mail.message == "identity.new_device"
    assert "Mobile Safari on iOS" in mail.text
    await sign_in(visitor(house, agent=SAFARI), anna.email)
    assert len(await mails_to(house, anna.email)) == 1


async def test_what_is_over_is_swept_away(house: House, fake_clock: FakeClock) -> None:
    anna = await person(house, "anna@example.com")
    await anna.client.post("/auth/sign-out")
    await visitor(house).post("/auth/forgot-password", {"email": anna.email})
    await house.drain()
    fake_clock.advance(days=31)
    async with house.app.context() as ctx:
        await jobs.sweep(ctx)
        for table in ("sessions", "refresh_tokens", "single_use_secrets", "attempt_counts"):
            assert await ctx.db.raw(f"SELECT 1 FROM {table}") == [], table
