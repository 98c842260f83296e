"""The whole app with the notes, and somebody with a browser in front of it."""

from collections.abc import Awaitable, Callable

import pytest

from examples.main import app as whole
from nexuscore.kernel.module import Module
from nexuscore.kernel.testing import House
from nexuscore.modules.identity.testing import QUICK, Person, person, with_identity
from nexuscore.modules.orgs.testing import found
from tests.console.browsing import Browser

Guest = Callable[[], Browser]
Member = Callable[[str], Awaitable[Browser]]


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [module for module in whole.modules if module.name != "kernel"]


@pytest.fixture
def settings() -> dict[str, str]:
    return QUICK


@pytest.fixture
def door(house: House) -> House:
    """The house with identity at the door."""
    return with_identity(house)


@pytest.fixture
def guest(door: House) -> Browser:
    """Somebody who has not signed in."""
    return Browser(door)


@pytest.fixture
async def anna(door: House) -> Browser:
    """The owner of an organisation, signed in with a cookie."""
    return await signed_in(door, await owner(door, "anna@example.com"))


async def owner(door: House, email: str) -> Person:
    """Somebody with an organisation of their own."""
    who = await person(door, email)
    await found(door, who, email.partition("@")[0].title())
    return who


async def signed_in(door: House, who: Person) -> Browser:
    """Their browser, past the sign-in page."""
    browser = Browser(door)
    await browser.open("/console/sign-in")
    await browser.send("sign-in", email=who.email, password=who.password)
    assert browser.at == "/console", browser.text
    return browser
