"""Saved cards and renewals: charged with nobody looking, once per try, and what the bank says is told as a fact."""

from uuid import UUID

import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import House
from nexuscore.modules import payments
from nexuscore.modules.books.testing import findings
from nexuscore.modules.invoices.testing import Customer, customer
from nexuscore.modules.payments.events import MethodRemoved, PaymentFailed, PaymentSucceeded
from nexuscore.modules.payments.testing import before_fees, begin, confirm, owed, save_card, send, stripe_of, tell

pytestmark = pytest.mark.anyio


async def charge(who: Customer, invoice_id: UUID, key: str = "one") -> payments.Payment:
    async with who.acting() as ctx:
        return await payments.charge(ctx, invoice_id, key=key)


async def test_a_saved_card_is_charged(house: House, acme: Customer) -> None:
    card = await save_card(acme)
    assert (card["brand"], card["last4"], card["is_default"]) == ("visa", "4242", True)
    invoice = await owed(acme)
    made = await charge(acme, invoice.id)
    again = await charge(acme, invoice.id)
    assert made.id == again.id
    assert made.state == "pending", "nothing is called in the transaction"
    await house.drain()
    await tell(house)
    (fact,) = await house.facts(PaymentSucceeded)
    assert (fact.body["invoice_id"], fact.body["off_session"]) == (str(invoice.id), True)
    assert (await before_fees(house))["processor"] == 10_900
    assert await findings(house) == []


async def test_a_card_is_kept_with_the_payment_when_asked(house: House, acme: Customer) -> None:
    begun = await begin(acme, (await owed(acme)).id, keep_method=True)
    await confirm(acme, begun["id"])
    await tell(house, copies=2)
    (kept,) = (await acme.owner.client.get("/payments/methods")).json()
    assert (kept["last4"], kept["is_default"]) == ("4242", True)
    await charge(acme, (await owed(acme)).id)
    await house.drain()
    assert (await before_fees(house))["processor"] == 2 * 10_900


async def test_each_try_that_is_refused_is_told(house: House, acme: Customer) -> None:
    await save_card(acme, "pm_card_chargeCustomerFail")
    invoice = await owed(acme)
    for attempt in (1, 2):
        await charge(acme, invoice.id, f"day-{attempt}")
        await house.drain()
        await tell(house, copies=2)
        facts = await house.facts(PaymentFailed)
        assert [fact.body["attempt"] for fact in facts] == list(range(1, attempt + 1))
        assert all(fact.body["off_session"] for fact in facts)
    assert len(list(stripe_of(house).account.all("payment_intent"))) == 1
    (payment,) = (await acme.owner.client.get("/payments")).json()["data"]
    answer = await confirm(acme, payment["id"], "pm_card_mastercard")
    assert answer.json()["state"] == "succeeded", "somebody with another card helps"


async def test_a_bank_that_wants_to_see_the_payer_refuses_a_renewal(house: House, acme: Customer) -> None:
    setup = (await send(acme.owner.client, "/payments/methods/setup")).json()
    body = {"setup_id": setup["setup_id"], "payment_method": "pm_card_authenticationRequired"}
    assert (await send(acme.owner.client, "/payments/methods", body)).status_code == 402
    stripe = stripe_of(house)
    stripe.answer("POST", f"/pay/{setup['setup_id']}/done", {}, b"")
    await tell(house)
    assert len((await acme.owner.client.get("/payments/methods")).json()) == 1, "the webhook told of it"
    await charge(acme, (await owed(acme)).id)
    await house.drain()
    (fact,) = await house.facts(PaymentFailed)
    assert fact.body["code"] == "authentication_required"


async def test_without_a_card_there_is_nothing_to_charge(acme: Customer) -> None:
    invoice = await owed(acme)
    with pytest.raises(payments.NoSavedMethod):
        await charge(acme, invoice.id)


async def test_a_renewal_does_not_cross_somebody_who_is_paying(house: House, acme: Customer) -> None:
    await save_card(acme)
    invoice = await owed(acme)
    begun = await begin(acme, invoice.id, kind="paynow")
    assert str((await charge(acme, invoice.id)).id) == begun["id"]
    await house.drain()
    assert (await acme.owner.client.get(f"/payments/{begun['id']}")).json()["state"] == "requires_action"


async def test_who_went_away_does_not_stop_renewals(house: House, acme: Customer, fake_clock: FakeClock) -> None:
    await save_card(acme)
    invoice = await owed(acme)
    await begin(acme, invoice.id, kind="paynow")
    async with acme.acting() as ctx:
        await ctx.db.raw("UPDATE payments SET updated_at = $1", fake_clock.now())
    fake_clock.advance(hours=2)
    await charge(acme, invoice.id, "day-1")
    await house.drain()
    await charge(acme, invoice.id, "day-3")
    await house.drain()
    assert (await before_fees(house))["processor"] == 10_900


async def test_a_card_that_goes_leaves_the_default_to_another(house: House, acme: Customer) -> None:
    one, two = await save_card(acme), await save_card(acme, "pm_card_mastercard")
    assert (one["is_default"], two["is_default"]) == (True, False)
    assert (await acme.owner.client.post(f"/payments/methods/{two['id']}/default")).json()["is_default"]
    assert (await acme.owner.client.delete(f"/payments/methods/{two['id']}")).status_code == 204
    await house.drain()
    await tell(house)
    (left,) = (await acme.owner.client.get("/payments/methods")).json()
    assert (left["id"], left["is_default"]) == (one["id"], True)
    assert len(await house.facts(MethodRemoved)) == 1
    gone = [each for each in stripe_of(house).account.all("payment_method") if each["customer"] is None]
    assert [each["card"]["last4"] for each in gone] == ["4444"]


async def test_a_saved_card_pays_by_its_id_and_no_one_elses(house: House, acme: Customer) -> None:
    other = await customer(house, "Other Pte. Ltd.")
    mine, theirs = await save_card(acme), await save_card(other)
    begun = await begin(acme, (await owed(acme)).id)
    path = f"/payments/{begun['id']}/confirm"
    stolen = await send(acme.owner.client, path, {"method_id": theirs["id"]})
    assert (stolen.status_code, stolen.json()["error_code"]) == (404, "method_not_found")
    assert (await send(acme.owner.client, path, {"method_id": mine["id"]})).json()["state"] == "succeeded"


async def test_a_setup_of_somebody_else_saves_nothing(house: House, acme: Customer) -> None:
    """Seen red: without the comparison of customers the card was kept for both."""
    other = await customer(house, "Other Pte. Ltd.")
    setup = (await send(other.owner.client, "/payments/methods/setup")).json()
    body = {"setup_id": setup["setup_id"], "payment_method": "pm_card_visa"}
    answer = await send(acme.owner.client, "/payments/methods", body)
    assert (answer.status_code, answer.json()["error_code"]) == (404, "method_not_found")
    assert (await acme.owner.client.get("/payments/methods")).json() == []
