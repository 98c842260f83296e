"""Disputes: while one is open the money is held back; won, it is ours again; lost, the invoice is owed again."""

import pytest

from nexuscore.kernel.testing import House
from nexuscore.modules.books.testing import findings
from nexuscore.modules.identity.testing import person
from nexuscore.modules.invoices.testing import Customer
from nexuscore.modules.payments.events import DisputeClosed, DisputeOpened
from nexuscore.modules.payments.testing import before_fees, decide, invoice_now, owed, pay, send, tell

pytestmark = pytest.mark.anyio


async def test_a_dispute_holds_the_money_back(house: House, acme: Customer) -> None:
    staff = await person(house, "staff@example.com", platform_role="admin")
    paid = await pay(acme, (await owed(acme)).id, "pm_card_createDispute")
    await tell(house, copies=2)
    now = await before_fees(house)
    assert (now["processor"], now["disputed"]) == (0, 10_900)
    shown = (await acme.owner.client.get(f"/payments/{paid['id']}")).json()
    assert shown["state"] == "disputed"
    (dispute,) = (await acme.owner.client.get("/payments/disputes")).json()["data"]
    assert (dispute["state"], dispute["reason"], dispute["amount"]) == ("open", "fraudulent", 10_900)
    assert dispute["due_by"]
    assert len(await house.facts(DisputeOpened)) == 1
    refused = await send(staff.client, f"/payments/{paid['id']}/refunds", {"reason": "Sorry"})
    assert (refused.status_code, refused.json()["error_code"]) == (409, "payment_wrong_state")
    waiting = (await staff.client.get("/payments/findings")).json()["data"]
    assert [each["kind"] for each in waiting] == ["disputed"]
    assert await findings(house) == []


async def test_a_dispute_that_is_won_gives_it_back(house: House, acme: Customer) -> None:
    invoice = await owed(acme)
    paid = await pay(acme, invoice.id, "pm_card_createDispute")
    await tell(house)
    await decide(house, "winning_evidence")
    await tell(house, copies=2)
    now = await before_fees(house)
    assert (now["processor"], now["disputed"]) == (10_900, 0)
    assert (await acme.owner.client.get(f"/payments/{paid['id']}")).json()["state"] == "succeeded"
    assert (await invoice_now(acme, invoice.id)).state == "paid"
    (closed,) = await house.facts(DisputeClosed)
    assert closed.body["outcome"] == "won"
    assert await findings(house) == []


async def test_a_dispute_that_is_lost_makes_the_invoice_owed_again(house: House, acme: Customer) -> None:
    invoice = await owed(acme)
    paid = await pay(acme, invoice.id, "pm_card_createDispute")
    await decide(house, "losing_evidence")  # before we heard of anything
    await tell(house, copies=2)
    now = await before_fees(house)
    assert (now["processor"], now["disputed"], now["receivable"]) == (0, 0, 10_900)
    assert (await acme.owner.client.get(f"/payments/{paid['id']}")).json()["state"] == "charged_back"
    again = await invoice_now(acme, invoice.id)
    assert (again.state, again.amount_due) == ("open", 10_900)
    assert await findings(house) == []
    assert (await pay(acme, invoice.id))["state"] == "succeeded"
    assert await findings(house) == []
