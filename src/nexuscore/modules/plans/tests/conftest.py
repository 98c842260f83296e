"""The module under test, with identity at the door, a supplier who is registered for GST, and time that can pass."""

import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.module import Module
from nexuscore.kernel.testing import House
from nexuscore.modules.books.module import module as books
from nexuscore.modules.identity.module import module as identity
from nexuscore.modules.identity.testing import QUICK, with_identity
from nexuscore.modules.inbox.module import module as inbox
from nexuscore.modules.invoices.module import module as invoices
from nexuscore.modules.invoices.testing import SUPPLIER, Customer, customer
from nexuscore.modules.mail.module import module as mail
from nexuscore.modules.orgs.module import module as orgs
from nexuscore.modules.payments.module import module as payments
from nexuscore.modules.plans.module import module


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [mail, identity, orgs, inbox, books, invoices, payments, module]


@pytest.fixture
def settings() -> dict[str, str]:
    return {**QUICK, **SUPPLIER}


@pytest.fixture
def house(house: House) -> House:
    """Rolled back after the test."""
    return with_identity(house)


@pytest.fixture
def committed_house(committed_house: House) -> House:
    """Committed for real."""
    return with_identity(committed_house)


@pytest.fixture
async def acme(house: House, fake_clock: FakeClock) -> Customer:
    """Who subscribes, on 20 November 2026 at noon."""
    return await customer(house)
