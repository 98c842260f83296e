"""From a stranger to an account: register, prove the address, sign in."""

import re

import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import House
from nexuscore.modules.identity.events import EmailVerified, SignedIn, UserRegistered
from nexuscore.modules.identity.testing import PASSWORD, mails_to, sign_in, token_in, visitor
from nexuscore.modules.mail.events import MailSent
from nexuscore.modules.mail.testing import Sent

pytestmark = pytest.mark.anyio
ANNA = {"email": "Anna@Example.com", "password": PASSWORD, "name": "Anna Kowalska", "locale": "pl"}


def code_in(mail: Sent) -> str:
    found = re.search(r"\b\d{6}\b", mail.text)
    assert found
    return found[0]


async def test_a_link_proves_the_address(house: House) -> None:
    anna = visitor(house)
    answer = await anna.post("/auth/register", ANNA)
    assert answer.status_code == 202
    assert answer.json().keys() == {"registration", "expires_in"}
    async with house.expect_events(UserRegistered, MailSent):
        await house.drain()
    [mail] = await mails_to(house, "anna@example.com")
    assert mail.message == "identity.verify"
    async with house.expect_events(EmailVerified):
        proved = await anna.post("/auth/verify-email", {"token": token_in(mail)})
    assert (proved.status_code, proved.content) == (204, b"")
    async with house.expect_events(SignedIn) as facts:
        signed_in = await sign_in(anna, "ANNA@example.com")
    assert facts[0].body["device"] == "Firefox on Linux"
    assert facts[0].ip == "203.0.113.7"
    assert signed_in["status"] == "signed_in"
    me = (await anna.get("/me")).json()
    assert (me["email"], me["name"], me["locale"]) == ("anna@example.com", "Anna Kowalska", "pl")
    assert me["state"] == "active"
    assert [each.message for each in await mails_to(house, "anna@example.com")] == [
        "identity.verify",
        "identity.welcome",
    ]
    assert (await anna.post("/auth/verify-email", {"token": token_in(mail)})).status_code == 400


async def test_a_code_proves_it_too(house: House) -> None:
    anna = visitor(house)
    registration = (await anna.post("/auth/register", ANNA)).json()["registration"]
    [mail] = await mails_to(house, "anna@example.com")
    proof = {"registration": registration, "code": code_in(mail)}
    assert (await anna.post("/auth/verify-email", proof)).status_code == 204
    assert (await anna.post("/auth/verify-email", proof)).status_code == 400
    await sign_in(anna, "anna@example.com")


async def test_a_proof_is_a_token_or_a_code(house: House) -> None:
    anna = visitor(house)
    for proof in ({}, {"code": "123456"}, {"token": "x", "code": "123456"}):
        answer = await anna.post("/auth/verify-email", proof)
        assert (answer.status_code, answer.json()["details"][0]["code"]) == (422, "token_or_code")


async def test_nobody_signs_in_before_the_address_is_proved(house: House) -> None:
    anna = visitor(house)
    await anna.post("/auth/register", ANNA)
    await house.drain()
    answer = await anna.post("/auth/sign-in", {"email": ANNA["email"], "password": PASSWORD})
    assert (answer.status_code, answer.json()["error_code"]) == (401, "invalid_credentials")


async def test_a_link_works_for_a_day_and_a_code_for_ten_minutes(house: House, fake_clock: FakeClock) -> None:
    anna = visitor(house)
    registration = (await anna.post("/auth/register", ANNA)).json()["registration"]
    [mail] = await mails_to(house, "anna@example.com")
    fake_clock.advance(minutes=10, seconds=1)
    late = await anna.post("/auth/verify-email", {"registration": registration, "code": code_in(mail)})
    assert late.status_code == 400
    fake_clock.advance(hours=24)
    assert (await anna.post("/auth/verify-email", {"token": token_in(mail)})).status_code == 400


async def test_the_mail_is_sent_again_once_a_minute_and_the_earlier_one_is_dead(
    house: House, fake_clock: FakeClock
) -> None:
    anna = visitor(house)
    again = {"registration": (await anna.post("/auth/register", ANNA)).json()["registration"]}
    await house.drain()
    assert (await anna.post("/auth/verify-email/resend", again)).status_code == 202
    early = await anna.post("/auth/verify-email/resend", again)
    assert (early.status_code, early.headers["retry-after"]) == (429, "60")
    first, second = await mails_to(house, "anna@example.com")
    assert (await anna.post("/auth/verify-email", {"token": token_in(first)})).status_code == 400
    assert (await anna.post("/auth/verify-email", {"token": token_in(second)})).status_code == 204
    fake_clock.advance(minutes=2)
    assert (await anna.post("/auth/verify-email/resend", again)).status_code == 202
    assert len(await mails_to(house, "anna@example.com", "identity.verify")) == 2


async def test_whoever_registers_an_address_first_gains_nothing_by_it(house: House) -> None:
    mallory, anna = visitor(house, ip="198.51.100.1"), visitor(house)
    await mallory.post("/auth/register", {**ANNA, "password": "Mallory-Was-Here-1!", "name": "Mal"})
    await house.drain()
    await anna.post("/auth/register", ANNA)
    await house.drain()
    await mallory.post("/auth/register", {**ANNA, "password": "Mallory-Was-Here-2!", "name": "Mal"})
    early, own, late = await mails_to(house, "anna@example.com")
    assert (await anna.post("/auth/verify-email", {"token": token_in(own)})).status_code == 204
    for other in (early, late):
        assert (await anna.post("/auth/verify-email", {"token": token_in(other)})).status_code == 400
    await sign_in(anna, "anna@example.com")
    assert (await anna.get("/me")).json()["name"] == "Anna Kowalska"


async def test_a_weak_password_is_refused_with_every_reason(house: House) -> None:
    answer = await visitor(house).post("/auth/register", {**ANNA, "password": "anna1234"})
    assert answer.status_code == 422
    assert {fault["code"] for fault in answer.json()["details"]} == {"too_short", "classes", "personal"}
    polish = await visitor(house).post(
        "/auth/register", {**ANNA, "password": "x" * 20}, headers={"accept-language": "pl"}
    )
    assert polish.json()["details"][0]["message"] == "Użyj wielkich i małych liter, cyfr i znaków."


async def test_the_mail_is_in_the_language_asked_for(house: House) -> None:
    await visitor(house).post("/auth/register", ANNA)
    await visitor(house, **{"accept-language": "he"}).post(
        "/auth/register", {**ANNA, "email": "dana@x.co.il", "locale": None}
    )
    [polish], [hebrew] = await mails_to(house, "anna@example.com"), await mails_to(house, "dana@x.co.il")
    assert polish.subject == "Potwierdź swój adres w NexusCore"
    assert hebrew.subject == "אישור הכתובת שלך ב-NexusCore"
