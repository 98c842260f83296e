"""The module under test, with identity at the door and an organisation to use things."""

import pytest

from nexuscore.kernel.module import Module
from nexuscore.kernel.testing import House
from nexuscore.modules.books.module import module as books
from nexuscore.modules.identity.module import module as identity
from nexuscore.modules.identity.testing import QUICK, Person, person, with_identity
from nexuscore.modules.invoices.module import module as invoices
from nexuscore.modules.invoices.testing import SUPPLIER
from nexuscore.modules.mail.module import module as mail
from nexuscore.modules.orgs.module import module as orgs
from nexuscore.modules.orgs.testing import Org, found
from nexuscore.modules.usage.module import module


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [mail, identity, orgs, books, invoices, module]


@pytest.fixture
def settings() -> dict[str, str]:
    return {**QUICK, **SUPPLIER, "NEXUS_USAGE_SNAPSHOT_EVERY": "5"}


@pytest.fixture
def house(house: House) -> House:
    """Rolled back after the test."""
    return with_identity(house)


@pytest.fixture
def committed_house(committed_house: House) -> House:
    """Committed for real."""
    return with_identity(committed_house)


@pytest.fixture
async def anna(house: House) -> Person:
    """Who owns `acme`."""
    return await person(house, "anna@example.com")


@pytest.fixture
async def acme(house: House, anna: Person) -> Org:
    """Anna's organisation."""
    return await found(house, anna, "Acme Pte Ltd")
