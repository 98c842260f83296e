"""The pages of invoices by a browser without JavaScript: each story from the list to the end of it."""

import re

import pytest

from nexuscore.console.module import module as console
from nexuscore.kernel.module import Module
from nexuscore.kernel.testing import House
from nexuscore.modules.books.module import module as books
from nexuscore.modules.identity.module import module as identity
from nexuscore.modules.identity.testing import person
from nexuscore.modules.invoices.module import module
from nexuscore.modules.invoices.testing import Customer, credit_note_in, invoice_in, some_uen
from nexuscore.modules.mail.module import module as mail
from nexuscore.modules.mail.testing import outbox
from nexuscore.modules.orgs.module import module as orgs
from tests.console.browsing import Browser
from tests.console.conftest import signed_in

pytestmark = pytest.mark.anyio
PAGES = "/console/billing/platform"


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [console, mail, identity, orgs, books, module]


@pytest.fixture
async def root(house: House) -> Browser:
    """Who runs the platform, signed in."""
    return await signed_in(house, await person(house, "root@example.com", platform_role="admin"))


def row(at: int, description: str = "", price: str = "", **more: str) -> dict[str, str]:
    """What is typed into a row of the form."""
    return {
        f"lines.{at}.{name}": text for name, text in {"description": description, "unit_price": price, **more}.items()
    }


async def test_from_an_empty_list_to_an_invoice_that_is_paid(root: Browser, acme: Customer, house: House) -> None:
    await root.open(f"{PAGES}/invoices")
    assert "No invoices yet" in root.text
    assert "/api/v1/billing/invoices" in root.text
    await root.open(f"{PAGES}/invoices/new?q=acm")
    assert f"{PAGES}/invoices/new?org_id={acme.org.id}" in root.read.links
    await root.open(f"{PAGES}/invoices/new?org_id={acme.org.id}")
    assert "Standard-rated (SR)" in root.text

    # what is wrong stands beside its field, and nothing typed is lost; rows left empty are left out
    await root.send("invoice", **row(0, "Month", "ninety"), **row(2, "", "5.00"), memo="Thanks")
    assert root.status == 422
    assert "Write an amount such as 12.30." in root.text
    assert root.html.count('aria-invalid="true"') == 2
    typed = dict(root.form("invoice").fields)
    assert (typed["lines.0.unit_price"], typed["lines.2.unit_price"], typed["memo"]) == ("ninety", "5.00", "Thanks")
    form = root.form("invoice")
    await root._follow(await root.post(f"{PAGES}/invoices/new/line?org_id={acme.org.id}", form.values()))
    typed = dict(root.form("invoice").fields)
    assert (root.status, typed["_rows"], typed["lines.3.description"]) == (200, "4", "")
    assert (typed["lines.0.unit_price"], typed["memo"]) == ("ninety", "Thanks")
    await root.send(
        "invoice",
        **row(0, "Month", "99.00"),
        **row(2, "Hours", "200,00", quantity="1,5"),
        **row(3, "Fee", "10", tax="ES"),
    )
    assert "The draft is written." in root.text
    here = root.at
    for amount in ("S$409.00", "S$35.91", "S$444.91"):
        assert amount in root.text
    assert not any(each.action.endswith(("/send", "/payments", "/uncollectible")) for each in root.read.forms)

    await root.open(f"{here}/edit")
    assert dict(root.form("invoice").fields)["lines.1.unit_price"] == "200.00"
    await root.send("invoice", memo="", customer_reference="PO-7")
    assert "The draft is changed." in root.text
    assert "Thanks" not in root.text
    await root.send(f"{here}/finalise")
    assert "is issued and on its way." in root.text
    number = re.search(r"INV-\d{6}-0001", root.text)
    assert number is not None
    assert [each.subject for each in await outbox(house)].count(f"Invoice {number[0]} of S$444.91") == 1
    assert not any(each.endswith("/edit") for each in root.read.links)

    await root.send(f"{here}/send")
    assert [each.subject for each in await outbox(house)].count(f"Invoice {number[0]} of S$444.91") == 2
    await root.send("payment", amount="500.00", reference="FT-1")
    assert "This is more than what is left to pay." in root.text
    await root.send("payment", amount="1,234", reference="FT-1")
    assert "Write an amount such as 12.30." in root.text
    await root.send("payment", amount="44.91", reference="FT-1")
    assert "partly paid" in root.text
    assert not any(each.action.endswith("/void") for each in root.read.forms)
    await root.send("payment", reference="FT-2")
    assert not any(each.action.endswith(("/payments", "/uncollectible", "/send")) for each in root.read.forms)
    assert root.text.count("FT-") == 2

    answer = await root.http.get(f"{here}/pdf?language=he", follow_redirects=False)
    assert answer.headers["location"].startswith("/api/v1/invoices/files/")
    await root.open(f"{PAGES}/invoices?state=paid&q=acme&sort=-total")
    assert number[0] in root.text
    csv = (await root.open(f"{PAGES}/invoices?csv=invoices")).html
    assert f"{number[0]},paid,Acme Pte. Ltd." in csv
    assert "444.91" in csv
    await root.open(f"{PAGES}/invoices?overdue=true")
    assert "Nothing here." in root.text


async def test_cancelled_only_by_its_number_and_given_up_for_a_reason(root: Browser, acme: Customer) -> None:
    void = f"{PAGES}/invoices/{await invoice_in(acme.house, acme.org.id)}"
    await root.open(void)
    await root.send(f"{void}/void", reason="Twice", _typed="something else")
    assert root.status == 422
    assert "cancelled" not in root.text
    await root.send(f"{void}/void", reason="Twice", _typed=dict(root.form(f"{void}/void").fields)["_word"])
    assert "Cancelled: Twice" in root.text
    assert not [each for each in root.read.forms if each.action.startswith(void)]
    lost = f"{PAGES}/invoices/{await invoice_in(acme.house, acme.org.id)}"
    await root.open(lost)
    await root.send(f"{lost}/uncollectible", reason="Gone")
    assert "given up" in root.text
    assert root.form("payment")
    draft = f"{PAGES}/invoices/{await invoice_in(acme.house, acme.org.id, 'draft')}"
    await root.open(draft)
    await root.send(f"{draft}/void")
    assert "The draft is discarded." in root.text
    assert (await root.open(f"{PAGES}/invoices/{acme.org.id}")).status == 404


async def test_credited_by_lines_and_reported(root: Browser, acme: Customer) -> None:
    """Seen red without `once`: the form sent twice credits the seat twice."""
    await acme.owner.client.patch(f"/organisations/{acme.org.id}", {"uen": some_uen()})
    await root.open(f"{PAGES}/credit-notes")
    assert "No credit notes yet" in root.text
    await root.open(f"{PAGES}/invoices/new?org_id={acme.org.id}")
    await root.send(
        "invoice", **row(0, "Month", "99.00"), **row(1, "Seat", "20.00"), **row(2, "Interest", "10.00", tax="ES")
    )
    bill = root.at
    await root.send(f"{bill}/finalise")
    assert (await root.http.get(f"{bill}/peppol")).text.startswith("<?xml")

    await root.open(f"{bill}/credit")
    assert "S$139.71 of S$139.71" in root.text
    await root.send("credit", reason="Half", amount="5.00", lines="1")
    assert "not both" in root.text
    form = root.form("credit")
    await root.send("credit", reason="One seat too many", amount="", lines="1")
    assert "S$21.80" in root.text  # 20.00 and its GST
    twice = await root.post(form.action, form.values(reason="One seat too many", amount="", lines="1"))
    assert (twice.status_code, twice.headers["location"]) == (303, bill), "sent twice, it is done once"
    note = next(each for each in root.read.links if "/credit-notes/" in each)
    await root.open(f"{bill}/credit")
    assert "S$117.91 of S$139.71" in root.text
    await root.send("credit", reason="All", amount="500")
    assert "This is more than what is left to credit." in root.text
    await root.send("credit", reason="The rest", amount="")
    assert "credited" in root.text
    assert (await root.open(f"{bill}/credit")).status == 404

    await root.open(note)
    assert "S$1.80" in root.text
    assert "One seat too many" in root.text
    assert (await root.http.get(f"{note}/peppol")).text.startswith("<?xml")
    assert (await root.http.get(f"{note}/pdf")).headers["location"].startswith("/api/v1/invoices/files/")
    await root.open(f"{PAGES}/credit-notes?q=seat")
    assert "One seat too many" in root.text
    assert "The rest" not in root.text

    await root.open(f"{PAGES}/gst")
    assert "Output tax due" in root.text
    csv = (await root.open(f"{PAGES}/gst?csv=documents")).html.splitlines()
    assert len(csv) == 1 + 2 + 1 + 2  # the heading; an invoice under two codes, a note under one, another under two
    assert any(",119.00,10.71" in line for line in csv)
    await root.open(f"{PAGES}/gst?year=2024&quarter=1")
    assert "GST report, quarter 1 of 2024" in root.text
    assert f"{PAGES}/gst?year=2023&quarter=4" in root.read.links


async def test_the_search_finds_them_and_whoever_may_not_sees_nothing(root: Browser, acme: Customer) -> None:
    bill = f"{PAGES}/invoices/{await invoice_in(acme.house, acme.org.id)}"
    await root.open("/console/search?q=acme")
    assert bill in root.read.links
    theirs = await signed_in(acme.house, acme.owner)
    assert not [link for link in theirs.read.links if link.startswith(PAGES)]
    await theirs.open("/console/search?q=acme")
    assert bill not in theirs.read.links
    for path in (bill, f"{PAGES}/invoices", f"{PAGES}/gst", f"{PAGES}/credit-notes"):
        assert (await theirs.open(path)).status == 403


async def test_an_organisation_reads_its_own_and_nothing_of_drafts(house: House, acme: Customer) -> None:
    theirs = await signed_in(house, acme.owner)
    await theirs.open("/console/billing/invoices")
    assert "No invoices yet" in theirs.text
    draft = await invoice_in(house, acme.org.id, "draft")
    bill, note = await credit_note_in(house, acme.org.id)
    await theirs.open("/console/billing/invoices?state=open&sort=due_on")
    here = f"/console/billing/invoices/{bill}"
    assert here in theirs.read.links
    assert f"/console/billing/invoices/{draft}" not in theirs.html
    assert (await theirs.open(f"/console/billing/invoices/{draft}")).status == 404
    await theirs.open(here)
    assert "Tax Invoice" in theirs.text
    assert not [form for form in theirs.read.forms if form.action.startswith("/console/billing")]
    for path in (f"{here}/pdf", f"{here}/credit-notes/{note}/pdf?language=he"):
        link = (await theirs.http.get(path)).headers["location"]
        assert (await theirs.http.get(link)).content.startswith(b"%PDF")
