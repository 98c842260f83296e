"""Reserve, settle, release; credits; what is refused, and what the entry says of it."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.errors import NexusError
from nexuscore.kernel.testing import House
from nexuscore.modules import usage
from nexuscore.modules.orgs.testing import Org
from nexuscore.modules.usage import caps, jobs
from nexuscore.modules.usage.events import (
    CreditsAdded,
    CreditsLow,
    CreditsTakenBack,
    UsageReleased,
    UsageReserved,
    UsageSpent,
)
from nexuscore.modules.usage.testing import credit

pytestmark = pytest.mark.anyio
PERSON = UUID(int=7)


@pytest.fixture
def org() -> UUID:
    """An organisation: the ledger asks for no more than its id."""
    return uuid4()


def inside(house: House, org: UUID) -> Any:
    return house.app.context(org=org)


async def clean(house: House) -> None:
    async with house.app.context(across=True) as ctx:
        assert await usage.discrepancies(ctx) == []


async def refused(attempt: Any) -> str:
    with pytest.raises(NexusError) as error:
        await attempt
    return error.value.code


async def test_what_is_held_is_settled_for_what_it_was(house: House, org: UUID) -> None:
    await credit(house, org, 1_000)
    async with house.expect_events(UsageReserved, UsageSpent), inside(house, org) as ctx:
        held = await usage.reserve(ctx, 600, reason="assistant.answer", user_id=PERSON)
        balance = await usage.balance(ctx)
        assert (balance.credits_micro, balance.held_micro, balance.free_micro) == (1_000, 600, 400)
        entry = await usage.settle(ctx, held.id, units=50, price_micro=7)
        assert (entry.cost_micro, entry.amount_micro, entry.billable_micro, entry.absorbed_micro) == (350, -350, 0, 0)
        assert (entry.user_id, entry.reason, entry.units, entry.price_micro) == (PERSON, "assistant.answer", 50, 7)
        assert (await usage.balance(ctx)).free_micro == 650
    await clean(house)


async def test_settled_twice_it_is_one_entry(house: House, org: UUID) -> None:
    await credit(house, org, 1_000)
    async with inside(house, org) as ctx:
        held = await usage.reserve(ctx, 600, reason="x")
        first = await usage.settle(ctx, held.id, units=1, cost_micro=100)
        assert (await usage.settle(ctx, held.id, units=1, cost_micro=100)).id == first.id
        assert await refused(usage.settle(ctx, held.id, units=1, cost_micro=101)) == "already_settled"
        assert await refused(usage.release(ctx, held.id)) == "already_settled"
    await clean(house)


async def test_released_it_costs_nothing_and_is_over(house: House, org: UUID) -> None:
    await credit(house, org, 1_000)
    async with house.expect_events(UsageReserved, UsageReleased), inside(house, org) as ctx:
        held = await usage.reserve(ctx, 600, reason="x")
        await usage.release(ctx, held.id)
        await usage.release(ctx, held.id)
        assert (await usage.balance(ctx)).free_micro == 1_000
        assert await refused(usage.settle(ctx, held.id, units=1, cost_micro=1)) == "reservation_over"
    await clean(house)


async def test_reserved_again_with_the_same_key_it_is_the_same(house: House, org: UUID) -> None:
    await credit(house, org, 1_000)
    async with inside(house, org) as ctx:
        first = await usage.reserve(ctx, 600, reason="x", key="turn-1")
        assert (await usage.reserve(ctx, 600, reason="x", key="turn-1")).id == first.id
        assert (await usage.balance(ctx)).held_micro == 600


async def test_nobody_spends_credits_that_are_held_by_others(house: House, org: UUID) -> None:
    await credit(house, org, 1_000)
    async with inside(house, org) as ctx:
        await usage.reserve(ctx, 600, reason="x")
        assert await refused(usage.reserve(ctx, 401, reason="x")) == "credits_exhausted"
        await usage.reserve(ctx, 400, reason="x")


async def test_what_nobody_settles_is_let_go_and_may_still_be_settled_late(
    house: House, org: UUID, fake_clock: FakeClock
) -> None:
    await credit(house, org, 1_000)
    async with inside(house, org) as ctx:
        held = await usage.reserve(ctx, 1_000, reason="x", life=timedelta(minutes=1))
    fake_clock.advance(minutes=2)
    async with house.app.context() as ctx:
        await jobs.expire(ctx)
    await house.drain()
    assert [fact.body["expired"] for fact in await house.facts(UsageReleased)] == [True]
    async with inside(house, org) as ctx:
        assert (await usage.balance(ctx)).free_micro == 1_000
        other = await usage.reserve(ctx, 700, reason="x")
        late = await usage.settle(ctx, held.id, units=1, cost_micro=500)
        assert (-late.amount_micro, late.absorbed_micro) == (300, 200)
        assert -(await usage.settle(ctx, other.id, units=1, cost_micro=700)).amount_micro == 700
        assert (await usage.balance(ctx)).credits_micro == 0
    await clean(house)


async def test_a_reservation_that_is_over_is_in_nobodys_way(house: House, org: UUID, fake_clock: FakeClock) -> None:
    await credit(house, org, 1_000)
    async with inside(house, org) as ctx:
        await usage.reserve(ctx, 1_000, reason="x", life=timedelta(minutes=1))
    fake_clock.advance(minutes=2)
    async with inside(house, org) as ctx:
        await usage.reserve(ctx, 1_000, reason="x")
    await clean(house)


# --- caps -------------------------------------------------------------------------------------------


async def test_a_cap_counts_what_is_spent_and_what_is_reserved(house: House, org: UUID, fake_clock: FakeClock) -> None:
    await credit(house, org, 10_000)
    async with inside(house, org) as ctx:
        await caps.set_cap(ctx, None, 1_000, 1_500)
        await usage.spend(ctx, reason="x", units=1, cost_micro=300)
        await usage.reserve(ctx, 600, reason="x")
        with pytest.raises(usage.CapReached) as error:
            await usage.reserve(ctx, 101, reason="x")
        assert error.value.details["cap_micro"] == 1_000  # type: ignore[call-overload]  # a mapping, here
        await usage.reserve(ctx, 100, reason="x")
    fake_clock.advance(days=1)
    async with inside(house, org) as ctx:
        assert await refused(usage.reserve(ctx, 1_201, reason="x")) == "cap_reached"  # reserved ones are over by now
        await usage.reserve(ctx, 1_000, reason="x")
        assert await refused(usage.reserve(ctx, 1, reason="x")) == "cap_reached"
    await clean(house)


async def test_a_persons_cap_is_theirs_alone(house: House, acme: Org) -> None:
    await credit(house, acme.id, 10_000)
    async with inside(house, acme.id) as ctx:
        await caps.set_cap(ctx, acme.owner.id, 100, None)
        assert (
            await refused(usage.spend(ctx, reason="x", units=1, cost_micro=101, user_id=acme.owner.id)) == "cap_reached"
        )
        await usage.spend(ctx, reason="x", units=1, cost_micro=101, user_id=PERSON)
        await usage.spend(ctx, reason="x", units=1, cost_micro=100, user_id=acme.owner.id)
    await clean(house)


async def test_what_it_costs_beyond_the_cap_is_absorbed_and_said(house: House, org: UUID) -> None:
    await credit(house, org, 10_000)
    async with inside(house, org) as ctx:
        await caps.set_cap(ctx, None, 1_000, None)
        held = await usage.reserve(ctx, 500, reason="x")
        entry = await usage.settle(ctx, held.id, units=1, cost_micro=1_300)
        assert (entry.cost_micro, -entry.amount_micro, entry.absorbed_micro) == (1_300, 1_000, 300)
    await clean(house)


async def test_a_reservation_made_yesterday_counts_yesterday(house: House, org: UUID, fake_clock: FakeClock) -> None:
    await credit(house, org, 10_000)
    async with inside(house, org) as ctx:
        await caps.set_cap(ctx, None, 1_000, None)
        held = await usage.reserve(ctx, 800, reason="x", life=timedelta(days=2))
    fake_clock.advance(days=1)
    async with inside(house, org) as ctx:
        await usage.reserve(ctx, 1_000, reason="x")
        entry = await usage.settle(ctx, held.id, units=1, cost_micro=800)
        assert (entry.absorbed_micro, entry.day < ctx.now.date()) == (0, True)
    await clean(house)


# --- credits ----------------------------------------------------------------------------------------


async def test_a_purchase_counts_once(house: House, org: UUID) -> None:
    async with house.expect_events(CreditsAdded), inside(house, org) as ctx:
        first = await usage.bought(ctx, 5_000, reason="pack", source="invoice:1")
        assert (await usage.bought(ctx, 5_000, reason="pack", source="invoice:1")).id == first.id
        assert await refused(usage.bought(ctx, 6_000, reason="pack", source="invoice:1")) == "credited_differently"
        assert (await usage.balance(ctx)).credits_micro == 5_000


async def test_only_what_is_neither_spent_nor_held_is_taken_back(house: House, org: UUID) -> None:
    await credit(house, org, 1_000)
    async with house.expect_events(UsageReserved, CreditsTakenBack), inside(house, org) as ctx:
        await usage.reserve(ctx, 300, reason="x")
        entry = await usage.take_back(ctx, 1_000, reason="refund", source="refund:1")
        assert entry.amount_micro == -700
        assert (await usage.take_back(ctx, 1_000, reason="refund", source="refund:1")).id == entry.id
    await clean(house)


async def test_who_runs_low_is_told_once_each_time(house: House, org: UUID) -> None:
    async with inside(house, org) as ctx:
        await usage.set_terms(ctx, warn_below_micro=500)
    await credit(house, org, 1_000)
    for cost in (400, 200, 100):
        async with inside(house, org) as ctx:
            await usage.spend(ctx, reason="x", units=1, cost_micro=cost)
    await credit(house, org, 1_000)
    async with inside(house, org) as ctx:
        await usage.spend(ctx, reason="x", units=1, cost_micro=900)
    assert [fact.body["balance_micro"] for fact in await house.facts(CreditsLow)] == [400, 400]


async def test_a_balance_from_snapshots_is_the_sum_of_all(house: House, org: UUID) -> None:
    await credit(house, org, 10_000)
    for n in range(13):
        async with inside(house, org) as ctx:
            await usage.spend(ctx, reason="x", units=1, cost_micro=n)
            [row] = await ctx.db.raw("SELECT sum(amount_micro) AS sum FROM usage_entries")
            assert (await usage.balance(ctx)).credits_micro == row.sum
    async with inside(house, org) as ctx:
        assert [row.number for row in await ctx.db.raw("SELECT number FROM usage_snapshots ORDER BY 1")] == [5, 10]
    await clean(house)


# --- bills ------------------------------------------------------------------------------------------


async def test_what_credits_do_not_pay_is_billed_once(house: House, org: UUID, fake_clock: FakeClock) -> None:
    await credit(house, org, 500_000)
    async with inside(house, org) as ctx:
        await usage.set_terms(ctx, is_postpaid=True)
        await usage.spend(ctx, reason="assistant", units=10, cost_micro=700_000)
        await usage.spend(ctx, reason="assistant", units=5, cost_micro=504_999)
        await usage.spend(ctx, reason="storage", units=3, cost_micro=295_000)
    fake_clock.advance(days=30)
    async with inside(house, org) as ctx:
        assert [line.cost_micro for line in await usage.billable(ctx, ctx.now)] == [704_999, 295_000]
        first = await usage.bill(ctx, "2026-11", ctx.now)
        assert (first.total.minor, [line.amount.minor for line in first.lines]) == (100, [70, 30])
        assert [(line.reason, line.entries, line.units) for line in first.lines] == [
            ("assistant", 2, 15),
            ("storage", 1, 3),
        ]
        assert await usage.bill(ctx, "2026-11", ctx.now) == first
        again = await usage.bill(ctx, "2026-12", ctx.now)
        assert (again.total.minor, again.lines) == (0, ())
    await clean(house)


async def test_an_entry_that_is_late_is_on_the_next_bill(house: House, org: UUID, fake_clock: FakeClock) -> None:
    async with inside(house, org) as ctx:
        await usage.set_terms(ctx, is_postpaid=True)
        await usage.spend(ctx, reason="x", units=1, cost_micro=10_000)
        month_end = ctx.now + timedelta(hours=1)
        assert (await usage.bill(ctx, "a", month_end)).total.minor == 1
        await usage.spend(ctx, reason="x", units=1, cost_micro=20_000)  # before the month's end, after its bill
        assert (await usage.bill(ctx, "b", month_end + timedelta(days=30))).total.minor == 2
    await clean(house)


# --- the database itself ----------------------------------------------------------------------------


async def test_other_organisations_see_nothing(house: House, org: UUID) -> None:
    await credit(house, org, 1_000)
    async with house.app.context(org=uuid4()) as ctx:
        assert (await usage.balance(ctx)).credits_micro == 0
        assert await ctx.db.raw("SELECT * FROM usage_entries") == []


async def test_a_ledger_that_was_tampered_with_is_found(house: House, org: UUID) -> None:
    await credit(house, org, 1_000)
    async with inside(house, org) as ctx:
        await usage.spend(ctx, reason="x", units=1, cost_micro=10)
        await ctx.db.raw("UPDATE usage_totals SET spent_micro = spent_micro - 1 WHERE period = 'day'")
        await ctx.db.raw("UPDATE usage_accounts SET last_number = last_number + 1")
        found = await usage.discrepancies(ctx)
    assert len(found) == 2
    assert "total of a day is 9/0, and ought to be 10/0" in found[0]
    assert "numbers of entries is 3, and ought to be 2" in found[1]


async def test_the_app_can_change_no_entry(house: House, org: UUID) -> None:
    """Without the trigger and the revoked rights both statements went through."""
    await credit(house, org, 1_000)
    async with inside(house, org) as ctx:
        for sql in ("UPDATE usage_entries SET reason = 'other'", "DELETE FROM usage_entries"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with ctx.db.savepoint():
                    await ctx.db.raw(sql)
