"""Money by bank or in cash: recorded by staff, once per reference, with who and what for."""

import pytest

from nexuscore.kernel.testing import House
from nexuscore.modules.books.testing import balances, findings
from nexuscore.modules.identity.testing import Person, person
from nexuscore.modules.invoices import MoneyByHand, NewPayment, WrongCurrency
from nexuscore.modules.invoices.testing import Customer
from nexuscore.modules.payments.testing import begin, invoice_now, owed, pay, send, stripe_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def staff(house: House) -> Person:
    return await person(house, "staff@example.com", platform_role="admin")


async def test_a_transfer_pays_an_invoice_once(house: House, acme: Customer, staff: Person) -> None:
    invoice = await owed(acme)
    begun = await begin(acme, invoice.id)
    body = {"invoice_id": str(invoice.id), "amount": 10_900, "kind": "bank_transfer", "reference": "DBS-1"}
    first = await send(staff.client, "/payments/by-hand", {**body, "note": "Statement of November, page 2"})
    again = await send(staff.client, "/payments/by-hand", body)
    assert first.status_code == again.status_code == 201, first.text
    assert first.json()["id"] == again.json()["id"]
    assert (first.json()["state"], first.json()["reference"]) == ("succeeded", "DBS-1")
    assert (first.json()["created_by"], first.json()["note"]) == (str(staff.id), "Statement of November, page 2")
    assert (await invoice_now(acme, invoice.id)).state == "paid"
    await house.drain()
    assert (await balances(house))["bank"] == 10_900
    shown = (await acme.owner.client.get(f"/payments/{begun['id']}")).json()
    assert shown["state"] == "canceled", "nobody should pay by card what the bank paid"
    (intent,) = stripe_of(house).account.all("payment_intent")
    assert intent["status"] == "canceled"
    assert await findings(house) == []


async def test_a_part_by_bank_stops_a_card_for_the_whole(house: House, acme: Customer, staff: Person) -> None:
    invoice = await owed(acme)
    begun = await begin(acme, invoice.id, kind="paynow")
    body = {"invoice_id": str(invoice.id), "amount": 900, "kind": "bank_transfer", "reference": "DBS-2"}
    await send(staff.client, "/payments/by-hand", body)
    await house.drain()
    assert (await acme.owner.client.get(f"/payments/{begun['id']}")).json()["state"] == "canceled"
    assert (await begin(acme, invoice.id))["amount"] == 10_000


async def test_another_amount_with_the_same_reference_is_refused(acme: Customer, staff: Person) -> None:
    invoice = await owed(acme)
    body = {"invoice_id": str(invoice.id), "amount": 500, "kind": "cash", "reference": "Slip 7"}
    await send(staff.client, "/payments/by-hand", body)
    answer = await send(staff.client, "/payments/by-hand", {**body, "amount": 600})
    assert (answer.status_code, answer.json()["error_code"]) == (409, "reference_used")


async def test_more_than_is_due_is_kept_only_when_that_is_said(house: House, acme: Customer, staff: Person) -> None:
    invoice = await owed(acme)
    body = {"invoice_id": str(invoice.id), "amount": 11_000, "kind": "cash", "reference": "Slip 8"}
    refused = await send(staff.client, "/payments/by-hand", body)
    assert (refused.status_code, refused.json()["error_code"]) == (400, "more_than_due")
    kept = (await send(staff.client, "/payments/by-hand", {**body, "keep_rest": True})).json()
    assert (kept["applied"], kept["unapplied"]) == (10_900, 100)
    back = await send(
        staff.client, f"/payments/{kept['id']}/refunds", {"amount": 100, "reason": "Too much", "reference": "Slip 9"}
    )
    assert (back.json()["state"], back.json()["from_unapplied"]) == ("succeeded", 100)
    now = await balances(house)
    assert (now["cash"], now["unapplied"], now["receivable"]) == (10_900, 0, 0)
    assert await findings(house) == []


async def test_what_was_recorded_is_taken_back_once(house: House, acme: Customer, staff: Person) -> None:
    """A transfer that came back: owed again, off the bank, and no refund of it is possible any more."""
    invoice = await owed(acme)
    body = {"invoice_id": str(invoice.id), "amount": 11_000, "kind": "bank_transfer", "reference": "DBS-3"}
    paid = (await send(staff.client, "/payments/by-hand", {**body, "keep_rest": True})).json()
    await send(staff.client, f"/payments/{paid['id']}/refunds", {"amount": 600, "reason": "A part", "reference": "b1"})
    path, why = f"/payments/{paid['id']}/take-back", {"reason": "The bank called it back"}
    assert (await send(acme.owner.client, path, why)).status_code == 403
    taken = await send(staff.client, path, why)
    assert (taken.status_code, taken.json()["state"]) == (200, "charged_back")
    again = await invoice_now(acme, invoice.id)
    assert (again.state, again.total - again.amount_credited, again.amount_due) == ("open", 10_400, 10_400)
    now = await balances(house)
    assert (now["bank"], now["disputed"], now["unapplied"], now["receivable"]) == (0, 0, 0, 10_400)
    for refused in (await send(staff.client, path, why), await send(staff.client, f"{path[:-9]}refunds", why)):
        assert (refused.status_code, refused.json()["error_code"]) == (409, "payment_wrong_state")
    assert (await staff.client.get("/payments/findings")).json()["data"][0]["kind"] == "unapplied", "of the rest alone"
    card = await pay(acme, invoice.id)
    refused = await send(staff.client, f"/payments/{card['id']}/take-back", why)
    assert (refused.status_code, refused.json()["error_code"]) == (409, "payment_not_by_hand")
    assert await findings(house) == []


async def test_what_pages_of_invoices_record_is_recorded_here(house: House, acme: Customer) -> None:
    """PayNow by the code on the invoice came to the bank, not to Stripe."""
    invoice = await owed(acme)
    (slot,) = house.app.fillers(MoneyByHand)
    new = NewPayment(amount=10_900, currency="SGD", method="paynow", reference="P-1")
    for _ in range(2):
        async with acme.acting() as ctx:
            await slot.record(ctx, invoice.id, new)
    (shown,) = (await acme.owner.client.get("/payments")).json()["data"]
    assert (shown["kind"], shown["state"], shown["reference"], shown["applied"]) == (
        "paynow",
        "succeeded",
        "P-1",
        10_900,
    )
    async with acme.acting() as ctx:
        with pytest.raises(WrongCurrency):
            await slot.record(ctx, invoice.id, new.model_copy(update={"currency": "USD"}))
    now = await balances(house)
    assert (now["bank"], now.get("processor"), now["receivable"]) == (10_900, None, 0)
    assert await findings(house) == []


async def test_members_do_not_record_their_own_payments(acme: Customer) -> None:
    invoice = await owed(acme)
    body = {"invoice_id": str(invoice.id), "amount": 100, "kind": "cash", "reference": "Mine"}
    assert (await send(acme.owner.client, "/payments/by-hand", body)).status_code == 403
