"""Invoices over HTTP: what members see, what those who run the platform do, and that money needs a key."""

from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from nexuscore.kernel.testing import House
from nexuscore.modules import invoices
from nexuscore.modules.identity.testing import Person, person
from nexuscore.modules.invoices import events
from nexuscore.modules.invoices.testing import Customer, customer

pytestmark = pytest.mark.anyio
LINES = [
    {"description": "Professional, November", "unit_price": 9_900},
    {"description": "Onboarding, hours", "quantity": "1.5", "unit_price": 20_000},
    {"description": "Interest", "unit_price": 1_000, "tax": "TX"},
]


async def root_of(house: House) -> Person:
    return await person(house, "root@example.com", platform_role="admin")


async def send(root: Person, path: str, body: Any = None, key: str | None = None) -> httpx2.Response:
    headers = {"idempotency-key": key or uuid4().hex}
    return await root.client.post(f"/billing/invoices{path}", body, headers=headers)


async def test_issued_by_the_platform_and_read_by_the_customer(house: House, acme: Customer) -> None:
    root = await root_of(house)
    drafted = (await send(root, "", {"org_id": str(acme.org.id), "lines": LINES})).json()
    assert (drafted["state"], drafted["number"], drafted["gst_code"], drafted["gst_rate"]) == (
        "draft",
        None,
        "SR",
        "0.0900",
    )
    assert [line["code"] for line in drafted["lines"]] == ["SR", "SR", "ES"]
    assert (drafted["subtotal"], drafted["gst_amount"], drafted["total"]) == (40_900, 3_591, 44_491)
    path = f"/{drafted['id']}"
    opened = (await send(root, f"{path}/finalise")).json()
    assert opened["supplier"]["gst_number"] == opened["supplier"]["uen"]
    assert opened["customer"]["gst_number"] == "M90312345A"
    async with acme.acting() as ctx:
        await invoices.record_payment(ctx, UUID(drafted["id"]), 44_491, "SGD", reference="FT-1", method="bank_transfer")
    seen = (await acme.owner.client.get(f"/invoices{path}")).json()
    assert [payment["reference"] for payment in seen["payments"]] == ["FT-1"]
    listed = (await acme.owner.client.get("/invoices?state=paid")).json()["data"]
    assert [(row["id"], row["days_overdue"]) for row in listed] == [(drafted["id"], 0)]
    assert (await acme.owner.client.get("/invoices?state=open")).json()["data"] == []


async def test_money_needs_a_key_and_a_repeated_one_does_nothing_twice(house: House, acme: Customer) -> None:
    root = await root_of(house)
    body = {"org_id": str(acme.org.id), "lines": LINES}
    without = await root.client.post("/billing/invoices", body)
    assert (without.status_code, without.json()["error_code"]) == (400, "idempotency_key_required")
    first, again = await send(root, "", body, "k1"), await send(root, "", body, "k1")
    assert first.json() == again.json()
    assert len(await house.facts(events.InvoiceDrafted)) == 1


async def test_a_customer_settles_nothing(house: House, acme: Customer) -> None:
    """Seen to succeed with MANAGE given to owners: a customer's own admin marked what they owed as paid."""
    root = await root_of(house)
    drafted = (await send(root, "", {"org_id": str(acme.org.id), "lines": LINES})).json()
    for path, body in (("/finalise", None), ("/void", {"reason": "x"}), ("/credit-notes", {})):
        answer = await send(acme.owner, f"/{drafted['id']}{path}", body)
        assert answer.status_code in (403, 422), answer.text
        assert (await send(acme.owner, "", {"org_id": str(acme.org.id), "lines": LINES})).status_code == 403


BAD_LINES: list[tuple[dict[str, Any], str]] = [
    ({"quantity": 1.5}, "no_fraction"),
    ({"quantity": "0"}, "greater_than"),
    ({"unit_price": 10.0}, "int_type"),
    ({"unit_price": 10**11}, "less_than_equal"),
    ({"account": "bank"}, "unknown_account"),
    ({"tax": "XX"}, "literal_error"),
    ({"description": " "}, "string_too_short"),
    ({"amount": 5}, "extra_forbidden"),
    ({"gst_rate": "0"}, "extra_forbidden"),
]


async def test_what_a_line_must_not_be(house: House, acme: Customer) -> None:
    root = await root_of(house)
    for wrong, code in BAD_LINES:
        line = {"description": "x", "unit_price": 100, **wrong}
        answer = await send(root, "", {"org_id": str(acme.org.id), "lines": [line]})
        assert answer.status_code == 422, (wrong, answer.text)
        assert code in answer.text, (wrong, answer.text)
    below = await send(root, "", {"org_id": str(acme.org.id), "lines": [{"description": "x", "unit_price": -1}]})
    assert below.json()["error_code"] == "invoice_below_zero"
    usd = await send(root, "", {"org_id": str(acme.org.id), "lines": LINES[:1], "currency": "USD"})
    assert usd.json()["error_code"] == "gst_needs_sgd"


async def test_a_customer_abroad_is_zero_rated(house: House) -> None:
    address = {"line1": "1 Pitt Street", "postal_code": "2000", "country": "AU"}
    there = await customer(house, "Sydney Pty Ltd", gst_registered=False, gst_number=None, address=address)
    root = await root_of(house)
    drafted = (await send(root, "", {"org_id": str(there.org.id), "lines": LINES[:1], "currency": "USD"})).json()
    assert (drafted["gst_code"], drafted["gst_amount"], drafted["total"]) == ("ZR", 0, 9_900)


async def test_credit_by_code(house: House, acme: Customer) -> None:
    root = await root_of(house)
    drafted = (await send(root, "", {"org_id": str(acme.org.id), "lines": LINES})).json()
    await send(root, f"/{drafted['id']}/finalise")
    body = {"reason": "Hours not worked", "amounts": {"SR": 32_700}}
    note = (await send(root, f"/{drafted['id']}/credit-notes", body)).json()
    assert note["lines"] == [{"code": "SR", "net": 30_000, "gst": 2_700}]
    over = await send(root, f"/{drafted['id']}/credit-notes", {"reason": "x", "amounts": {"ES": 1_001}})
    assert over.json()["error_code"] == "over_credit"
    assert over.json()["details"]["left"] == {"SR": 10_791, "ES": 1_000}
