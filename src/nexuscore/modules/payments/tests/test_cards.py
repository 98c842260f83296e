"""Paying by card and PayNow: the amount is the invoice's, a decline is on record, every way ends in one effect."""

import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import House
from nexuscore.modules import invoices
from nexuscore.modules.books.testing import findings
from nexuscore.modules.identity.testing import mails_to
from nexuscore.modules.invoices.testing import Customer
from nexuscore.modules.payments.events import PaymentFailed, PaymentInitiated, PaymentProcessing, PaymentSucceeded
from nexuscore.modules.payments.testing import (
    before_fees,
    begin,
    confirm,
    invoice_now,
    owed,
    pay,
    send,
    stripe_of,
    tell,
)

pytestmark = pytest.mark.anyio
PAID = {"processor": 10_900, "revenue": -10_000, "gst_output": -900, "receivable": 0}


async def test_an_invoice_is_paid_by_card(house: House, acme: Customer) -> None:
    invoice = await owed(acme)
    begun = await begin(acme, invoice.id)
    assert (begun["state"], begun["amount"], begun["currency"]) == ("pending", 10_900, "SGD")
    assert begun["client_secret"]
    answer = await confirm(acme, begun["id"])
    paid = answer.json()
    assert (paid["state"], paid["brand"], paid["last4"], paid["applied"]) == ("succeeded", "visa", "4242", 10_900)
    assert paid["receipt"].startswith("RCT-")
    assert (await invoice_now(acme, invoice.id)).state == "paid"
    assert await before_fees(house) == PAID
    await house.drain()
    await tell(house)
    assert await before_fees(house) == PAID
    assert await findings(house) == []
    (receipt,) = await mails_to(house, acme.owner.email, "payments.receipt")
    assert "109.00" in receipt.text
    assert paid["receipt"] in receipt.subject
    assert await mails_to(house, acme.owner.email, "invoices.receipt") == [], "one receipt is enough"
    assert [fact.type for fact in await house.facts(PaymentInitiated, PaymentSucceeded)] == [
        "payment.initiated",
        "payment.completed",
    ]


async def test_the_client_cannot_say_how_much(acme: Customer) -> None:
    invoice = await owed(acme)
    answer = await send(acme.owner.client, "/payments/intents", {"invoice_id": str(invoice.id), "amount": 1})
    assert answer.status_code == 422


async def test_money_moves_only_with_a_key(acme: Customer) -> None:
    invoice = await owed(acme)
    answer = await acme.owner.client.post("/payments/intents", {"invoice_id": str(invoice.id)})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "idempotency_key_required")


async def test_a_key_is_for_one_payment(acme: Customer) -> None:
    one, two = await owed(acme), await owed(acme)
    first = await send(acme.owner.client, "/payments/intents", {"invoice_id": str(one.id)}, key="k")
    again = await send(acme.owner.client, "/payments/intents", {"invoice_id": str(one.id)}, key="k")
    other = await send(acme.owner.client, "/payments/intents", {"invoice_id": str(two.id)}, key="k")
    assert first.json()["id"] == again.json()["id"]
    assert (other.status_code, other.json()["error_code"]) == (409, "PAY_002")


@pytest.mark.parametrize(
    ("card", "code", "decline"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
    ],
)
async def test_a_decline_is_said_and_on_record(
    house: House, acme: Customer, card: str, code: str, decline: str | None
) -> None:
    invoice = await owed(acme)
    begun = await begin(acme, invoice.id)
    answer = await confirm(acme, begun["id"], card)
    problem = answer.json()
    assert (answer.status_code, problem["error_code"]) == (402, "PAY_001")
    assert (problem["details"]["code"], problem["details"]["decline"]) == (code, decline)
    shown = (await acme.owner.client.get(f"/payments/{begun['id']}")).json()
    assert (shown["state"], shown["failure_code"], shown["failure_decline"]) == ("failed", code, decline)
    await tell(house)
    (failed,) = await house.facts(PaymentFailed)
    assert (failed.body["attempt"], failed.body["code"]) == (1, code)
    again = await confirm(acme, begun["id"])
    assert again.json()["state"] == "succeeded"
    assert await before_fees(house) == PAID


async def test_three_d_secure_is_finished_on_the_banks_page(house: House, acme: Customer) -> None:
    invoice = await owed(acme)
    begun = await begin(acme, invoice.id)
    waits = (await confirm(acme, begun["id"], "pm_card_threeDSecure2Required")).json()
    assert (waits["state"], waits["action"]["type"]) == ("requires_action", "redirect")
    page = waits["action"]["url"].removeprefix("http://127.0.0.1:8000")
    assert "Approve" in (await house.client().request("GET", page)).text
    assert (await house.client().request("POST", f"{page}/done")).status_code == 303
    back = await acme.owner.client.post(f"/payments/{begun['id']}/refresh")
    assert back.json()["state"] == "succeeded"
    await tell(house)
    assert await before_fees(house) == PAID


async def test_a_payer_who_refuses_may_try_again(house: House, acme: Customer) -> None:
    invoice = await owed(acme)
    begun = await begin(acme, invoice.id)
    await confirm(acme, begun["id"], "pm_card_threeDSecure2Required")
    stripe = stripe_of(house)
    (intent,) = stripe.account.all("payment_intent")
    assert stripe.answer("POST", f"/pay/{intent['id']}/failed", {}, b"").status == 303
    await tell(house)
    shown = (await acme.owner.client.get(f"/payments/{begun['id']}")).json()
    assert (shown["state"], shown["failure_code"]) == ("failed", "payment_intent_authentication_failure")
    assert len(await mails_to(house, acme.owner.email, "payments.not_paid")) == 1
    assert (await confirm(acme, begun["id"])).json()["state"] == "succeeded"


async def test_paynow_is_a_code_to_scan(house: House, acme: Customer) -> None:
    invoice = await owed(acme)
    begun = await begin(acme, invoice.id, kind="paynow")
    assert begun["state"] == "requires_action"
    assert begun["action"]["type"] == "paynow_qr"
    assert "SG.PAYNOW" in begun["action"]["data"]
    assert begun["action"]["image_url"]
    stripe = stripe_of(house)
    (intent,) = stripe.account.all("payment_intent")
    stripe.answer("POST", f"/pay/{intent['id']}/done", {}, b"")
    await tell(house)
    assert (await acme.owner.client.get(f"/payments/{begun['id']}")).json()["state"] == "succeeded"
    assert await before_fees(house) == PAID


async def test_what_is_slow_is_processing_until_the_webhook(
    house: House, acme: Customer, fake_clock: FakeClock
) -> None:
    invoice = await owed(acme, 91_744)  # 1000.01 and 9 % GST make 100,001
    assert invoice.total == 100_001
    assert (await confirm(acme, (await begin(acme, invoice.id))["id"])).status_code == 402
    slow = await owed(acme, 91_747)
    assert slow.total == 100_004
    begun = await begin(acme, slow.id)
    assert (await confirm(acme, begun["id"])).json()["state"] == "processing"
    assert len(await house.facts(PaymentProcessing)) == 1
    fake_clock.advance(seconds=5)
    await tell(house)
    assert (await acme.owner.client.get(f"/payments/{begun['id']}")).json()["state"] == "succeeded"
    assert (await invoice_now(acme, slow.id)).state == "paid"


async def test_one_payment_at_a_time(house: House, acme: Customer) -> None:
    invoice = await owed(acme)
    one, two = await begin(acme, invoice.id), await begin(acme, invoice.id)
    assert one["id"] == two["id"], "the second asks for the same and gets the same"
    other = await send(acme.owner.client, "/payments/intents", {"invoice_id": str(invoice.id), "kind": "paynow"})
    assert (other.status_code, other.json()["error_code"]) == (409, "payment_in_progress")
    assert other.json()["details"]["payment_id"] == one["id"]
    canceled = await acme.owner.client.post(f"/payments/{one['id']}/cancel")
    assert canceled.json()["state"] == "canceled"
    assert (await begin(acme, invoice.id, kind="paynow"))["id"] != one["id"]


async def test_what_changed_meanwhile_is_not_charged(house: House, acme: Customer) -> None:
    invoice = await owed(acme)
    begun = await begin(acme, invoice.id)
    async with acme.acting() as ctx:
        await invoices.record_payment(ctx, invoice.id, 900, "SGD", reference="bank-1", method="bank_transfer")
    answer = await confirm(acme, begun["id"])
    assert (answer.status_code, answer.json()["error_code"]) == (409, "amount_changed")
    assert (await acme.owner.client.get(f"/payments/{begun['id']}")).json()["state"] == "canceled"
    assert (await begin(acme, invoice.id))["amount"] == 10_000


async def test_nothing_is_paid_twice(acme: Customer) -> None:
    invoice = await owed(acme)
    await pay(acme, invoice.id)
    answer = await send(acme.owner.client, "/payments/intents", {"invoice_id": str(invoice.id)})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "nothing_to_pay")
