"""One effect each: what is clicked, told or tried twice, at the same time or in the wrong order, or cut off half-way.

NEXUS_SOAK=1 does a hundred rounds of each; otherwise a few.
"""

import asyncio
import os
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest

from nexuscore.kernel.testing import House
from nexuscore.modules import invoices, payments
from nexuscore.modules.books.testing import balances, findings
from nexuscore.modules.identity.testing import Person, person
from nexuscore.modules.invoices.testing import Customer, customer
from nexuscore.modules.payments import charges, intents, jobs, refunds, store
from nexuscore.modules.payments.events import PaymentRefunded, PaymentSucceeded, PaymentUnapplied
from nexuscore.modules.payments.fake import Answer
from nexuscore.modules.payments.fake.account import Object
from nexuscore.modules.payments.schemas import NewIntent
from nexuscore.modules.payments.testing import (
    before_fees,
    begin,
    bodies,
    compare,
    confirm,
    owed,
    pay,
    post,
    save_card,
    send,
    stripe_of,
    tell,
)

pytestmark = pytest.mark.anyio
LONG = bool(os.environ.get("NEXUS_SOAK"))
ROUNDS = 100 if LONG else 3
HEADERS = {"authorization": "Bearer sk_test_1"}


@pytest.fixture
async def firm(committed_house: House) -> Customer:
    """Who pays, in a house where commits are real and requests run at the same time."""
    return await customer(committed_house)


@pytest.fixture
async def staff(committed_house: House) -> Person:
    return await person(committed_house, "staff@example.com", platform_role="admin")


def charges_of(house: House) -> list[Object]:
    return [each for each in stripe_of(house).account.all("charge") if each["paid"]]


async def sound(house: House, rounds: int) -> None:
    """Every round's money came once: at the provider, in the books, and as a fact."""
    await tell(house)
    assert len(charges_of(house)) == rounds
    assert (await before_fees(house))["processor"] == 10_900 * rounds
    assert len(await house.facts(PaymentSucceeded)) == rounds
    assert await findings(house) == []


async def test_double_clicks(committed_house: House, firm: Customer) -> None:
    for _ in range(ROUNDS):
        invoice, key = await owed(firm), uuid4().hex
        body = {"invoice_id": str(invoice.id)}
        client = firm.owner.client
        begun = await asyncio.gather(*(send(client, "/payments/intents", body, key=key) for _ in range(4)))
        begun += await asyncio.gather(*(send(client, "/payments/intents", body) for _ in range(2)))
        assert {answer.status_code for answer in begun} == {201}
        (id,) = {answer.json()["id"] for answer in begun}
        clicks = [confirm(firm, id, key=key) for _ in range(3)] + [confirm(firm, id) for _ in range(3)]
        answers = await asyncio.gather(*clicks)
        assert {answer.json()["state"] for answer in answers} == {"succeeded"}
    await sound(committed_house, ROUNDS)


async def test_callbacks_and_webhooks_at_the_same_time(committed_house: House, firm: Customer) -> None:
    for number in range(ROUNDS):
        begun = await begin(firm, (await owed(firm)).id)
        await confirm(firm, begun["id"], "pm_card_threeDSecure2Required")
        intent = next(stripe_of(committed_house).account.all("payment_intent"))
        stripe_of(committed_house).answer("POST", f"/pay/{intent['id']}/done", {}, b"")
        back = [firm.owner.client.post(f"/payments/{begun['id']}/refresh") for _ in range(3)]
        waiting = bodies(committed_house) * 2
        shuffled = Random(number).sample(waiting, len(waiting))  # noqa: S311 - an order, no secret
        told = [post(committed_house, body) for body in shuffled]
        await asyncio.gather(*back, *told)
        await asyncio.gather(committed_house.drain(), committed_house.drain())
    await sound(committed_house, ROUNDS)


async def test_money_that_comes_after_the_invoice_is_void(committed_house: House, firm: Customer) -> None:
    for _ in range(ROUNDS):
        invoice = await owed(firm)
        await begin(firm, invoice.id)
        intent = next(stripe_of(committed_house).account.all("payment_intent"))
        path = f"/v1/payment_intents/{intent['id']}/confirm"
        stripe_of(committed_house).answer("POST", path, HEADERS, b"payment_method=pm_card_visa")
        async with firm.acting() as ctx:
            await invoices.void(ctx, invoice.id, "A mistake")
        await tell(committed_house, copies=2)
    assert (await before_fees(committed_house))["unapplied"] == -10_900 * ROUNDS
    assert len(await committed_house.facts(PaymentUnapplied)) == ROUNDS
    await sound(committed_house, ROUNDS)


async def test_a_refund_clicked_twice_and_told_twice(committed_house: House, firm: Customer, staff: Person) -> None:
    for _ in range(ROUNDS):
        paid, key = await pay(firm, (await owed(firm)).id), uuid4().hex
        path, body = f"/payments/{paid['id']}/refunds", {"reason": "Not wanted"}
        answers = await asyncio.gather(*(send(staff.client, path, body, key=key) for _ in range(3)))
        assert {answer.status_code for answer in answers} <= {201, 409}
        await asyncio.gather(committed_house.drain(), committed_house.drain())
        await tell(committed_house, copies=2)
    assert (await before_fees(committed_house))["processor"] == 0
    assert len(await committed_house.facts(PaymentRefunded)) == ROUNDS
    assert len(list(stripe_of(committed_house).account.all("refund"))) == ROUNDS
    assert await findings(committed_house) == []


async def test_a_kill_between_the_providers_yes_and_our_note_of_it(house: House, acme: Customer) -> None:
    """The call is done and the worker dies: the job is still there, asks again with the same key, and records once.

    Seen red: with a key of its own for each call, the stand-in had two payments, and two refunds.
    """
    await save_card(acme)
    invoice = await owed(acme)
    async with acme.acting() as ctx:
        payment = await payments.charge(ctx, invoice.id, key="renewal")
        job = charges.Charge(payment_id=payment.id, method_id=payment.method_id or UUID(int=0), attempt=1)
    async with acme.acting() as ctx:
        claimed = await charges.claim(ctx, job)
    assert claimed is not None
    assert (await charges.call(house.app, claimed)).state == "succeeded"  # and here the power fails
    await house.drain()
    await tell(house)
    assert len(charges_of(house)) == len(list(stripe_of(house).account.all("payment_intent"))) == 1
    assert (await before_fees(house))["processor"] == 10_900
    root = await person(house, "root@example.com", platform_role="admin")
    made = (await send(root.client, f"/payments/{payment.id}/refunds", {"reason": "Sorry"})).json()
    async with acme.acting() as ctx:
        waits = await refunds.claim(ctx, refunds.SendRefund(refund_id=UUID(made["id"])))
    assert waits is not None
    await refunds.call(house.app, waits)
    await house.drain()
    await tell(house)
    assert len(list(stripe_of(house).account.all("refund"))) == 1
    assert (await before_fees(house))["processor"] == 0
    assert await findings(house) == []


async def test_a_kill_before_we_know_the_providers_id(house: House, acme: Customer) -> None:
    """The webhook finds the payment by what was sent along, and asking again with the same key makes no second."""
    invoice = await owed(acme)
    async with acme.acting() as ctx:
        payment = await intents.begin(ctx, NewIntent(invoice_id=invoice.id), "key:x")
    opened = charges.opened_like(ctx)
    intent = await intents.create_there(house.app, opened, payment)  # and here the power fails
    path = f"/v1/payment_intents/{intent.id}/confirm"
    stripe_of(house).answer("POST", path, HEADERS, b"payment_method=pm_card_visa")
    await tell(house, copies=2)
    async with acme.acting() as ctx:
        now = await store.get(ctx, payment.id)
    assert (now.state, now.provider_id, now.applied) == ("succeeded", intent.id, 10_900)
    assert len(list(stripe_of(house).account.all("payment_intent"))) == 1
    assert await findings(house) == []


async def test_a_provider_that_is_down_loses_nothing(
    house: House, acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice, key = await owed(acme), uuid4().hex
    begun = await begin(acme, invoice.id)
    stripe = stripe_of(house)
    whole = type(stripe).answer
    with monkeypatch.context() as broken:
        broken.setattr(type(stripe), "answer", lambda *_: Answer(500, b'{"error": {"type": "api_error"}}'))
        answer = await confirm(acme, begun["id"], key=key)
        assert (answer.status_code, answer.json()["error_code"]) == (502, "provider_unavailable")

    def taken_and_silent(self: Any, *given: Any) -> Answer:
        whole(self, *given)
        return Answer(500, b"")

    with monkeypatch.context() as broken:  # the money is taken, and the answer is lost
        broken.setattr(type(stripe), "answer", taken_and_silent)
        assert (await confirm(acme, begun["id"], key=key)).status_code == 502
    assert (await confirm(acme, begun["id"], key=key)).json()["state"] == "succeeded"
    assert len(charges_of(house)) == 1
    assert (await before_fees(house))["processor"] == 10_900


async def test_a_provider_that_fails_again_and_again_is_left_alone(
    house: House, acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = await begin(acme, (await owed(acme)).id)
    asked = []

    def broken(self: Any, *given: Any) -> Answer:
        asked.append(given)
        return Answer(500, b"")

    monkeypatch.setattr(type(stripe_of(house)), "answer", broken)
    answers = [await acme.owner.client.post(f"/payments/{begun['id']}/refresh") for _ in range(8)]
    assert {answer.json()["error_code"] for answer in answers} == {"provider_unavailable"}
    assert len(asked) == 5
    assert "retry-after" in answers[-1].headers


async def test_what_is_stuck_is_asked_about(house: House, acme: Customer, fake_clock: Any) -> None:
    """The answer was lost and so was the webhook; the clock brings it to light."""
    invoice = await owed(acme, 91_747)  # 1000.04 is processing for a while
    begun = await begin(acme, invoice.id)
    assert (await confirm(acme, begun["id"])).json()["state"] == "processing"
    fake_clock.advance(days=4)
    bodies(house)
    async with house.app.context() as ctx:
        await jobs.look_again(ctx)
    await house.drain()
    async with acme.acting() as ctx:
        assert (await store.get(ctx, UUID(begun["id"]))).state == "succeeded"


async def test_a_storm_of_everything_leaves_books_that_agree(
    committed_house: House, firm: Customer, staff: Person
) -> None:
    """Random payments, refunds, disputes, voids and webhooks: the books hold what the provider holds, to the cent."""
    random = Random(20261120)  # noqa: S311 - a story, no secret
    cards = [
        *("pm_card_visa", "pm_card_visa", "pm_card_visa_chargeDeclined", "pm_card_threeDSecure2Required"),
        *("pm_card_createDispute", "pm_card_refundFail", "pm_card_pendingRefund"),
    ]
    for _ in range(ROUNDS * 3):
        invoice = await owed(firm, random.randint(1, 500_000))
        if not invoice.total:
            continue
        begun = await begin(firm, invoice.id)
        clicks = [confirm(firm, begun["id"], random.choice(cards)) for _ in range(random.randint(1, 3))]
        if random.random() < 0.2:
            clicks.append(firm.owner.client.post(f"/payments/{begun['id']}/cancel"))
        await asyncio.gather(*clicks)
        for intent in list(stripe_of(committed_house).account.all("payment_intent")):
            if intent["status"] == "requires_action":
                choice = random.choice(["done", "failed"])
                stripe_of(committed_house).answer("POST", f"/pay/{intent['id']}/{choice}", {}, b"")
        if random.random() < 0.5:
            part = {"amount": random.randint(1, begun["amount"])} if random.random() < 0.5 else {}
            await send(staff.client, f"/payments/{begun['id']}/refunds", {"reason": "Storm", **part})
        for dispute in list(stripe_of(committed_house).account.all("dispute")):
            evidence = random.choice(["winning_evidence", "losing_evidence", "more_to_come"])
            body = f"submit=true&evidence[uncategorized_text]={evidence}".encode()
            stripe_of(committed_house).answer("POST", f"/v1/disputes/{dispute['id']}", HEADERS, body)
        if random.random() < 0.7:
            await tell(committed_house, copies=random.randint(1, 2), shuffled=random)
    stripe = stripe_of(committed_house)
    for each in stripe.account.later:
        each.at = 0.0
    await tell(committed_house)
    await tell(committed_house)
    assert await findings(committed_house) == []
    now = await balances(committed_house)
    assert now.get("processor", 0) == held_there(list(stripe.account.objects.values()))
    assert (await compare(committed_house)).differing == 0


def held_there(objects: list[Object]) -> int:
    """What the provider holds for us: what was paid, less what went back, what is disputed or lost, and fees."""
    paid = sum(each["amount"] for each in objects if each["object"] == "charge" and each["paid"])
    back = sum(each["amount"] for each in objects if each["object"] == "refund" and each["status"] == "succeeded")
    gone = sum(each["amount"] for each in objects if each["object"] == "dispute" and each["status"] != "won")
    kept = sum(each["fee"] for each in objects if each["object"] == "balance_transaction")
    return int(paid - back - gone - kept)
