"""What Stripe keeps for itself: booked once, when it says so, whoever hears of it first and however often."""

import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import House
from nexuscore.modules.books.testing import balances, findings
from nexuscore.modules.invoices.testing import Customer
from nexuscore.modules.payments.testing import compare, decide, owed, pay, stripe_of, tell

pytestmark = pytest.mark.anyio
KEPT = 371 + 50  # 3.4 % of 109.00, half up, and 0.50


async def test_a_fee_is_booked_with_its_payment_and_once(house: House, acme: Customer) -> None:
    await pay(acme, (await owed(acme)).id)
    for _ in range(2):
        now = await balances(house)
        assert (now["processor"], now["processor_fees"], now["receivable"]) == (10_900 - KEPT, KEPT, 0)
        await tell(house, copies=2)
    assert (await compare(house)).differing == 0
    assert await findings(house) == []


async def test_a_fee_that_is_known_later_is_booked_when_it_is(
    house: House, acme: Customer, fake_clock: FakeClock
) -> None:
    await pay(acme, (await owed(acme, 91_750)).id)  # 1000.08 with GST
    await tell(house)
    assert "processor_fees" not in await balances(house)
    fake_clock.advance(seconds=5)
    await tell(house, copies=2)  # charge.updated
    now = await balances(house)
    assert (now["processor_fees"], now["processor"]) == (3_450, 100_008 - 3_450)
    assert await findings(house) == []


async def test_a_fee_nobody_told_of_is_found_by_the_reconciliation(
    house: House, acme: Customer, fake_clock: FakeClock
) -> None:
    await pay(acme, (await owed(acme, 91_750)).id)
    fake_clock.advance(seconds=5)
    stripe_of(house).pass_time()
    for _ in range(2):
        assert (await compare(house)).differing == 0
        assert (await balances(house))["processor_fees"] == 3_450
    assert await findings(house) == []


@pytest.mark.parametrize(("evidence", "held"), [("winning_evidence", 10_900), ("losing_evidence", 0)])
async def test_a_dispute_costs_its_fee_whoever_wins(house: House, acme: Customer, evidence: str, held: int) -> None:
    await pay(acme, (await owed(acme)).id, "pm_card_createDispute")
    await tell(house, copies=2)
    assert (await balances(house))["processor_fees"] == KEPT + 1_500
    await decide(house, evidence)
    await tell(house, copies=2)
    now = await balances(house)
    assert (now["processor"], now["processor_fees"]) == (held - KEPT - 1_500, KEPT + 1_500)
    assert await findings(house) == []
