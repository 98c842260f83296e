"""The caller's own account: read, changed, moved to another address, closed."""

import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import House
from nexuscore.modules.identity.events import (
    AccountDeactivated,
    AccountDeleted,
    EmailChanged,
    SessionRevoked,
    UserChanged,
)
from nexuscore.modules.identity.testing import PASSWORD, account, mails_to, person, sign_in, token_in, visitor

pytestmark = pytest.mark.anyio


async def test_some_fields_are_changed_and_the_rest_stays(house: House) -> None:
    anna = await person(house, "anna@example.com", company="Megacorp")
    async with house.expect_events(UserChanged) as facts:
        changed = await anna.client.patch(
            "/me", {"name": " Anna K. ", "locale": "he", "time_zone": "Asia/Jerusalem", "preferences": {"news": True}}
        )
    assert facts[0].body["fields"] == ["locale", "name", "time_zone", "preferences"]
    assert (changed.json()["name"], changed.json()["company"]) == ("Anna K.", "Megacorp")
    merged = await anna.client.patch("/me", {"preferences": {"digest": "weekly", "news": None}})
    assert merged.json()["preferences"] == {"digest": "weekly"}
    refused = await anna.client.patch("/me", {"time_zone": "Mars/Olympus"})
    assert refused.json()["details"][0]["message"] == "זה אינו אזור זמן כגון Asia/Singapore."


@pytest.mark.parametrize(
    "change",
    [
        {"locale": "xx"},
        {"locale": "he-il"},
        {"time_zone": "Nowhere"},
        {"name": ""},
        {"name": "a\nb"},
        {"platform_role": "admin"},
        {"state": "active"},
        {"email": "x@example.com"},
        {"preferences": {"x": "y" * 20_000}},
    ],
)
async def test_what_cannot_be_changed_here(house: House, change: dict[str, object]) -> None:
    anna = await person(house, "anna@example.com")
    before = (await anna.client.get("/me")).json()
    assert (await anna.client.patch("/me", change)).status_code == 422
    assert (await anna.client.get("/me")).json() == before


async def test_an_address_moves_when_the_new_one_confirms(house: House) -> None:
    anna = await person(house, "anna@example.com")
    assert (await anna.client.post("/me/email", {"email": "Anna@New.example.com"})).status_code == 202
    assert (await anna.client.get("/me")).json()["email"] == "anna@example.com"
    [mail] = await mails_to(house, "anna@new.example.com")
    async with house.expect_events(EmailChanged):
        confirmed = await visitor(house).post("/auth/confirm-email", {"token": token_in(mail)})
    assert confirmed.status_code == 204
    assert (await anna.client.get("/me")).json()["email"] == "anna@new.example.com"
    [told] = await mails_to(house, "anna@example.com")
    assert told.message == "identity.email_changed"
    assert "a…@new.example.com" in told.text
    await sign_in(visitor(house), "anna@new.example.com")
    assert (await visitor(house).post("/auth/confirm-email", {"token": token_in(mail)})).status_code == 400


async def test_a_later_wish_replaces_an_earlier_one(house: House) -> None:
    anna = await person(house, "anna@example.com")
    for address in ("one@example.com", "two@example.com"):
        await anna.client.post("/me/email", {"email": address})
    [one], [two] = await mails_to(house, "one@example.com"), await mails_to(house, "two@example.com")
    assert (await visitor(house).post("/auth/confirm-email", {"token": token_in(one)})).status_code == 400
    assert (await visitor(house).post("/auth/confirm-email", {"token": token_in(two)})).status_code == 204


async def test_somebody_who_only_claimed_an_address_does_not_keep_its_owner_from_it(house: House) -> None:
    await account(house, "wanted@example.com", state="unverified", email_verified_at=None, password_hash=None)
    anna = await person(house, "anna@example.com")
    await anna.client.post("/me/email", {"email": "wanted@example.com"})
    [mail] = await mails_to(house, "wanted@example.com")
    assert (await visitor(house).post("/auth/confirm-email", {"token": token_in(mail)})).status_code == 204
    assert (await anna.client.get("/me")).json()["email"] == "wanted@example.com"


async def test_sensitive_acts_ask_again_who_is_there(house: House, fake_clock: FakeClock) -> None:
    anna = await person(house, "anna@example.com")
    fake_clock.advance(minutes=10)
    for answer in (
        await anna.client.post("/me/email", {"email": "new@example.com"}),
        await anna.client.delete("/me"),
    ):
        assert (answer.status_code, answer.json()["error_code"]) == (401, "reauthentication_required")
    wrong = await anna.client.post("/auth/reauthenticate", {"password": "wrong"})
    assert (wrong.status_code, wrong.json()["error_code"]) == (401, "invalid_credentials")
    assert (await anna.client.post("/auth/reauthenticate", {"password": PASSWORD})).status_code == 204
    assert (await anna.client.post("/me/email", {"email": "new@example.com"})).status_code == 202
    fake_clock.advance(minutes=10)
    assert (await anna.client.post("/me/email", {"email": "new@example.com"})).status_code == 401


async def test_a_closed_account_says_nothing_of_its_owner(house: House) -> None:
    anna = await person(house, "canary-anna@example.com", name="Canary Kowalska", phone="+6581234567")
    async with house.expect_events(SessionRevoked, AccountDeactivated, AccountDeleted):
        assert (await anna.client.delete("/me")).status_code == 204
    assert (await anna.client.get("/me")).status_code == 401
    answer = await visitor(house).post("/auth/sign-in", {"email": anna.email, "password": PASSWORD})
    assert (answer.status_code, answer.json()["error_code"]) == (401, "invalid_credentials")
    kept = [
        line for line in (await house.dump()).splitlines() if line.startswith(("users ", "sessions ", "single_use"))
    ]
    assert len(kept) == 1
    assert not any(word in kept[0] for word in ("canary", "Canary", "6581234567", "argon2"))
    again = await visitor(house).post(
        "/auth/register", {"email": anna.email, "password": PASSWORD, "name": "Somebody Else"}
    )
    assert again.status_code == 202
    assert (await mails_to(house, anna.email))[-1].message == "identity.verify"
