"""The pages of the books, with money that invoices moved: balances, what they sum to, the journal behind one."""

import pytest

from nexuscore.console.module import module as console
from nexuscore.kernel.module import Module
from nexuscore.kernel.testing import House
from nexuscore.modules.books.module import module as books
from nexuscore.modules.identity.module import module as identity
from nexuscore.modules.identity.testing import person
from nexuscore.modules.invoices.module import module
from nexuscore.modules.invoices.testing import Customer, invoice_in
from nexuscore.modules.mail.module import module as mail
from nexuscore.modules.orgs.module import module as orgs
from tests.console.conftest import signed_in

pytestmark = pytest.mark.anyio
BOOKS = "/console/billing/platform/books"


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [console, mail, identity, orgs, books, module]


async def test_every_account_with_its_balance_and_what_moved_it(house: House, acme: Customer) -> None:
    root = await signed_in(house, await person(house, "root@example.com", platform_role="admin"))
    await root.open(BOOKS)
    assert "Nothing has moved yet" in root.text
    await invoice_in(house, acme.org.id)
    await invoice_in(house, acme.org.id, "paid")
    await root.open(BOOKS)
    assert (
        "The books in SGD sum to S$0.00: S$327.00 on each side." in root.text
    )  # 109.00 twice, and 109.00 that came in
    for balance in ("S$109.00", "-S$200.00", "-S$18.00"):
        assert balance in root.text, balance
    csv = (await root.open(f"{BOOKS}?csv=accounts")).html
    assert "revenue,income,SGD,0.00,200.00,-200.00" in csv
    await root.open(f"{BOOKS}?until=2020-01-01")
    assert "Nothing moved in these days." in root.text

    await root.open(f"{BOOKS}/accounts/receivable")
    assert root.html.count("<tr>") == 1 + 3  # the heading; two invoices and a payment
    assert "-S$109.00" in root.text
    await root.open(f"{BOOKS}/accounts/bank")
    assert root.html.count("<tr>") == 1 + 1
    assert (await root.open(f"{BOOKS}/accounts/nothing")).status == 404
    await root.open(f"{BOOKS}/journal?account=gst_output")
    assert root.html.count("<tr>") == 1 + 2
    theirs = await signed_in(house, acme.owner)
    for path in (BOOKS, f"{BOOKS}/journal", f"{BOOKS}/accounts/bank"):
        assert (await theirs.open(path)).status == 403
