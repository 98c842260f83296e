"""For the tests of modules that invoice.

@pytest.fixture
def settings() -> dict[str, str]:
    return {**QUICK, **SUPPLIER}                    # a supplier that is registered for GST

acme = await customer(house)                        # an organisation that is charged GST
async with acme.acting() as ctx:
    invoice = await invoices.issue(ctx, [NewLine(description="A month", unit_price=10_000)])
assert invoice.total == 10_900
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.testing import House
from nexuscore.modules.identity.testing import Person, person
from nexuscore.modules.orgs.testing import Org, found

SUPPLIER = {
    "NEXUS_INVOICES_SUPPLIER_NAME": "NexusCore Pte. Ltd.",
    "NEXUS_INVOICES_SUPPLIER_UEN": "201912345R",
    "NEXUS_INVOICES_SUPPLIER_GST_NUMBER": "201912345R",
    "NEXUS_INVOICES_SUPPLIER_ADDRESS": "1 Raffles Place; #20-61 One Raffles Place; Singapore 048616; Singapore",
    "NEXUS_INVOICES_SUPPLIER_EMAIL": "billing@nexuscore.example",
}
REGISTERED = {
    "gst_registered": True,
    "gst_number": "M90312345A",
    "address": {"line1": "10 Anson Road", "line2": "#26-04 International Plaza", "postal_code": "079903"},
}


@dataclass(slots=True)
class Customer:
    """An organisation that is invoiced, and its owner."""

    org: Org
    owner: Person
    house: House

    @asynccontextmanager
    async def acting(self) -> AsyncIterator[Ctx]:
        """The platform, acting in the organisation's scope."""
        async with self.house.app.context(org=self.org.id) as ctx:
            yield ctx


async def customer(house: House, name: str = "Acme Pte. Ltd.", **fields: Any) -> Customer:
    """An organisation registered for GST; `fields` say otherwise."""
    owner = await person(house, f"{uuid4().hex}@example.com")
    return Customer(await found(house, owner, name, **{**REGISTERED, **fields}), owner, house)
