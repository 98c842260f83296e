"""What happens at the same time: numbers without a gap, money that counts once, books that always balance."""

import asyncio
import random
from uuid import UUID, uuid4

import asyncpg
import pytest

from nexuscore.kernel.errors import NexusError
from nexuscore.kernel.testing import House
from nexuscore.modules import invoices
from nexuscore.modules.books.testing import balances, findings
from nexuscore.modules.invoices import NewLine
from nexuscore.modules.invoices.testing import customer

pytestmark = pytest.mark.anyio
AT_ONCE = 50
_ENTRY = (
    "INSERT INTO journal_entries (id, org_id, posted_on, source, reference, memo)"
    " VALUES ($1, $2, now(), 'test', 'test', 'test')"
)
_POSTING = (
    "INSERT INTO journal_postings (entry_id, number, org_id, account, currency, amount)"
    " VALUES ($1, $2, $3, 'bank', 'SGD', $4)"
)
LINE = NewLine(description="A month", unit_price=12_345)


class Undone(Exception):
    """Whoever was finalising changed their mind."""


async def test_numbers_have_no_gap_and_money_counts_once(committed_house: House) -> None:
    """50 finalisations at once, a third of them rolled back after the number was taken, until all are through;
    then every payment twice at once. Red when the counter is read without its lock, or a reference is not unique."""
    house = committed_house
    acme, rng = await customer(house), random.Random(7)  # noqa: S311 - no secret
    async with acme.acting() as ctx:
        ids = [(await invoices.draft(ctx, [LINE])).id for _ in range(AT_ONCE)]

    async def finalise(invoice_id: UUID) -> None:
        while True:
            try:
                async with acme.acting() as ctx:
                    await invoices.finalise(ctx, invoice_id)
                    await asyncio.sleep(rng.random() / 1000)
                    if rng.random() < 0.33:
                        raise Undone
            except Undone:
                continue
            return

    await asyncio.gather(*map(finalise, ids))
    async with acme.acting() as ctx:
        numbers = sorted([str((await invoices.get(ctx, each)).number) for each in ids])
    assert [int(number[-4:]) for number in numbers] == list(range(1, AT_ONCE + 1))

    async def pay(invoice_id: UUID) -> bool:
        async with acme.acting() as ctx:
            paid = await invoices.record_payment(
                ctx, invoice_id, 13_456, "SGD", reference=f"pi_{invoice_id}", method="card"
            )
            return paid.repeated

    answers = await asyncio.gather(*map(pay, [*ids[:20], *ids[:20]]))
    assert sorted(answers) == [False] * 20 + [True] * 20
    refusals = await asyncio.gather(*(_take(house, acme.org.id, ids[30], part) for part in range(8)))
    assert refusals.count(None) == 4  # eight quarters: four fit
    assert await findings(house) == []


async def _take(house: House, org_id: UUID, invoice_id: UUID, part: int) -> str | None:
    """Pay a quarter under a reference of its own; the code of the refusal, if it is one."""
    try:
        async with house.app.context(org=org_id) as ctx:
            await invoices.record_payment(ctx, invoice_id, 3_364, "SGD", reference=f"part {part}", method="cash")
    except NexusError as refused:
        return refused.code
    return None


async def test_an_entry_that_does_not_balance_is_not_committed(committed_house: House) -> None:
    """Whatever code writes it, in whichever scope it ends: the database adds up before the commit.

    Red when the trigger looks with the eyes of the transaction, which by then is in no organisation.
    """
    house = committed_house
    acme = await customer(house)
    for amounts in ([], [100], [100, -99]):
        with pytest.raises(asyncpg.CheckViolationError, match=r"sum to zero|moves nothing"):
            await _write(house, acme.org.id, amounts)
    await _write(house, acme.org.id, [100, -60, -40])
    assert sum((await balances(house)).values()) == 0
    assert await findings(house) == []


async def _write(house: House, org_id: UUID, amounts: list[int]) -> None:
    """An entry written inside an organisation, by a transaction that ends outside it."""
    async with house.app.context() as ctx, ctx.in_org(org_id) as there:
        entry = uuid4()
        await there.db.raw(_ENTRY, entry, org_id)
        for number, amount in enumerate(amounts):
            await there.db.raw(_POSTING, entry, number, org_id, amount)
