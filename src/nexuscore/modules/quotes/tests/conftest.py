"""The module under test, with identity at the door."""

import pytest

from nexuscore.kernel.module import Module
from nexuscore.kernel.testing import House
from nexuscore.modules.books.module import module as books
from nexuscore.modules.identity.module import module as identity
from nexuscore.modules.identity.testing import QUICK, with_identity
from nexuscore.modules.invoices.module import module as invoices
from nexuscore.modules.invoices.testing import SUPPLIER, Customer, customer
from nexuscore.modules.mail.module import module as mail
from nexuscore.modules.orgs.module import module as orgs
from nexuscore.modules.quotes.module import module
from nexuscore.modules.quotes.testing import publish_prices

ABROAD = {
    "gst_registered": False,
    "gst_number": None,
    "address": {"line1": "1 Pike Street", "city": "Seattle", "postal_code": "98101", "country": "US"},
}


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [mail, identity, orgs, books, invoices, module]


@pytest.fixture
def settings() -> dict[str, str]:
    return {**QUICK, **SUPPLIER, "NEXUS_QUOTES_TAX_BY_PLACE": "US-WA=8.7, AU=10"}


@pytest.fixture
def house(house: House) -> House:
    """Rolled back after the test."""
    return with_identity(house)


@pytest.fixture
def committed_house(committed_house: House) -> House:
    """Committed for real."""
    return with_identity(committed_house)


@pytest.fixture
async def vln(house: House) -> Customer:
    """A customer in Seattle, and prices to quote from."""
    await publish_prices(house)
    return await customer(house, "VLN, Inc.", **ABROAD)
