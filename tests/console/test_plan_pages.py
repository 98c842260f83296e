"""The story of a plan as somebody without JavaScript goes through it: choose, pay, change, cancel."""

import asyncio
import re

import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import House
from nexuscore.modules.identity.testing import QUICK, person, with_identity
from nexuscore.modules.invoices.testing import SUPPLIER, Customer, customer
from nexuscore.modules.payments.testing import save_card, send, tell
from nexuscore.modules.plans.testing import days
from tests.console.browsing import Browser
from tests.console.conftest import signed_in

pytestmark = pytest.mark.anyio
PLAN = "/console/billing/plan"


@pytest.fixture
def settings() -> dict[str, str]:
    return {**QUICK, **SUPPLIER, "NEXUS_PUBLIC_URL": "http://testserver"}


@pytest.fixture
async def acme(door: House, fake_clock: FakeClock) -> Customer:
    """An organisation that is charged GST, on 20 November 2026 at noon."""
    return await customer(door)


@pytest.fixture
def committed_door(committed_house: House) -> House:
    """The house with identity at the door, for what happens at once."""
    return with_identity(committed_house)


async def pay(browser: Browser, card: str = "pm_card_visa", **more: str) -> Browser:
    """Pay the invoice this page is about, with a card of the stand-in."""
    assert "/payments/pay/" in browser.at, browser.text
    return await browser.send("pay", method="card", card=card, **more)


async def test_a_plan_is_chosen_paid_changed_and_cancelled(door: House, acme: Customer, fake_clock: FakeClock) -> None:
    browser = await signed_in(door, acme.owner)
    await browser.open(PLAN)
    assert "On trial" in browser.text
    assert "14 days left" in browser.text
    assert "S$99.00" in browser.text
    choices = [link for link in browser.read.links if "choose?plan=" in link]
    assert len(choices) == 6, "every tier by the month and by the year"
    await browser.open(f"{PLAN}/choose?plan=starter-month")
    assert re.findall(r"S\$[\d.]+", browser.text) == ["S$49.00", "S$4.41", "S$53.41"]
    form = browser.form("subscribe")
    await browser.send("subscribe", trial="false")
    assert "/payments/pay/" in browser.at
    again = await browser.post(f"{PLAN}/choose?plan=starter-month", form.values(trial="false"))
    assert (again.status_code, again.headers["location"]) == (303, browser.at), "sent twice, it is done once"
    assert len((await acme.owner.client.get("/invoices")).json()["data"]) == 1

    to_pay = browser.at
    await browser.open(to_pay.replace("/payments/pay/", "/invoices/"))
    assert to_pay in browser.read.links, "the page of the invoice leads to paying it"
    await browser.open(to_pay)
    await pay(browser, "pm_card_visa_chargeDeclined")
    assert browser.status == 402
    assert "Your card was declined." in browser.text
    await pay(browser, "pm_card_threeDSecure2Required", keep_method="true")
    bank = next(link for link in browser.read.links if "/dev/stripe/pay/" in link)
    assert "Your bank wants to see you" in browser.text
    await browser.open(bank[bank.index("/dev/stripe") :])
    await browser.send("done")
    assert re.fullmatch(r"/console/billing/payments/[0-9a-f-]{36}", browser.at), browser.at
    assert "Paid. Thank you." in browser.text
    assert "RCT-202611-0001" in browser.text
    await tell(door)
    await browser.open(to_pay.replace("/payments/pay/", "/invoices/"))
    assert to_pay not in browser.read.links
    await browser.open(to_pay)
    assert "There is nothing to pay on this invoice." in browser.text

    await browser.open(PLAN)
    assert "active" in browser.text
    assert "1 of 5" in browser.text
    assert "Visa •••• 3220" in browser.text
    await browser.send("preview-professional-month")
    assert "/changes/" in browser.at
    assert re.findall(r"-?S\$[\d.]+", browser.text)[:5] == ["S$99.00", "-S$49.00", "S$50.00", "S$4.50", "S$54.50"]
    form = browser.form("buy")
    at = browser.at
    await browser.send("buy")
    assert "The plan is changed." in browser.text
    again = await browser.post(at, form.values())
    assert (again.status_code, again.headers["location"]) == (303, PLAN)
    await tell(door)
    await browser.open(PLAN)
    assert browser.text.count("INV-202611-") == 2, "one invoice for the period, one for the change"

    await browser.send("preview-starter-month")
    assert "nothing is due now" in browser.text
    await browser.send("buy")
    assert "From 20 Dec 2026 on: Starter, S$49.00." in browser.text
    await browser.send("preview-professional-month")
    await browser.send("buy")
    assert "Starter, S$49.00." not in browser.text
    await browser.send("/pause")
    assert "Your plan stands still." in browser.text
    await browser.send("/resume")
    assert "The subscription goes on." in browser.text
    await browser.send("/cancel", at_period_end="true")
    assert "Your plan ends on 20 Dec 2026." in browser.text
    await browser.send("/reactivate")
    assert "Your plan ends" not in browser.text
    now = next(form for form in browser.read.forms if "_word" in form.kinds)
    refused = await browser.post(now.action, now.values(_typed="whatever"))
    assert refused.status_code == 422
    assert "active" in (await browser.open(PLAN)).text
    now = next(form for form in browser.read.forms if "_word" in form.kinds)
    await browser._follow(await browser.post(now.action, now.values(_typed="Professional")))
    assert "The subscription is over." in browser.text
    assert "On trial" in browser.text, "the trial of the organisation is not over"


async def test_what_is_owed_is_said_with_what_to_do(door: House, acme: Customer, fake_clock: FakeClock) -> None:
    """A card that is refused later, the days on which it is tried again, and the page on the way down and up again."""
    await save_card(acme, "pm_card_chargeCustomerFail")
    await send(acme.owner.client, "/subscriptions", {"plan": "starter-month", "trial": True})
    browser = await signed_in(door, acme.owner)
    await browser.open(PLAN)
    assert "on trial" in browser.text
    assert "4 Dec 2026, S$53.41" in browser.text, "the day of the first charge, with GST"
    await days(door, fake_clock, 15)
    await browser.open(PLAN)
    assert "past due" in browser.text
    assert "it is tried again on" in browser.text
    await days(door, fake_clock, 9)
    await browser.open(PLAN)
    assert "the limits of your plan no longer hold" in browser.text
    assert "1 of 1" in browser.text, "what holds without a plan"
    await browser.open(next(link for link in browser.read.links if "/payments/pay/" in link))
    await pay(browser)
    assert "Paid. Thank you." in browser.text
    await door.drain()
    assert "active" in (await browser.open(PLAN)).text


async def test_who_may_only_look_is_offered_nothing(door: House, acme: Customer) -> None:
    await send(acme.owner.client, "/subscriptions", {"plan": "starter-month", "trial": False})
    viewer = await signed_in(door, await acme.org.joined(await person(door, "vera@example.com"), "viewer"))
    for path in (PLAN, "/console/billing/payments", "/console/billing/methods"):
        await viewer.open(path)
        assert viewer.status == 200
        assert [each.action for each in viewer.read.forms if "/billing/" in each.action and each.method == "post"] == []
        assert [link for link in viewer.read.links if "choose" in link or "/pay/" in link] == []


async def test_two_clicks_at_once_are_one_subscription(committed_door: House) -> None:
    """Seen red without `once`: the second click is answered `already_subscribed`, and hides that it worked."""
    acme = await customer(committed_door)
    browser = await signed_in(committed_door, acme.owner)
    await browser.open(f"{PLAN}/choose?plan=starter-month")
    form = browser.form("subscribe")
    answers = await asyncio.gather(*[browser.post(form.action, form.values(trial="false")) for _ in range(2)])
    assert [answer.status_code for answer in answers] == [303, 303]
    assert len({answer.headers["location"] for answer in answers}) == 1
    changed = await browser.post(form.action, form.values(trial="true"))
    assert changed.status_code == 409
    assert "This form was sent already, and it was done." in changed.text
