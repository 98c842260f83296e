"""Money on its way back: never more than came, with a credit note, and still owed when it does not arrive."""

import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import Client, House
from nexuscore.modules import invoices
from nexuscore.modules.books.testing import findings
from nexuscore.modules.identity.testing import Person, mails_to, person
from nexuscore.modules.invoices.testing import Customer
from nexuscore.modules.payments.events import PaymentRefunded, RefundFailed
from nexuscore.modules.payments.testing import before_fees, invoice_now, owed, pay, send, stripe_of, tell

pytestmark = pytest.mark.anyio


@pytest.fixture
async def staff(house: House) -> Person:
    return await person(house, "staff@example.com", platform_role="admin")


async def refund(who: Client, payment_id: str, amount: int | None = None, **more: str) -> dict[str, object]:
    body: dict[str, object] = {"reason": "Not wanted", **more}
    if amount is not None:
        body["amount"] = amount
    answer = await send(who, f"/payments/{payment_id}/refunds", body)
    assert answer.status_code == 201, answer.text
    found: dict[str, object] = answer.json()
    return found


async def test_a_part_and_then_the_rest_go_back(house: House, acme: Customer, staff: Person) -> None:
    invoice = await owed(acme)
    paid = await pay(acme, invoice.id)
    await refund(staff.client, paid["id"], 900)
    await house.drain()
    shown = (await acme.owner.client.get(f"/payments/{paid['id']}")).json()
    assert (shown["state"], shown["refunded"]) == ("partially_refunded", 900)
    await refund(staff.client, paid["id"])
    await house.drain()
    await tell(house)
    shown = (await acme.owner.client.get(f"/payments/{paid['id']}")).json()
    assert (shown["state"], shown["refunded"]) == ("refunded", 10_900)
    now = await invoice_now(acme, invoice.id)
    assert (now.amount_refunded, now.amount_credited, now.amount_due) == (10_900, 10_900, 0)
    assert set((await before_fees(house)).values()) == {0}
    assert await findings(house) == []
    assert [fact.body["refunded"] for fact in await house.facts(PaymentRefunded)] == [900, 10_900]
    assert len(await mails_to(house, acme.owner.email, "payments.refunded")) == 2
    listed = (await acme.owner.client.get(f"/payments/{paid['id']}/refunds")).json()
    assert [each["state"] for each in listed] == ["succeeded", "succeeded"]


async def test_no_more_goes_back_than_came(house: House, acme: Customer, staff: Person) -> None:
    paid = await pay(acme, (await owed(acme)).id)
    await refund(staff.client, paid["id"], 10_000)
    answer = await send(staff.client, f"/payments/{paid['id']}/refunds", {"amount": 901, "reason": "More"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "refund_too_large")
    assert answer.json()["details"] == {"left": 900, "currency": "SGD"}


async def test_customers_do_not_refund_themselves(acme: Customer) -> None:
    """Seen red: with REFUND given to owners, the owner's request was answered 201."""
    paid = await pay(acme, (await owed(acme)).id)
    answer = await send(acme.owner.client, f"/payments/{paid['id']}/refunds", {"reason": "Mine"})
    assert answer.status_code == 403


async def test_a_refund_that_waits_is_counted_when_it_is_done(
    house: House, acme: Customer, staff: Person, fake_clock: FakeClock
) -> None:
    paid = await pay(acme, (await owed(acme)).id, "pm_card_pendingRefund")
    await refund(staff.client, paid["id"], 900)
    await house.drain()
    assert (await before_fees(house))["processor"] == 10_900
    fake_clock.advance(seconds=5)
    await tell(house)
    assert (await before_fees(house))["processor"] == 10_000
    assert await findings(house) == []


async def test_a_refund_that_comes_back_is_kept_for_its_owner(
    house: House, acme: Customer, staff: Person, fake_clock: FakeClock
) -> None:
    paid = await pay(acme, (await owed(acme)).id, "pm_card_refundFail")
    await refund(staff.client, paid["id"])
    await house.drain()
    assert (await before_fees(house))["processor"] == 0
    fake_clock.advance(seconds=5)
    await tell(house)
    now = await before_fees(house)
    assert (now["processor"], now["unapplied"]) == (10_900, -10_900)
    assert await findings(house) == []
    assert len(await house.facts(RefundFailed)) == 1
    waiting = (await staff.client.get("/payments/findings")).json()["data"]
    assert [each["kind"] for each in waiting] == ["refund_failed"]
    again = await refund(staff.client, paid["id"])
    assert (again["from_applied"], again["from_unapplied"]) == (0, 10_900)


async def test_a_refund_made_at_the_provider_is_taken_over(house: House, acme: Customer) -> None:
    paid = await pay(acme, (await owed(acme)).id)
    stripe = stripe_of(house)
    (intent,) = stripe.account.all("payment_intent")
    headers = {"authorization": "Bearer sk_test_1"}
    stripe.answer("POST", "/v1/refunds", headers, f"payment_intent={intent['id']}&amount=900".encode())
    await tell(house, copies=2)
    shown = (await acme.owner.client.get(f"/payments/{paid['id']}")).json()
    assert (shown["state"], shown["refunded"]) == ("partially_refunded", 900)
    assert (await before_fees(house))["processor"] == 10_000
    assert await findings(house) == []


async def test_money_that_came_too_late_goes_back_without_a_credit_note(
    house: House, acme: Customer, staff: Person
) -> None:
    invoice = await owed(acme)
    begun = (await send(acme.owner.client, "/payments/intents", {"invoice_id": str(invoice.id)})).json()
    stripe = stripe_of(house)
    (intent,) = stripe.account.all("payment_intent")
    headers = {"authorization": "Bearer sk_test_1"}
    stripe.answer("POST", f"/v1/payment_intents/{intent['id']}/confirm", headers, b"payment_method=pm_card_visa")
    async with acme.acting() as ctx:
        await invoices.void(ctx, invoice.id, "A mistake")
    await tell(house)
    shown = (await acme.owner.client.get(f"/payments/{begun['id']}")).json()
    assert (shown["state"], shown["applied"], shown["unapplied"]) == ("succeeded", 0, 10_900)
    assert (await before_fees(house))["unapplied"] == -10_900
    await refund(staff.client, begun["id"])
    await house.drain()
    await tell(house)
    assert set((await before_fees(house)).values()) == {0}
    assert (await invoice_now(acme, invoice.id)).amount_credited == 0
    assert await findings(house) == []
