"""The module under test, one whose facts it keeps, and the person who runs the platform."""

from uuid import UUID

import pytest

from nexuscore.kernel.module import Module
from nexuscore.kernel.testing import Client, House, Persona
from nexuscore.modules.audit.module import module
from nexuscore.modules.audit.tests.shop import module as shop

ROOT = Persona("root", UUID("40070000-0000-7000-8000-000000000004"), None, "platform:admin")
OLGA = Persona(
    "olga", UUID("01ba0000-0000-7000-8000-000000000005"), UUID("0a000000-0000-7000-8000-00000000000a"), "owner"
)


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [module, shop]


@pytest.fixture
def root(house: House) -> Client:
    """The platform's admin, in no organisation."""
    house.personas.known[ROOT.name] = ROOT
    return house.client(ROOT)


@pytest.fixture
def olga(house: House) -> Client:
    """The owner of organisation A."""
    house.personas.known[OLGA.name] = OLGA
    return house.client(OLGA)
