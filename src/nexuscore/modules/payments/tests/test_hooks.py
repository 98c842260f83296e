"""What Stripe tells us: any order, any number of times, one effect; what is unknown is accepted and noted."""

import json
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from nexuscore.kernel import clock
from nexuscore.kernel.testing import House
from nexuscore.modules.books.testing import findings
from nexuscore.modules.identity.testing import mails_to, person
from nexuscore.modules.inbox.testing import signed_by_stripe
from nexuscore.modules.invoices.testing import Customer
from nexuscore.modules.payments.events import (
    PaymentSucceeded,
    ProviderInvoiceFailed,
    ProviderSubscriptionChanged,
    ProviderSubscriptionEnded,
    ProviderTrialEnding,
)
from nexuscore.modules.payments.fake.mounted import stand_in
from nexuscore.modules.payments.testing import before_fees, begin, invoice_now, owed, pay, post, stripe_of, tell

pytestmark = pytest.mark.anyio
HEADERS = {"authorization": "Bearer sk_test_1"}


async def event(house: House, type: str, thing: dict[str, Any], **more: Any) -> int:
    """An event as Stripe sends it, about any object."""
    body = {"id": f"evt_{uuid4().hex}", "object": "event", "type": type, "created": int(clock.seconds()), **more}
    answer = await post(house, json.dumps({**body, "data": {"object": thing}}).encode())
    await house.drain()
    return answer.status_code


async def as_customer(house: House, acme: Customer) -> str:
    """The organisation's id at Stripe: it has one once it has begun to pay something."""
    await begin(acme, (await owed(acme)).id)
    (customer,) = stripe_of(house).account.all("customer")
    return str(customer["id"])


@pytest.mark.parametrize("seed", range(3))
async def test_webhooks_come_in_any_order_any_number_of_times(house: House, acme: Customer, seed: int) -> None:
    invoice = await owed(acme)
    begun = await begin(acme, invoice.id)
    stripe = stripe_of(house)
    (intent,) = stripe.account.all("payment_intent")
    path = f"/v1/payment_intents/{intent['id']}/confirm"
    stripe.answer("POST", path, HEADERS, b"payment_method=pm_card_visa_chargeDeclined")
    stripe.answer("POST", path, HEADERS, b"payment_method=pm_card_visa")  # in a browser, past us
    await tell(house, copies=3, shuffled=Random(seed))  # noqa: S311 - an order, no secret
    assert (await acme.owner.client.get(f"/payments/{begun['id']}")).json()["state"] == "succeeded"
    assert len(await house.facts(PaymentSucceeded)) == 1
    assert (await before_fees(house))["processor"] == 10_900
    assert await findings(house) == []


async def test_an_event_that_is_not_signed_by_stripe_is_refused(house: House, acme: Customer) -> None:
    body = json.dumps({"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": {}}}).encode()
    headers = {"content-type": "application/json", **signed_by_stripe("whsec_guessed", body)}
    answer = await house.client().request("POST", "/hooks/stripe", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "bad_signature")


async def test_what_is_unknown_is_accepted(house: House, acme: Customer) -> None:
    for type in ("payment_intent.succeeded", "charge.dispute.created", "refund.created", "charge.refunded"):
        assert await event(house, type, {"id": "pi_nobodys", "payment_intent": "pi_nobodys"}) == 200
    assert await event(house, "terminal.reader.action_failed", {"id": "tmr_1"}) == 200
    assert await event(house, "customer.subscription.updated", {"id": "sub_1", "customer": "cus_nobody"}) == 200
    root = await person(house, "root@example.com", platform_role="admin")
    states = {each["state"] for each in (await root.client.get("/inbox/messages")).json()["data"]}
    assert states == {"processed"}


async def test_subscriptions_at_the_provider_are_told_on(house: House, acme: Customer) -> None:
    customer = await as_customer(house, acme)
    about = {"id": "sub_1", "customer": customer, "status": "past_due", "cancel_at_period_end": True}
    period = {"items": {"data": [{"current_period_end": 1_800_000_000}]}}
    await event(house, "customer.subscription.updated", {**about, **period})
    await event(house, "customer.subscription.trial_will_end", {**about, "trial_end": 1_800_000_000})
    await event(house, "customer.subscription.deleted", about)
    (changed,) = await house.facts(ProviderSubscriptionChanged)
    assert changed.org == acme.org.id
    assert (changed.body["status"], changed.body["cancel_at_period_end"]) == ("past_due", True)
    assert changed.body["period_end"].startswith("2027-01-15")
    assert len(await house.facts(ProviderTrialEnding)) == len(await house.facts(ProviderSubscriptionEnded)) == 1


async def test_an_invoice_of_stripes_pays_ours(house: House, acme: Customer) -> None:
    customer = await as_customer(house, acme)
    invoice = await owed(acme)
    paid = {"id": "in_1", "customer": customer, "amount_paid": 10_900, "currency": "sgd"}
    for type in ("invoice.paid", "invoice.payment_succeeded", "invoice.paid"):
        assert await event(house, type, {**paid, "metadata": {"invoice_id": str(invoice.id)}}) == 200
    assert (await invoice_now(acme, invoice.id)).state == "paid"
    assert len(await house.facts(PaymentSucceeded)) == 1
    assert await findings(house) == []


async def test_an_invoice_of_stripes_that_is_unknown_is_written(house: House, acme: Customer) -> None:
    customer = await as_customer(house, acme)
    paid = {"id": "in_2", "customer": customer, "amount_paid": 10_900, "currency": "sgd", "number": "A-7"}
    await event(house, "invoice.paid", {**paid, "subtotal_excluding_tax": 10_000})
    (payment,) = (await acme.owner.client.get("/payments?state=succeeded")).json()["data"]
    written = await invoice_now(acme, payment["invoice_id"])
    assert (written.state, written.total, written.source) == ("paid", 10_900, "stripe_invoice")
    assert await findings(house) == []


async def test_an_invoice_of_stripes_for_nobody_is_told_to_a_person(house: House, acme: Customer) -> None:
    root = await person(house, "root@example.com", platform_role="admin")
    paid = {"id": "in_3", "customer": "cus_nobody", "amount_paid": 10_900, "currency": "sgd"}
    await event(house, "invoice.paid", paid)
    (found,) = (await root.client.get("/payments/findings")).json()["data"]
    assert (found["kind"], found["thing"], found["thing_id"]) == ("missing_here", "invoice", "in_3")
    settled = await root.client.post(f"/payments/findings/{found['id']}/settle", {"note": "A test of the shop"})
    assert settled.json()["note"] == "A test of the shop"
    assert (await root.client.get("/payments/findings")).json()["data"] == []


async def test_an_invoice_that_could_not_be_paid_there_stays_open(house: House, acme: Customer) -> None:
    customer = await as_customer(house, acme)
    invoice = await owed(acme)
    unpaid = {"id": "in_4", "customer": customer, "amount_due": 10_900, "currency": "sgd"}
    await event(house, "invoice.payment_failed", {**unpaid, "metadata": {"invoice_id": str(invoice.id)}})
    assert (await invoice_now(acme, invoice.id)).state == "open"
    assert len(await house.facts(ProviderInvoiceFailed)) == 1
    assert len(await mails_to(house, acme.owner.email, "payments.not_paid")) == 1


async def test_the_stand_in_is_not_in_production(house: House, acme: Customer) -> None:
    paid = await pay(acme, (await owed(acme)).id)
    assert paid["state"] == "succeeded"
    kernel = house.app.kernel
    house.app.kernel = kernel.model_copy(update={"env": "production"})
    try:
        answer = await house.client().request("GET", "/dev/stripe/v1/events", headers=HEADERS)
        assert answer.status_code == 404
    finally:
        house.app.kernel = kernel
    answer = await house.client().request("GET", "/dev/stripe/v1/events?limit=2", headers=HEADERS)
    assert [each["type"] for each in answer.json()["data"]] == ["payment_intent.succeeded", "charge.succeeded"]
    assert stand_in(house.app) is stripe_of(house)
