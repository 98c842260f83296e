"""Credits bought, given, capped and spent; and the platform's fee, changed by somebody who proved who they are."""

import re

import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import House
from nexuscore.modules import usage
from nexuscore.modules.identity.testing import QUICK, Person, person
from nexuscore.modules.invoices.testing import SUPPLIER, Customer, customer
from tests.console.browsing import Browser
from tests.console.conftest import signed_in

pytestmark = pytest.mark.anyio
USAGE, CREDITS = "/console/billing/usage", "/console/billing/platform/credits"
FEE = "/console/billing/platform/fee"


@pytest.fixture
def settings() -> dict[str, str]:
    return {**QUICK, **SUPPLIER}


@pytest.fixture
async def acme(door: House, fake_clock: FakeClock) -> Customer:
    """An organisation that is charged GST, on 20 November 2026 at noon."""
    return await customer(door)


@pytest.fixture
async def root(door: House, fake_clock: FakeClock) -> Browser:
    """Who runs the platform."""
    return await signed_in(door, await admin(door))


async def admin(door: House) -> Person:
    return await person(door, "root@example.com", platform_role="admin")


async def test_credits_are_bought_given_capped_and_spent(door: House, acme: Customer, root: Browser) -> None:
    browser = await signed_in(door, acme.owner)
    await browser.open(USAGE)
    assert "paid in advance" in browser.text
    assert "Nothing is held at this moment." in browser.text
    form = browser.form("order")
    await browser.send("order", amount="0.50")
    assert browser.status == 422
    assert "Write an amount such as 12.30." in browser.text
    assert dict(browser.form("order").fields)["amount"] == "0.50", "what was typed is still there"
    await browser.send("order", amount="50,00")
    assert "The credits are there once this is paid." in browser.text
    assert "S$54.50" in browser.text
    assert any("/payments/pay/" in link for link in browser.read.links), "the invoice can be paid from its page"
    await browser.post(form.action, form.values(amount="50.00"))
    await browser.post(form.action, form.values(amount="50.00"))
    assert len((await acme.owner.client.get("/invoices")).json()["data"]) == 2, "of two more clicks one counts"

    await root.open(f"{CREDITS}?q=acme")
    await root.open(next(link for link in root.read.links if link.startswith(f"{CREDITS}/")))
    await root.send("grant", amount="20.00", reason="A welcome")
    assert "The credits are given." in root.text
    assert "S$20.00" in root.text

    await browser.open(USAGE)
    await browser.send("cap", day="5.00", month="")
    assert "The caps are set." in browser.text
    async with acme.acting() as ctx:
        await usage.spend(ctx, reason="assistant.answer", units=812, cost_micro=1_011_368)
        await usage.reserve(ctx, 2_000_000, reason="assistant.search")
    await browser.open(USAGE)
    assert "S$1.011368 of S$5.00" in browser.text
    assert "S$2.00 of it is held for what is under way." in browser.text
    assert "assistant.search" in browser.text
    assert "S$16.988632" in browser.text, "20 less what is spent and held"
    await browser.open(f"{USAGE}/entries?kind=spend")
    assert "assistant.answer" in browser.text
    assert "A welcome" not in browser.text
    lines = (await browser.http.get(f"{USAGE}/entries?csv=ledger")).content.decode("utf-8-sig").splitlines()
    assert len(lines) == 3
    assert ",812,0,1011368,-1011368,0,0," in lines[1], lines
    await browser.open(f"{USAGE}/mine")
    assert "S$1.011368 of S$5.00" in browser.text

    await root.open(root.at)
    await root.send("terms", is_postpaid="true", warn_below="2.50")
    assert "paid afterwards" in root.text
    assert "S$2.50" in root.text


async def test_the_fee_is_changed_by_who_proves_who_they_are(door: House, fake_clock: FakeClock) -> None:
    """Seen red without `fresh=True` on the change: no password was asked for."""
    who = await admin(door)
    root = await signed_in(door, who)
    await root.open(FEE)
    assert "10.00 %" in root.text
    assert re.findall(r"S\$[\d.]+", root.text) == ["S$100.00", "S$500.00", "S$50.00", "S$550.00", "S$110.00"]
    fake_clock.advance(minutes=11)
    await root.open(FEE)
    await root.send("fee", fee_percentage="12.50", reason="The board of November")
    assert root.at == "/console/prove"
    await root.send("password", password=who.password)
    assert root.at == FEE
    assert dict(root.form("fee").fields)["fee_percentage"] == "12.50", "what was typed is still there"
    await root.send("fee")
    assert "The fee is changed." in root.text
    assert "12.50 %" in root.text
    assert "The board of November" in root.text
    stale = root.form("fee")
    await root.send("fee", fee_percentage="13.37", reason="Another thought")
    await root._follow(await root.post(FEE, stale.values(fee_percentage="99.00", reason="An old page")))
    assert root.status == 409
    assert "13.37 %" in root.text
    await root.send("fee", fee_percentage="101", reason="Too much")
    assert "A fee is between 0.00 and 100.00 per cent" in root.text
    await root.open(f"{FEE}?base=abc")
    assert "Write an amount such as 12.30." in root.text

    looks = await signed_in(door, await person(door, "moira@example.com", platform_role="moderator"))
    await looks.open(FEE)
    assert "13.37 %" in looks.text
    assert [form.id for form in looks.read.forms if form.id == "fee"] == []


async def test_a_plan_is_added_hidden_and_keeps_its_price(door: House, acme: Customer, root: Browser) -> None:
    plans = "/console/billing/platform/plans"
    await root.open(f"{plans}/new")
    given = {"sku": "team-month", "name": "Team", "limits": '{"members": 7, "leads_per_month": null}'}
    await root.send("plan", **given, price="1,000", features="{}")
    assert "Write an amount such as 12.30." in root.text, "a thousand, or one? it is not guessed"
    await root.send("plan", price="19,50")
    assert "The plan is in the catalogue." in root.text
    assert "S$19.50" in root.text
    browser = await signed_in(door, acme.owner)
    await browser.open("/console/billing/plan")
    assert "Team" in browser.text
    await root.send("plan", is_visible="false", limits='{"members": 8}')
    assert "The plan is changed in the catalogue." in root.text
    assert '"members": 8' in dict(root.form("plan").fields)["limits"]
    await browser.open("/console/billing/plan")
    assert "Team" not in browser.text
    await root.open(plans)
    assert "team-month" in root.text
