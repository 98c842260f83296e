"""From a stranger to an account: register, prove the address, sign in."""

import re

import pytest

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
