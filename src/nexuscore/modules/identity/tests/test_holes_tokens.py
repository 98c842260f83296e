"""Holes 7, 9, 14, 17, 18, 21, 25, 26: what must be dead is dead. Each was seen open in a build weakened as told."""

import base64
from typing import Any

import pytest
from sqlalchemy import bindparam, update

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import House
from nexuscore.modules.identity import passwords, sign_in as signing_in
from nexuscore.modules.identity.bootstrap import BootstrapGreeting
from nexuscore.modules.identity.tables import User
from nexuscore.modules.identity.testing import PASSWORD, account, mails_to, person, sign_in, token_in, visitor

pytestmark = pytest.mark.anyio
NEW = "Louder-Harbour-42?"
SET_STATE = update(User).where(User.email == bindparam("address")).values(state=bindparam("wanted"))


@pytest.mark.parametrize("state", ["deactivated", "suspended", "unverified"])
async def test_hole_7_a_closed_accounts_tokens_are_dead(house: House, fake_clock: FakeClock, state: str) -> None:
    """Hole 7 (allauth IdP; authentik CVE-2025-64521). Weakened: a session did not ask for its owner's state.

    Nothing revokes the sessions here: whoever closes an account, even by hand in the database, closes its doors.
    """
    anna = await person(house, "anna@example.com")
    browser = visitor(house)
    await browser.post("/auth/sign-in", {"email": anna.email, "password": PASSWORD, "session": "cookie"})
    for client in (anna.client, browser):
        assert (await client.get("/me")).status_code == 200
    async with house.app.context() as ctx:
        await ctx.db.execute(SET_STATE, address=anna.email, wanted=state)
    fake_clock.advance(seconds=3)
    for client in (anna.client, browser):
        assert (await client.get("/me")).status_code == 401
    refreshed = await visitor(house).post("/auth/refresh", {"refresh_token": anna.tokens["refresh_token"]})
    assert refreshed.status_code == 401


@pytest.fixture
def everybody_has_totp(monkeypatch: pytest.MonkeyPatch) -> None:
    async def factors(*_: Any) -> list[str]:
        return ["totp"]

    for module in (signing_in, passwords):
        monkeypatch.setattr(module, "factors_of", factors)


@pytest.mark.usefixtures("everybody_has_totp")
async def test_hole_9_nothing_skips_the_second_factor(house: House) -> None:
    """Hole 9 (allauth 2023; authentik CVE-2026-49448). Weakened: a reset link also signed in."""
    await account(house, "anna@example.com")
    stranger = visitor(house)
    answer = await stranger.post("/auth/sign-in", {"email": "anna@example.com", "password": PASSWORD})
    assert answer.json().keys() == {"status", "challenge", "factors", "expires_in"}
    assert answer.headers.get_list("set-cookie") == []
    await stranger.post("/auth/forgot-password", {"email": "anna@example.com"})
    [mail] = await mails_to(house, "anna@example.com")
    reset = await stranger.post("/auth/reset-password", {"token": token_in(mail), "password": NEW})
    assert (reset.status_code, reset.content, reset.headers.get_list("set-cookie")) == (204, b"", [])
    for session in ("token", "cookie"):
        again = await stranger.post("/auth/sign-in", {"email": "anna@example.com", "password": NEW, "session": session})
        assert again.json()["status"] == "second_factor_needed"
        assert again.headers.get_list("set-cookie") == []
    challenge = answer.json()["challenge"]
    for path, body in (
        ("/auth/verify-email", {"token": challenge}),
        ("/auth/refresh", {"refresh_token": challenge}),
        ("/auth/reset-password", {"token": challenge, "password": NEW}),
        ("/auth/confirm-email", {"token": challenge}),
    ):
        assert (await stranger.post(path, body)).status_code in (400, 401)
    async with house.app.context() as ctx:
        assert await ctx.db.raw("SELECT 1 FROM sessions") == []


async def test_hole_14_moving_kills_what_was_mailed_to_the_old_address(house: House) -> None:
    """Hole 14 (supabase/auth cf74a14). Weakened: moving to another address left other secrets alive."""
    anna = await person(house, "anna@example.com")
    await visitor(house).post("/auth/forgot-password", {"email": anna.email})
    await anna.client.post("/me/email", {"email": "new@example.com"})
    [reset], [confirm] = await mails_to(house, anna.email), await mails_to(house, "new@example.com")
    assert (await anna.client.post("/auth/confirm-email", {"token": token_in(confirm)})).status_code == 204
    given = {"token": token_in(reset), "password": NEW}
    assert (await visitor(house).post("/auth/reset-password", given)).status_code == 400
    await sign_in(visitor(house), "new@example.com")


async def test_hole_17_deleting_the_last_admin_reopens_nothing(house: House) -> None:
    """Hole 17 (authentik CVE-2023-46249). Weakened: the link was printed whenever nobody is an admin."""
    [line] = await BootstrapGreeting().lines(house.app)
    used = line.rpartition("token=")[2]
    root = visitor(house)
    given = {"token": used, "email": "root@example.com", "name": "Root", "password": PASSWORD}
    assert (await root.post("/auth/bootstrap", given)).status_code == 200
    await sign_in(root, "root@example.com")
    assert (await root.delete("/me")).status_code == 204
    assert await BootstrapGreeting().lines(house.app) == []
    again = await visitor(house).post("/auth/bootstrap", {**given, "email": "mallory@example.com"})
    assert again.status_code == 400


@pytest.mark.parametrize("carrier", ["token", "cookie"])
async def test_hole_18_signing_out_kills_the_access_token(house: House, carrier: str) -> None:
    """Hole 18 (Directus GHSA-g65h-35f3-x2w3). Weakened: signing out only took the browser's cookies back."""
    await account(house, "anna@example.com")
    anna = visitor(house)
    body = (
        await anna.post("/auth/sign-in", {"email": "anna@example.com", "password": PASSWORD, "session": carrier})
    ).json()
    headers = (
        {"authorization": f"Bearer {body['access_token']}"}
        if carrier == "token"
        else {"cookie": f"nexus_session={anna.http.cookies['nexus_session']}", "x-csrf-token": body["csrf_token"]}
    )
    copy = visitor(house, **headers)
    assert (await copy.get("/me")).status_code == 200
    assert (await copy.post("/auth/sign-out")).status_code == 204
    assert (await visitor(house, **headers).get("/me")).status_code == 401
    if carrier == "token":
        assert (await anna.post("/auth/refresh", {"refresh_token": body["refresh_token"]})).status_code == 401


async def test_hole_21_a_reset_token_works_once(house: House) -> None:
    """Hole 21 (fastapi-users 10.1/10.3). Weakened: redeeming looked at a token and did not use it up."""
    await account(house, "anna@example.com")
    stranger = visitor(house)
    await stranger.post("/auth/forgot-password", {"email": "anna@example.com"})
    [mail] = await mails_to(house, "anna@example.com")
    given = {"token": token_in(mail), "password": NEW}
    assert (await stranger.post("/auth/reset-password", given)).status_code == 204
    again = {**given, "password": "Another-Harbour-43?"}
    assert (await stranger.post("/auth/reset-password", again)).status_code == 400
    await sign_in(stranger, "anna@example.com", NEW)


async def test_hole_21_older_reset_tokens_die_with_it(house: House) -> None:
    """The same for two links: after one was used, the other is dead. Weakened: other secrets were left alive."""
    await account(house, "anna@example.com")
    stranger = visitor(house)
    for _ in range(2):
        await stranger.post("/auth/forgot-password", {"email": "anna@example.com"})
    first, second = await mails_to(house, "anna@example.com")
    for mail, status in ((second, 204), (first, 400)):
        answer = await stranger.post("/auth/reset-password", {"token": token_in(mail), "password": NEW})
        assert answer.status_code == status


async def test_hole_25_no_cache_is_keyed_by_a_part_of_a_token(house: House) -> None:
    """Hole 25 (LiteLLM CVE-2026-35030). Weakened: verified tokens were remembered by their first 64 characters."""
    anna, bob = await person(house, "anna@example.com"), await person(house, "bob@example.com")
    tokens = [str(each.tokens["access_token"]) for each in (anna, bob)]
    assert tokens[0][:60] == tokens[1][:60]
    assert (await anna.client.get("/me")).json()["email"] == anna.email
    assert (await bob.client.get("/me")).json()["email"] == bob.email
    header, payload, signature = tokens[0].split(".")
    forged = (
        f"{header}.{payload}.",
        f"{header}.{payload}.{'A' * len(signature)}",
        f"{header}.{payload}.{tokens[1].split('.')[2]}",
        f"{header}.{tokens[1].split('.')[1]}.{signature}",
        tokens[0][:-2],
        tokens[0] + "x",
    )
    for token in forged:
        assert (await visitor(house, authorization=f"Bearer {token}").get("/me")).status_code == 401


async def test_hole_26_a_stored_hash_is_not_the_secret(house: House) -> None:
    """Hole 26 (LiteLLM GHSA-69x8-hrgq-fjj8). Weakened: what looks like a hash was looked up as one."""
    anna = await person(house, "anna@example.com")
    browser = visitor(house)
    await browser.post("/auth/sign-in", {"email": anna.email, "password": PASSWORD, "session": "cookie"})
    await visitor(house).post("/auth/forgot-password", {"email": anna.email})
    await house.drain()
    async with house.app.context() as ctx:
        [refresh] = await ctx.db.raw("SELECT hash FROM refresh_tokens")
        [secret] = await ctx.db.raw("SELECT hash FROM single_use_secrets")
        [cookie] = await ctx.db.raw("SELECT cookie_hash AS hash FROM sessions WHERE cookie_hash IS NOT NULL")
        [user] = await ctx.db.raw("SELECT password_hash FROM users")
    stranger = visitor(house)
    for spell in (lambda raw: raw.hex(), lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("=")):
        refreshed = await stranger.post("/auth/refresh", {"refresh_token": spell(refresh.hash)})
        reset = await stranger.post("/auth/reset-password", {"token": spell(secret.hash), "password": NEW})
        read = await visitor(house, cookie=f"nexus_session={spell(cookie.hash)}").get("/me")
        assert [refreshed.status_code, reset.status_code, read.status_code] == [401, 400, 401]
    answer = await stranger.post("/auth/sign-in", {"email": anna.email, "password": user.password_hash})
    assert answer.status_code == 401
    assert (await anna.client.get("/me")).status_code == 200
