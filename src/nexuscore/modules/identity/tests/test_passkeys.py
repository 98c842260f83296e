"""Passkeys: made, shown without a name or after a password, listed, renamed, removed. The security key is in memory."""

from typing import Any

import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import Client, House
from nexuscore.modules.identity.events import (
    PasskeyAdded,
    PasskeyRemoved,
    PasskeySuspected,
    RecoveryCodesMade,
    SecondFactorDisabled,
    SecondFactorEnabled,
    SignedIn,
    SignInFailed,
)
from nexuscore.modules.identity.testing import (
    PASSWORD,
    QUICK,
    Authenticator,
    challenge_for,
    mails_to,
    person,
    sign_in,
    visitor,
    with_passkey,
    with_totp,
)

pytestmark = pytest.mark.anyio


async def asked(client: Client) -> dict[str, Any]:
    """What a browser is asked that wants to sign in by a passkey."""
    options: dict[str, Any] = (await client.post("/auth/passkey/options")).json()["public_key"]
    return options


async def shown(client: Client, key: Authenticator, **rest: Any) -> Any:
    """Sign in by a passkey; the answer."""
    return await client.post("/auth/passkey", {"credential": key.get(await asked(client)), **rest})


async def test_a_passkey_signs_in_without_a_name(house: House) -> None:
    anna = await person(house, "anna@example.com")
    key = await with_passkey(anna.client)
    stranger = visitor(house)
    options = await asked(stranger)
    assert (options["allowCredentials"], options["userVerification"]) == ([], "required")
    async with house.expect_events(SignedIn) as facts:
        signed_in = await stranger.post("/auth/passkey", {"credential": key.get(options)})
    assert signed_in.json()["status"] == "signed_in"
    assert signed_in.json()["user_id"] == str(anna.id)
    assert facts[0].data.factors == ["passkey", "user_verification"]  # type: ignore[attr-defined]  # a SignedIn fact


async def test_a_browser_gets_its_session_as_a_cookie(house: House) -> None:
    anna = await person(house, "anna@example.com")
    key = await with_passkey(anna.client)
    browser = visitor(house)
    answer = await shown(browser, key, session="cookie")
    assert answer.json()["access_token"] is None
    assert (await browser.get("/me")).json()["email"] == anna.email


async def test_it_counts_as_both_factors(house: House) -> None:
    anna = await person(house, "anna@example.com")
    await with_totp(anna.client)
    key = await with_passkey(anna.client)
    assert (await shown(visitor(house), key)).json()["status"] == "signed_in"


async def test_only_if_it_checked_who_holds_it(house: House) -> None:
    anna = await person(house, "anna@example.com")
    key = await with_passkey(anna.client, Authenticator(verifies=False))
    refused = await shown(visitor(house), key)
    assert (refused.status_code, refused.json()["error_code"]) == (401, "passkey_refused")
    stranger = visitor(house)
    challenge = await challenge_for(stranger, anna.email)
    options = (await stranger.post("/auth/second-factor/options", {"challenge": challenge})).json()["public_key"]
    met = await stranger.post("/auth/second-factor", {"challenge": challenge, "passkey": key.get(options)})
    assert met.status_code == 200, "after a password, holding it is enough"


async def test_the_first_brings_facts_a_mail_and_recovery_codes(house: House) -> None:
    anna = await person(house, "anna@example.com")
    options = (await anna.client.post("/me/passkeys/options")).json()["public_key"]
    async with house.expect_events(PasskeyAdded, SecondFactorEnabled, RecoveryCodesMade):
        new = {"credential": Authenticator().create(options), "name": "Blue key"}
        added = (await anna.client.post("/me/passkeys", new)).json()
    assert (added["name"], added["transports"], len(added["recovery_codes"])) == (
        "Blue key",
        ["hybrid", "internal"],
        10,
    )
    options = (await anna.client.post("/me/passkeys/options")).json()["public_key"]
    assert [each["id"] for each in options["excludeCredentials"]] == [new["credential"]["id"]]  # type: ignore[index]  # JSON is untyped
    async with house.expect_events(PasskeyAdded):
        second = (await anna.client.post("/me/passkeys", {"credential": Authenticator().create(options)})).json()
    assert (second["name"], second["recovery_codes"]) == ("Firefox on Linux", None)
    mails = await mails_to(house, anna.email, "identity.second_factor_enabled")
    assert ["“Blue key”" in mail.text for mail in mails] == [True, False]
    assert not any(code in mail.text + mail.html for mail in mails for code in added["recovery_codes"])
    challenged = await visitor(house).post("/auth/sign-in", {"email": anna.email, "password": PASSWORD})
    assert challenged.json()["factors"] == ["passkey", "recovery_code"]


async def test_listed_renamed_removed(house: House) -> None:
    anna, ben = await person(house, "anna@example.com"), await person(house, "ben@example.com")
    first, second = await with_passkey(anna.client, name="First"), await with_passkey(anna.client, name="Second")
    await with_passkey(ben.client)
    await shown(visitor(house), first)
    listed = (await anna.client.get("/me/passkeys")).json()["data"]
    assert [(each["name"], each["last_used_at"] is None) for each in listed] == [("Second", True), ("First", False)]
    assert listed[0].keys() == {
        *("id", "name", "transports", "backed_up", "created_at", "last_used_at", "suspect_at"),
    }
    path = f"/me/passkeys/{listed[0]['id']}"
    assert (await anna.client.patch(path, {"name": "Renamed"})).json()["name"] == "Renamed"
    for method in ("PATCH", "DELETE"):
        assert (
            await ben.client.request(method, path, {"name": "Mine"} if method == "PATCH" else None)
        ).status_code == 404
    async with house.expect_events(PasskeyRemoved):
        assert (await anna.client.delete(path)).status_code == 204
    assert (await shown(visitor(house), second)).json()["error_code"] == "passkey_refused"
    async with house.expect_events(PasskeyRemoved, SecondFactorDisabled):
        await anna.client.delete(f"/me/passkeys/{listed[1]['id']}")
    assert (await sign_in(visitor(house), anna.email))["status"] == "signed_in"
    removed = await mails_to(house, anna.email, "identity.second_factor_disabled")
    assert ["“Renamed”" in mail.text for mail in removed] == [True, False]


async def test_recovery_codes_stay_while_another_factor_does(house: House) -> None:
    anna = await person(house, "anna@example.com")
    await with_totp(anna.client)
    await with_passkey(anna.client)
    await anna.client.delete("/me/totp")
    status = (await anna.client.get("/me/second-factors")).json()
    assert status == {"totp": False, "passkeys": 1, "recovery_codes_left": 10, "required": False, "missing": False}


async def test_there_may_be_twenty(house: House) -> None:
    anna = await person(house, "anna@example.com")
    for _ in range(19):
        await with_passkey(anna.client)
    options = (await anna.client.post("/me/passkeys/options")).json()["public_key"]
    await with_passkey(anna.client)
    late = await anna.client.post("/me/passkeys", {"credential": Authenticator().create(options)})
    begun = await anna.client.post("/me/passkeys/options")
    assert {late.json()["error_code"], begun.json()["error_code"]} == {"too_many_passkeys"}


async def test_a_challenge_is_only_for_the_browser_that_asked(house: House) -> None:
    """Holes 13 and 22, for passkeys. Weakened: the challenge named no browser."""
    anna = await person(house, "anna@example.com")
    key = await with_passkey(anna.client)
    mallory, victim = visitor(house), visitor(house)
    options = await asked(mallory)
    await asked(victim)
    for somebody_else in (victim, visitor(house)):
        stolen = await somebody_else.post("/auth/passkey", {"credential": key.get(options)})
        assert stolen.json()["error_code"] == "passkey_refused"
        options = await asked(mallory)
    assert (await mallory.post("/auth/passkey", {"credential": key.get(options)})).status_code == 200


async def test_two_tabs_of_a_browser_do_not_disturb_each_other(house: House) -> None:
    anna = await person(house, "anna@example.com")
    key = await with_passkey(anna.client)
    browser = visitor(house)
    first, second = await asked(browser), await asked(browser)
    assert (await browser.post("/auth/passkey", {"credential": key.get(first)})).status_code == 200
    assert (await browser.post("/auth/passkey", {"credential": key.get(second)})).status_code == 200


async def test_a_challenge_works_once_and_for_five_minutes(house: House, fake_clock: FakeClock) -> None:
    anna = await person(house, "anna@example.com")
    key = await with_passkey(anna.client, Authenticator(counter=None))
    browser = visitor(house)
    options = await asked(browser)
    fake_clock.advance(minutes=4, seconds=59)
    assertion = key.get(options)
    assert (await browser.post("/auth/passkey", {"credential": assertion})).status_code == 200
    assert (await browser.post("/auth/passkey", {"credential": assertion})).status_code == 401
    options = await asked(browser)
    fake_clock.advance(minutes=5)
    assert (await browser.post("/auth/passkey", {"credential": key.get(options)})).status_code == 401


async def test_a_challenge_is_good_for_what_it_was_asked_for(house: House) -> None:
    anna, ben = await person(house, "anna@example.com"), await person(house, "ben@example.com")
    key, of_ben = await with_passkey(anna.client), await with_passkey(ben.client)
    browser = visitor(house)
    challenge, other = await challenge_for(browser, anna.email), await challenge_for(browser, anna.email)

    async def second_step(about: str) -> dict[str, Any]:
        answer = await browser.post("/auth/second-factor/options", {"challenge": about})
        return dict(answer.json()["public_key"])

    async def met(passkey: dict[str, Any]) -> int:
        return (await browser.post("/auth/second-factor", {"challenge": challenge, "passkey": passkey})).status_code

    again = (await anna.client.post("/auth/reauthenticate/options")).json()["public_key"]
    adding = (await anna.client.post("/me/passkeys/options")).json()["public_key"]
    assert await met(key.get(await asked(browser))) == 401
    assert await met(key.get(again)) == 401
    assert await met(key.get({**adding, "rpId": "localhost"})) == 401
    assert await met(key.get(await second_step(other))) == 401
    refused = await browser.post("/auth/passkey", {"credential": key.get(await second_step(challenge))})
    assert refused.status_code == 401
    made = {
        "credential": Authenticator().create({**(await asked(browser)), "rp": adding["rp"], "user": adding["user"]})
    }
    assert (await anna.client.post("/me/passkeys", made)).json()["error_code"] == "passkey_not_added"
    challenge = other
    assert await met(of_ben.get(await second_step(other))) == 401
    assert await met(key.get(await second_step(other))) == 200


async def test_a_challenge_to_add_is_for_the_session_that_asked(house: House) -> None:
    anna = await person(house, "anna@example.com")
    elsewhere = visitor(house)
    await sign_in(elsewhere, anna.email)
    ben = await person(house, "ben@example.com")
    for other in (elsewhere, ben.client):
        options = (await anna.client.post("/me/passkeys/options")).json()["public_key"]
        refused = await other.post("/me/passkeys", {"credential": Authenticator().create(options)})
        assert refused.json()["error_code"] == "passkey_not_added"


async def test_a_key_of_another_site_is_refused(house: House) -> None:
    anna = await person(house, "anna@example.com")
    for wrong in (Authenticator(origin="https://localhost.example"), Authenticator(origin="http://localhost:8001")):
        options = (await anna.client.post("/me/passkeys/options")).json()["public_key"]
        refused = await anna.client.post("/me/passkeys", {"credential": wrong.create(options)})
        assert refused.json()["error_code"] == "passkey_not_added"
    key = await with_passkey(anna.client)
    browser = visitor(house)
    key.origin = "https://evil.example"
    assert (await shown(browser, key)).status_code == 401
    key.origin = "http://localhost:8000"
    assert (
        await browser.post("/auth/passkey", {"credential": key.get({**await asked(browser), "rpId": "x"})})
    ).is_error
    forged = Authenticator(id=key.id, user_handle=key.user_handle, counter=100)
    assert (await shown(browser, forged)).status_code == 401
    unknown = Authenticator(user_handle=key.user_handle)
    async with house.expect_events(SignInFailed):
        assert (await shown(browser, unknown)).status_code == 401
    ben = await person(house, "ben@example.com")
    key.user_handle = ben.id.bytes
    assert (await shown(browser, key)).status_code == 401


async def test_a_page_in_a_frame_of_another_site_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = await person(house, "anna@example.com")
    key = await with_passkey(anna.client)
    said = Authenticator._client_data

    def framed(self: Authenticator, kind: str, options: dict[str, Any]) -> bytes:
        return said(self, kind, options).replace(b'"crossOrigin": false', b'"crossOrigin": true')

    monkeypatch.setattr(Authenticator, "_client_data", framed)
    assert (await shown(visitor(house), key)).status_code == 401


async def test_a_counter_that_went_back_is_noted_and_refused(house: House) -> None:
    anna = await person(house, "anna@example.com")
    key = await with_passkey(anna.client)
    await shown(visitor(house), key)
    assert key.counter == 2
    key.counter = 1
    async with house.expect_events(PasskeySuspected, SignInFailed) as facts:
        assert (await shown(visitor(house), key)).status_code == 401
    suspected = facts[0].data
    assert isinstance(suspected, PasskeySuspected)
    assert (suspected.known, suspected.shown) == (2, 2)
    [listed] = (await anna.client.get("/me/passkeys")).json()["data"]
    assert listed["suspect_at"] is not None
    assert (await shown(visitor(house), key)).status_code == 200


async def test_one_passkey_belongs_to_one_account(house: House) -> None:
    anna, ben = await person(house, "anna@example.com"), await person(house, "ben@example.com")
    key = await with_passkey(anna.client)
    options = (await ben.client.post("/me/passkeys/options")).json()["public_key"]
    copied = await ben.client.post("/me/passkeys", {"credential": key.create(options)})
    assert copied.json()["error_code"] == "passkey_not_added"


@pytest.mark.parametrize(("state", "status"), [("suspended", 403), ("deactivated", 401), ("unverified", 401)])
async def test_a_closed_account_is_not_opened_by_a_passkey(house: House, state: str, status: int) -> None:
    anna = await person(house, "anna@example.com")
    key = await with_passkey(anna.client)
    async with house.app.context() as ctx:
        await ctx.db.raw("UPDATE users SET state = $1 WHERE id = $2", state, anna.id)
    async with house.expect_events(SignInFailed):
        assert (await shown(visitor(house), key)).status_code == status


async def test_closing_the_account_forgets_passkeys_and_all(house: House) -> None:
    anna = await person(house, "anna@example.com")
    await with_totp(anna.client)
    key = await with_passkey(anna.client)
    assert (await anna.client.delete("/me")).status_code == 204
    dump = await house.dump()
    assert [
        line for line in dump.splitlines() if line.startswith(("passkeys ", "totp_secrets ", "recovery_codes "))
    ] == []
    assert (await shown(visitor(house), key)).status_code == 401


async def test_a_passkey_reauthenticates_if_it_checks_who_holds_it(house: House, fake_clock: FakeClock) -> None:
    anna = await person(house, "anna@example.com")
    key = await with_passkey(anna.client)
    fake_clock.advance(minutes=11)
    assert (await anna.client.post("/me/passkeys/options")).status_code == 401

    async def prove() -> int:
        options = (await anna.client.post("/auth/reauthenticate/options")).json()["public_key"]
        proof = {"passkey": key.get(options)}
        return (await anna.client.post("/auth/reauthenticate/second-factor", proof)).status_code

    key.verifies = False
    assert await prove() == 401
    key.verifies = True
    assert await prove() == 204
    assert (await anna.client.post("/me/passkeys/options")).status_code == 200


async def test_who_has_no_passkey_is_not_asked_for_one(house: House) -> None:
    anna = await person(house, "anna@example.com")
    assert (await anna.client.post("/auth/reauthenticate/options")).json()["error_code"] == "second_factor_off"
    await with_totp(anna.client)
    challenge = await challenge_for(visitor(house), anna.email)
    answer = await visitor(house).post("/auth/second-factor/options", {"challenge": challenge})
    assert answer.json()["error_code"] == "second_factor_off"


@pytest.mark.parametrize("settings", [{**QUICK, "NEXUS_PUBLIC_URL": "http://192.0.2.1:8000"}])
async def test_without_a_domain_it_says_so(house: House, settings: dict[str, str]) -> None:
    anna = await person(house, "anna@example.com")
    for client, path in ((anna.client, "/me/passkeys/options"), (visitor(house), "/auth/passkey/options")):
        assert (await client.post(path)).json()["error_code"] == "passkeys_unavailable"


async def test_the_only_way_in_is_not_given_up(house: House) -> None:
    anna = await person(house, "anna@example.com")
    await with_passkey(anna.client)
    async with house.app.context() as ctx:
        await ctx.db.raw(
            "UPDATE users SET email = NULL, email_verified_at = NULL, password_hash = NULL WHERE id = $1", anna.id
        )
    [passkey] = (await anna.client.get("/me/passkeys")).json()["data"]
    refused = await anna.client.delete(f"/me/passkeys/{passkey['id']}")
    assert (refused.status_code, refused.json()["error_code"]) == (409, "last_way_in")
    await with_passkey(anna.client)
    assert (await anna.client.delete(f"/me/passkeys/{passkey['id']}")).status_code == 204
