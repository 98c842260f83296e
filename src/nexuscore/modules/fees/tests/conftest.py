"""The module under test, with identity at the door."""

import pytest

from nexuscore.kernel.module import Module
from nexuscore.kernel.testing import House
from nexuscore.modules.fees.module import module
from nexuscore.modules.identity.module import module as identity
from nexuscore.modules.identity.testing import QUICK, Person, person, with_identity
from nexuscore.modules.mail.module import module as mail


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [mail, identity, module]


@pytest.fixture
def settings() -> dict[str, str]:
    return QUICK


@pytest.fixture
def house(house: House) -> House:
    """Rolled back after the test."""
    return with_identity(house)


@pytest.fixture
def committed_house(committed_house: House) -> House:
    """Committed for real."""
    return with_identity(committed_house)


@pytest.fixture
async def root(house: House) -> Person:
    """Who runs the platform."""
    return await person(house, "root@example.com", platform_role="admin")
