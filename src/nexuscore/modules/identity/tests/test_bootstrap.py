"""The first admin's link."""

from urllib.parse import parse_qs, urlsplit

import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import House
from nexuscore.modules.identity.bootstrap import BootstrapGreeting, new_link
from nexuscore.modules.identity.events import PlatformRoleChanged, UserRegistered
from nexuscore.modules.identity.testing import PASSWORD, account, person, sign_in, visitor

pytestmark = pytest.mark.anyio
ROOT = {"email": "Root@Example.com", "name": "Root", "password": PASSWORD}


async def greeted(house: House) -> str | None:
    """The token of the link the terminal shows, if it shows one."""
    lines = await BootstrapGreeting().lines(house.app)
    return token(lines[0].rpartition(" ")[2]) if lines else None


def token(link: str) -> str:
    assert link.startswith("http://127.0.0.1:8000/console/bootstrap?")
    return parse_qs(urlsplit(link).query)["token"][0]


async def test_the_link_makes_an_admin_once(house: House) -> None:
    given = {**ROOT, "token": await greeted(house)}
    stranger = visitor(house)
    weak = await stranger.post("/auth/bootstrap", {**given, "password": "x"})
    assert weak.status_code == 422
    async with house.expect_events(UserRegistered, PlatformRoleChanged):
        made = await stranger.post("/auth/bootstrap", given)
    assert (made.status_code, made.json()["platform_role"]) == (200, "admin")
    again = await stranger.post("/auth/bootstrap", {**given, "email": "other@example.com"})
    assert (again.status_code, again.json()["error_code"]) == (400, "secret_invalid")
    await sign_in(stranger, "root@example.com")
    assert (await stranger.get("/users")).status_code == 200
    assert await greeted(house) is None


async def test_somebody_signed_in_becomes_the_admin(house: House) -> None:
    anna = await person(house, "anna@example.com")
    assert (await anna.client.get("/users")).status_code == 403
    made = await anna.client.post("/auth/bootstrap", {"token": await greeted(house)})
    assert made.json()["platform_role"] == "admin"
    assert (await anna.client.get("/users")).status_code == 200


async def test_the_newest_link_works_for_half_an_hour(house: House, fake_clock: FakeClock) -> None:
    first, second = await greeted(house), await greeted(house)
    stranger = visitor(house)
    assert (await stranger.post("/auth/bootstrap", {**ROOT, "token": first})).status_code == 400
    fake_clock.advance(minutes=30)
    assert (await stranger.post("/auth/bootstrap", {**ROOT, "token": second})).status_code == 400


async def test_an_account_somebody_has_is_not_taken_over(house: House) -> None:
    await account(house, "root@example.com")
    given = {**ROOT, "token": await greeted(house)}
    refused = await visitor(house).post("/auth/bootstrap", given)
    assert (refused.status_code, refused.json()["error_code"]) == (409, "account_exists")
    root = visitor(house)
    await sign_in(root, "root@example.com")
    assert (await root.post("/auth/bootstrap", {"token": given["token"]})).status_code == 200


async def test_a_claim_to_the_admins_address_is_worth_nothing(house: House) -> None:
    mallory = visitor(house, ip="198.51.100.1")
    await mallory.post("/auth/register", {**ROOT, "password": "Something-Else-9!"})
    await house.drain()
    assert (await visitor(house).post("/auth/bootstrap", {**ROOT, "token": await greeted(house)})).status_code == 200
    answer = await mallory.post("/auth/sign-in", {"email": ROOT["email"], "password": "Something-Else-9!"})
    assert answer.status_code == 401
    await sign_in(visitor(house), "root@example.com")


async def test_without_an_account_all_of_one_is_needed(house: House) -> None:
    answer = await visitor(house).post("/auth/bootstrap", {"token": await greeted(house), "email": "a@example.com"})
    assert answer.status_code == 422


async def test_the_machines_owner_always_gets_a_link(house: House) -> None:
    await visitor(house).post("/auth/bootstrap", {**ROOT, "token": await greeted(house)})
    async with house.app.context() as ctx:
        link = await new_link(ctx)
    made = await visitor(house).post("/auth/bootstrap", {**ROOT, "email": "two@example.com", "token": token(link)})
    assert made.json()["platform_role"] == "admin"
