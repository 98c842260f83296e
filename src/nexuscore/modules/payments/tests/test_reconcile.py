"""Reconciliation: what we and the provider have is held against each other, and what differs is said, once."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from nexuscore.kernel.money import Money
from nexuscore.kernel.testing import House
from nexuscore.modules.books.testing import findings
from nexuscore.modules.identity.testing import Person, person
from nexuscore.modules.invoices.testing import Customer
from nexuscore.modules.payments.provider import Intent
from nexuscore.modules.payments.reconcile import Pair, difference
from nexuscore.modules.payments.testing import before_fees, begin, bodies, compare, owed, pay, send, stripe_of, tell

pytestmark = pytest.mark.anyio
HEADERS = {"authorization": "Bearer sk_test_1"}


@pytest.fixture
async def staff(house: House) -> Person:
    return await person(house, "staff@example.com", platform_role="admin")


async def kinds(staff: Person) -> list[str]:
    listed = (await staff.client.get("/payments/findings")).json()["data"]
    return sorted(f"{each['thing']} {each['kind']}" for each in listed)


async def test_nothing_differs_when_nothing_does(house: House, acme: Customer, staff: Person) -> None:
    paid = await pay(acme, (await owed(acme)).id)
    await send(staff.client, f"/payments/{paid['id']}/refunds", {"amount": 900, "reason": "A part"})
    await house.drain()
    row = await compare(house)
    assert (row.compared, row.differing) == (2, 0)
    assert await kinds(staff) == []
    listed = (await staff.client.get("/payments/reconciliations")).json()["data"]
    assert [each["compared"] for each in listed] == [2]


async def test_money_we_did_not_hear_of_is_booked_and_told(house: House, acme: Customer, staff: Person) -> None:
    begun = await begin(acme, (await owed(acme)).id)
    stripe = stripe_of(house)
    (intent,) = stripe.account.all("payment_intent")
    stripe.answer("POST", f"/v1/payment_intents/{intent['id']}/confirm", HEADERS, b"payment_method=pm_card_visa")
    stripe.answer("POST", "/v1/refunds", HEADERS, f"payment_intent={intent['id']}&amount=900".encode())
    bodies(house)  # every webhook is lost
    row = await compare(house)
    assert (row.compared, row.differing) == (2, 2)
    assert await kinds(staff) == ["payment state", "refund missing_here"]
    shown = (await acme.owner.client.get(f"/payments/{begun['id']}")).json()
    assert (shown["state"], shown["refunded"]) == ("partially_refunded", 900)
    assert (await before_fees(house))["processor"] == 10_000
    assert (await compare(house)).differing == 0
    assert await findings(house) == []


async def test_what_only_they_have_is_told(house: House, acme: Customer, staff: Person) -> None:
    stripe = stripe_of(house)
    order = b"amount=5000&currency=sgd&payment_method=pm_card_visa&confirm=true"
    stripe.answer("POST", "/v1/payment_intents", HEADERS, order)
    stripe.answer("POST", "/v1/payment_intents", HEADERS, b"amount=5000&currency=sgd")  # no money in it
    await tell(house)
    assert (await compare(house)).differing == (await compare(house)).differing == 1
    assert await kinds(staff) == ["payment missing_here"], "once, however often it is found"


async def test_what_only_we_have_is_told(house: House, acme: Customer, staff: Person) -> None:
    await pay(acme, (await owed(acme)).id)
    stripe = stripe_of(house)
    (intent,) = stripe.account.all("payment_intent")
    del stripe.account.objects[intent["id"]]
    assert (await compare(house)).differing == 1
    assert await kinds(staff) == ["payment missing_there"]


async def test_another_amount_is_told_and_nothing_is_booked(house: House, acme: Customer, staff: Person) -> None:
    await pay(acme, (await owed(acme)).id)
    (intent,) = stripe_of(house).account.all("payment_intent")
    intent["amount"] = 10_901
    assert (await compare(house)).differing == 1
    assert await kinds(staff) == ["payment amount"]
    assert (await before_fees(house))["processor"] == 10_900


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("succeeded", "succeeded", None),
        ("refunded", "succeeded", None),
        ("pending", "pending", None),
        ("failed", "pending", None),
        ("processing", "succeeded", "state"),
        ("succeeded", "processing", "state"),
        ("pending", "canceled", "state"),
        ("canceled", "canceled", None),
        (None, "succeeded", "missing_here"),
        (None, "pending", None),
        ("charged_back", None, "missing_there"),
        ("failed", None, None),
    ],
)
def test_what_counts_as_a_difference(ours: str | None, theirs: str | None, expected: str | None) -> None:
    row: Any = SimpleNamespace(state=ours, amount=100, currency="SGD") if ours else None
    money = Money(100, "SGD")
    told: Any = Intent("pi_1", theirs, money, money, datetime.now(UTC)) if theirs else None  # type: ignore[arg-type]  # one of its states
    assert difference(Pair("payment", "pi_1", row, told)) == expected
