"""The pages of quotes by a browser without JavaScript: from a price list to what would go back of an invoice."""

import re
from uuid import UUID

import pytest

from nexuscore.console.module import module as console
from nexuscore.kernel.module import Module
from nexuscore.kernel.testing import House
from nexuscore.modules import invoices
from nexuscore.modules.books.module import module as books
from nexuscore.modules.identity.module import module as identity
from nexuscore.modules.identity.testing import person
from nexuscore.modules.invoices.module import module as invoicing
from nexuscore.modules.invoices.testing import Customer
from nexuscore.modules.mail.module import module as mail
from nexuscore.modules.mail.testing import outbox
from nexuscore.modules.orgs.module import module as orgs
from nexuscore.modules.quotes.module import module
from nexuscore.modules.quotes.testing import quote_in
from tests.console.browsing import Browser
from tests.console.conftest import signed_in

pytestmark = pytest.mark.anyio
PAGES = "/console/billing/platform"


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [console, mail, identity, orgs, books, invoicing, module]


@pytest.fixture
async def root(house: House) -> Browser:
    """Who runs the platform, signed in."""
    return await signed_in(house, await person(house, "root@example.com", platform_role="admin"))


async def test_from_prices_to_a_quote_that_is_taken_and_invoiced(root: Browser, vln: Customer, house: House) -> None:
    await root.open(f"{PAGES}/quotes")
    assert "No quotes yet" in root.text
    # prices: what is wrong stands beside its field, a change is a new version
    await root.open(f"{PAGES}/prices/new?name=audits")
    assert dict(root.form("prices").fields)["prices.0.unit_price"] == "25000.00"
    await root.send("prices", **{"prices.3.code": "hour", "prices.3.description": "Twice", "prices.3.unit_price": "x"})
    assert "Write an amount such as 12.30." in root.text
    await root.send("prices", **{"prices.3.unit_price": "1"})
    assert "This code is there twice." in root.text
    await root.send("prices", **{"prices.3.code": "report", "prices.3.unit_price": "99.50"})
    assert "audits, version 2, is published." in root.text

    await root.open(f"{PAGES}/quotes/new?q=VLN")
    assert f"{PAGES}/quotes/new?org_id={vln.org.id}" in root.read.links
    await root.open(f"{PAGES}/quotes/new?org_id={vln.org.id}")
    await root.send("quote", note="Kept")
    assert "A quote has at least one item." in root.text
    assert dict(root.form("quote").fields)["note"] == "Kept"
    await root.send(
        "quote", **{"quantities.contract": "1", "quantities.hour": "many", "discounts.0.reason": "Old friend"}
    )
    assert root.html.count('aria-invalid="true"') == 2
    await root.send("quote", **{"quantities.hour": "", "discounts.0.percent": "7.5", "place": "us-wa", "rush": "true"})
    assert "is written." in root.text
    here, number = root.at, re.search(r"Q-\d{6}-\d{4}", root.text)
    assert number is not None
    for text in ("$25,000.00", "$12,500.00", "-$1,875.00", "Old friend", "Sales tax of US-WA, 8.7 %", "$38,724.38"):
        assert text in root.text, text

    # the customer sees it once it is sent, and takes exactly what was read
    theirs = await signed_in(house, vln.owner)
    ours = here.replace("/platform", "")
    assert (await theirs.open(ours)).status == 404
    await root.send(f"{here}/send")
    assert f"Quote {number[0]}" in "".join(each.subject for each in await outbox(house))
    await theirs.open(ours)
    stale = theirs.form(f"{ours}/accept")
    await root.open(f"{here}/revise")
    assert dict(root.form("quote").fields)["quantities.contract"] == "1"
    await root.send("quote", rush="false")
    assert "Earlier versions" in root.text
    await root.send(f"{here}/send")
    refused = await theirs.post(stale.action, stale.values())
    assert refused.status_code == 409
    assert "This quote was changed in the meantime." in refused.text
    await theirs.open(ours)
    await theirs.send(f"{ours}/accept")
    assert "is accepted. Thank you." in theirs.text
    assert not [form for form in theirs.read.forms if form.action.startswith("/console/billing")]

    # nothing is offered that would be refused: neither a new version nor a second invoice
    await root.open(here)
    assert "203.0.113.9" in root.text
    assert f"{here}/revise" not in root.read.links
    await root.send(f"{here}/invoice")
    assert root.at.startswith(f"{PAGES}/invoices/")
    async with vln.acting() as ctx:
        bill = await invoices.get(ctx, UUID(root.at.rpartition("/")[2]))
        await invoices.record_payment(ctx, bill.id, bill.total, "USD", reference="1", method="bank_transfer")
    await root.open(here)
    assert not [form for form in root.read.forms if form.action.startswith(here)]
    for back in ("$24,636.88", "$18,852.66", "$12,568.44", "$6,284.22", "$0.00"):  # of $25,136.88; 500.00 is kept
        assert back in root.text, back


async def test_withdrawn_found_and_closed_to_others(root: Browser, vln: Customer, house: House) -> None:
    quote = await quote_in(house, vln.org.id)
    here, ours = f"{PAGES}/quotes/{quote}", f"/console/billing/quotes/{quote}"
    await root.open("/console/search?q=vln")
    assert here in root.read.links
    theirs = await signed_in(house, vln.owner)
    await theirs.open("/console/billing/quotes")
    assert ours in theirs.read.links
    for path in (here, f"{PAGES}/quotes", f"{PAGES}/prices"):
        assert (await theirs.open(path)).status == 403
    await root.open(here)
    await root.send(f"{here}/withdraw", reason="Declined by telephone")
    assert "Withdrawn: Declined by telephone" in root.text
    assert (await root.open(f"{here}/revise")).status == 404
    await theirs.open(ours)
    assert "Withdrawn: Declined by telephone" in theirs.text
    assert not [form for form in theirs.read.forms if form.action.startswith("/console/billing")]
    csv = (await root.open(f"{PAGES}/quotes?csv=quotes&state=withdrawn")).html
    assert 'withdrawn,"VLN, Inc.",1,25000.00' in csv
