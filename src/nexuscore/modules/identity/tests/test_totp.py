"""An authenticator app: set up, confirmed, asked for, removed. The codes are real ones, the clock is ours."""

import re
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest
from hypothesis import given, settings as examples, strategies as st

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import House
from nexuscore.modules.identity import totp
from nexuscore.modules.identity.events import (
    RecoveryCodesMade,
    SecondFactorDisabled,
    SecondFactorEnabled,
    SignedIn,
    SignInChallenged,
)
from nexuscore.modules.identity.factor_tables import TotpSecret
from nexuscore.modules.identity.testing import (
    PASSWORD,
    challenge_for,
    code_of,
    mails_to,
    person,
    sign_in,
    visitor,
    with_totp,
)

pytestmark = pytest.mark.anyio


async def test_an_app_is_asked_for_once_a_code_of_it_was_confirmed(house: House, fake_clock: FakeClock) -> None:
    anna = await person(house, "anna@example.com")
    draft = (await anna.client.post("/me/totp")).json()
    assert (await sign_in(visitor(house), anna.email))["status"] == "signed_in"
    confirmed = await anna.client.post("/me/totp/confirm", {"code": code_of(draft["secret"])})
    assert len(confirmed.json()["recovery_codes"]) == 10

    fake_clock.advance(seconds=30)
    stranger = visitor(house)
    challenged = (await stranger.post("/auth/sign-in", {"email": anna.email, "password": PASSWORD})).json()
    assert challenged["factors"] == ["totp", "recovery_code"]
    met = await stranger.post(
        "/auth/second-factor", {"challenge": challenged["challenge"], "code": code_of(draft["secret"])}
    )
    assert met.status_code == 200
    stranger.http.headers["authorization"] = f"Bearer {met.json()['access_token']}"
    sessions = (await stranger.get("/me/sessions")).json()["data"]
    assert next(each["factors"] for each in sessions if each["current"]) == ["password", "totp"]


async def test_the_facts_and_the_mail(house: House, fake_clock: FakeClock) -> None:
    anna = await person(house, "anna@example.com")
    async with house.expect_events(SecondFactorEnabled, RecoveryCodesMade):
        secret, codes = await with_totp(anna.client)
    [mail] = await mails_to(house, anna.email, "identity.second_factor_enabled")
    assert "authenticator app was added" in mail.text
    for given_away in (secret, *codes):
        assert given_away not in mail.text + mail.html + mail.subject
    fake_clock.advance(seconds=30)
    stranger = visitor(house)
    async with house.expect_events(SignInChallenged, SignedIn):
        challenge = await challenge_for(stranger, anna.email)
        await stranger.post("/auth/second-factor", {"challenge": challenge, "code": code_of(secret)})


async def test_a_browser_gets_its_cookies_when_the_challenge_is_met(house: House, fake_clock: FakeClock) -> None:
    anna = await person(house, "anna@example.com")
    secret, _ = await with_totp(anna.client)
    fake_clock.advance(seconds=30)
    browser = visitor(house)
    challenge = await challenge_for(browser, anna.email, session="cookie")
    assert "nexus_session" not in browser.http.cookies
    met = await browser.post("/auth/second-factor", {"challenge": challenge, "code": code_of(secret)})
    assert met.json()["csrf_token"]
    assert "access_token" not in {name for name, value in met.json().items() if value}
    assert (await browser.get("/me")).json()["email"] == anna.email


async def test_the_secret_is_shown_in_three_forms(house: House) -> None:
    anna = await person(house, "anna@example.com")
    draft = (await anna.client.post("/me/totp")).json()
    uri = urlsplit(draft["uri"])
    assert (uri.scheme, uri.netloc, unquote(uri.path)) == ("otpauth", "totp", "/NexusCore:anna@example.com")
    assert parse_qs(uri.query) == {"secret": [draft["secret"]], "issuer": ["NexusCore"]}
    assert len(draft["secret"]) == 32
    kind, _, picture = draft["qr"].partition(",")
    assert kind == "data:image/svg+xml;charset=utf-8"
    assert re.match(r"<svg [^>]*width='\d+'", unquote(picture))


async def test_a_setup_begun_again_forgets_the_secret_before(house: House) -> None:
    anna = await person(house, "anna@example.com")
    first, second = [(await anna.client.post("/me/totp")).json()["secret"] for _ in range(2)]
    refused = await anna.client.post("/me/totp/confirm", {"code": code_of(first)})
    assert refused.json()["error_code"] == "second_factor_invalid"
    assert (await anna.client.post("/me/totp/confirm", {"code": code_of(second)})).status_code == 200
    assert (await anna.client.post("/me/totp")).json()["error_code"] == "totp_already_on"
    again = await anna.client.post("/me/totp/confirm", {"code": code_of(second)})
    assert again.json()["error_code"] == "totp_off"


async def test_codes_are_taken_with_spaces_and_refused_otherwise(house: House) -> None:
    anna = await person(house, "anna@example.com")
    secret = (await anna.client.post("/me/totp")).json()["secret"]
    code = code_of(secret)
    for bad in ("12345", "1234567", "abcdef", "١٢٣٤٥٦", ""):
        assert (await anna.client.post("/me/totp/confirm", {"code": bad})).status_code == 422
    assert (await anna.client.post("/me/totp/confirm", {"code": f" {code[:3]} {code[3:]} "})).status_code == 200


@pytest.mark.parametrize(("drift", "status"), [(-61, 401), (-30, 200), (0, 200), (30, 200), (61, 401)])
async def test_a_clock_may_be_one_step_off(house: House, fake_clock: FakeClock, drift: int, status: int) -> None:
    anna = await person(house, "anna@example.com")
    secret, _ = await with_totp(anna.client)
    fake_clock.advance(seconds=300)
    stranger = visitor(house)
    challenge = await challenge_for(stranger, anna.email)
    code = pyotp.TOTP(secret).at(int(fake_clock.now().timestamp()) + drift)
    met = await stranger.post("/auth/second-factor", {"challenge": challenge, "code": code})
    assert met.status_code == status


async def test_a_step_is_accepted_once_and_none_before_it(house: House, fake_clock: FakeClock) -> None:
    anna = await person(house, "anna@example.com")
    secret, _ = await with_totp(anna.client)
    earlier = code_of(secret)

    async def met(code: str) -> int:
        challenge = await challenge_for(visitor(house), anna.email)
        answer = await visitor(house).post("/auth/second-factor", {"challenge": challenge, "code": code})
        return answer.status_code

    assert await met(earlier) == 401, "the code that confirmed the setup is spent"
    fake_clock.advance(seconds=30)
    code = code_of(secret)
    assert await met(code) == 200
    assert await met(code) == 401
    ahead = pyotp.TOTP(secret).at(int(fake_clock.now().timestamp()) + 30)
    assert await met(ahead) == 200
    fake_clock.advance(seconds=30)
    assert await met(code_of(secret)) == 401, "a step that was used ahead of its time is spent as well"
    fake_clock.advance(seconds=30)
    assert await met(code_of(secret)) == 200


async def test_the_secret_is_sealed(house: House) -> None:
    anna = await person(house, "anna@example.com")
    ben = await person(house, "ben@example.com")
    secret, codes = await with_totp(anna.client)
    dump = await house.dump()
    assert [text for text in (secret, *codes, *(code.replace("-", "") for code in codes)) if text in dump] == []
    async with house.app.context() as ctx:
        [row] = await ctx.db.raw("SELECT sealed FROM totp_secrets")
    assert house.app.keyring.open_sealed("identity.totp", row.sealed, context=str(anna.id)).decode() == secret
    with pytest.raises(Exception, match="altered or sealed for something else"):
        house.app.keyring.open_sealed("identity.totp", row.sealed, context=str(ben.id))


async def test_removing_it_takes_the_recovery_codes_along(house: House) -> None:
    anna = await person(house, "anna@example.com")
    _, codes = await with_totp(anna.client)
    async with house.expect_events(SecondFactorDisabled):
        assert (await anna.client.delete("/me/totp")).status_code == 204
    [mail] = await mails_to(house, anna.email, "identity.second_factor_disabled")
    assert "authenticator app was removed" in mail.text
    assert (await sign_in(visitor(house), anna.email))["status"] == "signed_in"
    status = (await anna.client.get("/me/second-factors")).json()
    assert (status["totp"], status["recovery_codes_left"]) == (False, 0)
    assert (await anna.client.delete("/me/totp")).json()["error_code"] == "totp_off"
    assert (await anna.client.post("/me/recovery-codes")).json()["error_code"] == "second_factor_off"
    assert len(set(codes)) == 10


async def test_a_draft_is_removed_without_a_word(house: House) -> None:
    anna = await person(house, "anna@example.com")
    await anna.client.post("/me/totp")
    async with house.expect_events():
        assert (await anna.client.delete("/me/totp")).status_code == 204


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/me/totp", None),
        ("POST", "/me/totp/confirm", {"code": "123456"}),
        ("DELETE", "/me/totp", None),
        ("POST", "/me/recovery-codes", None),
        ("POST", "/me/passkeys/options", None),
        ("DELETE", "/me/passkeys/0a000000-0000-7000-8000-00000000000a", None),
    ],
)
async def test_changes_need_a_fresh_proof(
    house: House, fake_clock: FakeClock, method: str, path: str, body: dict[str, str] | None
) -> None:
    anna = await person(house, "anna@example.com")
    fake_clock.advance(minutes=11)
    refused = await anna.client.request(method, path, body)
    assert (refused.status_code, refused.json()["error_code"]) == (401, "reauthentication_required")
    await anna.client.post("/auth/reauthenticate", {"password": PASSWORD})
    assert (await anna.client.request(method, path, body)).json().get("error_code") != "reauthentication_required" or (
        method == "DELETE"
    )


async def test_a_code_reauthenticates(house: House, fake_clock: FakeClock) -> None:
    anna = await person(house, "anna@example.com")
    secret, codes = await with_totp(anna.client)
    fake_clock.advance(minutes=11)
    assert (await anna.client.post("/me/recovery-codes")).status_code == 401
    wrong = await anna.client.post("/auth/reauthenticate/second-factor", {"code": "000000"})
    assert wrong.json()["error_code"] == "second_factor_invalid"
    recovery = await anna.client.post("/auth/reauthenticate/second-factor", {"recovery_code": codes[0]})
    assert recovery.status_code == 422
    assert (await anna.client.post("/auth/reauthenticate/second-factor", {"code": code_of(secret)})).status_code == 204
    assert (await anna.client.post("/me/recovery-codes")).status_code == 200


@examples(max_examples=200, deadline=None)
@given(st.integers(min_value=1_000_000, max_value=4_000_000_000), st.integers(-4, 4), st.integers(-4, 4))
def test_a_code_counts_within_a_step_and_after_the_last_one(now: int, drift: int, last: int) -> None:
    secret, step = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", now // 30
    code = pyotp.TOTP(secret).generate_otp(max(step + drift, 0))
    found = totp._step_of(secret, code, datetime.fromtimestamp(now, UTC), after=step + last)
    accepted = {step + each for each in (-1, 0, 1) if step + each > step + last}
    if step + drift in accepted:
        assert found is not None
    assert found is None or found in accepted


def test_the_table_keeps_nothing_in_clear() -> None:
    assert {column.name for column in TotpSecret.__table__.columns} == {
        "user_id",
        "sealed",
        "last_step",
        "created_at",
        "confirmed_at",
    }
