"""Usage and money: credits are ordered, paid and spent, a month is invoiced, and the books say the same."""

from random import Random
from uuid import UUID, uuid4

import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.money import Money
from nexuscore.kernel.testing import House
from nexuscore.modules import books, invoices, usage
from nexuscore.modules.books import Check
from nexuscore.modules.invoices.testing import Customer, customer
from nexuscore.modules.usage import jobs, purchases
from nexuscore.modules.usage.bills import minor_of
from nexuscore.modules.usage.testing import credit

pytestmark = pytest.mark.anyio


@pytest.fixture
async def buyer(house: House, fake_clock: FakeClock) -> Customer:
    """Who is charged GST."""
    return await customer(house)


async def verified(house: House) -> None:
    async with house.app.context(across=True) as ctx:
        for check in house.app.fillers(Check):
            assert await check.run(ctx) == [], check.name


async def booked(house: House, who: Customer, account: books.Account) -> int:
    async with who.acting() as ctx:
        totals = {each.account: each for each in await books.report(ctx)}
    found = totals.get(account.code)
    return 0 if found is None else found.debit - found.credit


async def pay(house: House, who: Customer, invoice_id: UUID) -> None:
    async with who.acting() as ctx:
        invoice = await invoices.get(ctx, invoice_id)
        await invoices.record_payment(
            ctx, invoice_id, invoice.amount_due, invoice.currency, reference=uuid4().hex, method="bank_transfer"
        )
    await house.drain()


async def ordered(who: Customer, amount: int) -> UUID:
    answer = await who.owner.client.post(
        "/usage/orders", {"amount_minor": amount}, headers={"idempotency-key": uuid4().hex}
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["subtotal"] == amount
    return UUID(answer.json()["invoice_id"])


async def test_credits_are_there_when_they_are_paid_and_revenue_when_they_are_spent(
    house: House, buyer: Customer
) -> None:
    invoice_id = await ordered(buyer, 5_000)
    async with buyer.acting() as ctx:
        assert (await usage.balance(ctx)).credits_micro == 0
    await pay(house, buyer, invoice_id)
    assert (await booked(house, buyer, books.CREDITS), await booked(house, buyer, books.REVENUE)) == (-5_000, 0)
    await credit(house, buyer.org.id, 1_000_000)
    for cost, earned in ((900_000, 0), (10_200_000, 1010), (3_000, 1010), (2_000, 1011)):
        async with buyer.acting() as ctx:
            await usage.spend(ctx, reason="assistant", units=1, cost_micro=cost)
        async with house.app.context() as ctx:
            await jobs.recognise_revenue(ctx)
        await house.drain()
        assert await booked(house, buyer, books.REVENUE) == -earned
    assert await booked(house, buyer, books.CREDITS) == -5_000 + 1011
    await verified(house)


async def test_what_is_credited_goes_back_as_far_as_it_is_there(house: House, buyer: Customer) -> None:
    invoice_id = await ordered(buyer, 5_000)
    await pay(house, buyer, invoice_id)
    async with buyer.acting() as ctx:
        await usage.spend(ctx, reason="assistant", units=1, cost_micro=20_000_000)
        await invoices.credit(ctx, invoice_id, reason="not needed")
    await house.drain()
    async with buyer.acting() as ctx:
        assert (await usage.balance(ctx)).credits_micro == 0
    await verified(house)


async def take_back_payment(house: House, who: Customer, invoice_id: UUID, amount: int) -> None:
    """As payments does for a dispute that is lost."""
    async with who.acting() as ctx:
        await invoices.record_reversal(ctx, invoice_id, amount, "SGD", reference=uuid4().hex, method="card")
    await house.drain()


async def held_by(who: Customer) -> int:
    async with who.acting() as ctx:
        return (await usage.balance(ctx)).credits_micro


async def test_a_payment_taken_back_takes_what_is_unspent_and_the_rest_stays_owed(
    house: House, buyer: Customer
) -> None:
    """Seen red without the listener: 30.00 of credits nobody paid for could be spent."""
    invoice_id = await ordered(buyer, 5_000)
    await pay(house, buyer, invoice_id)
    async with buyer.acting() as ctx:
        await usage.spend(ctx, reason="assistant", units=1, cost_micro=20_000_000)
    await take_back_payment(house, buyer, invoice_id, 5_450)
    async with buyer.acting() as ctx:
        assert (await usage.balance(ctx)).credits_micro == 0
        assert (await invoices.get(ctx, invoice_id)).amount_due == 5_450
    assert await booked(house, buyer, books.RECEIVABLE) == 5_450
    await pay(house, buyer, invoice_id)
    assert await held_by(buyer) == 30_000_000, "paid after all: what was withheld is there again"
    await take_back_payment(house, buyer, invoice_id, 1_090)
    assert await held_by(buyer) == 20_000_000, "a part takes its share"
    await verified(house)


async def test_what_is_withheld_is_not_taken_twice(house: House, buyer: Customer) -> None:
    """Seen red with the credit note taking its whole amount: it took credits of another invoice."""
    lost, good = await ordered(buyer, 5_000), await ordered(buyer, 2_000)
    for invoice_id in (lost, good):
        await pay(house, buyer, invoice_id)
    await take_back_payment(house, buyer, lost, 5_450)
    assert await held_by(buyer) == 20_000_000
    async with buyer.acting() as ctx:
        await invoices.credit(ctx, lost, reason="The card was stolen")
    await house.drain()
    assert await held_by(buyer) == 20_000_000
    async with house.app.context() as ctx:
        await jobs.recognise_revenue(ctx)
    await house.drain()
    assert await booked(house, buyer, books.CREDITS) == -2_000
    await verified(house)


async def test_a_month_is_invoiced_once(house: House, buyer: Customer, fake_clock: FakeClock) -> None:
    async with buyer.acting() as ctx:
        await usage.set_terms(ctx, is_postpaid=True)
        await usage.spend(ctx, reason="assistant", units=7, cost_micro=12_345_000)
        await usage.spend(ctx, reason="tiny", units=1, cost_micro=1)
    for _ in range(3):
        fake_clock.advance(days=11)
        async with house.app.context() as ctx:
            await jobs.invoice_months(ctx)
        await house.drain()
    async with buyer.acting() as ctx:
        [row] = await ctx.db.raw("SELECT id, source_id FROM invoices WHERE source = 'usage'")
        invoice = await invoices.get(ctx, row.id)
    assert (invoice.subtotal, invoice.total, invoice.state) == (1_235, 1_346, "open")
    assert [line["description"] for line in invoice.lines] == ["assistant, 7 units until 2026-12-01"]
    assert Money(invoice.gst_amount, "SGD") == Money(111, "SGD")
    await verified(house)


WHOLE = (
    "SELECT greatest(0, least(-coalesce(sum(amount_micro) FILTER (WHERE kind = 'spend'), 0)"
    " - coalesce(sum(amount_micro) FILTER (WHERE kind = 'grant'), 0), coalesce(sum(amount_micro)"
    " FILTER (WHERE kind IN ('purchase', 'taken_back')), 0)))::bigint AS used FROM usage_entries"
)


@pytest.mark.parametrize("seed", range(3))
async def test_a_night_that_reads_the_day_books_what_the_whole_ledger_says(
    house: House, buyer: Customer, seed: int
) -> None:
    """Credits come, go and go back at random, nights fall at random. Seen red with `>=` for the first new entry."""
    random = Random(seed)  # noqa: S311 - amounts, not secrets
    booked_so_far, nights = 0, 0
    for step in range(40):
        amount = random.randint(1, 3_000_000)
        async with buyer.acting() as ctx:
            match random.choice(("spend", "spend", "spend", "grant", "bought", "take", "night", "night")):
                case "spend":
                    free = (await usage.balance(ctx)).free_micro
                    await usage.spend(ctx, reason="storm", units=1, cost_micro=min(amount, free))
                case "grant":
                    await usage.grant(ctx, amount // 20, reason="a gift")
                case "bought":
                    await usage.bought(ctx, 2 * amount, reason="paid", source=f"step:{step}")
                case "take":
                    await usage.take_back(ctx, amount, reason="refund", source=f"step:{step}")
                case "night":
                    nights += 1
                    (row,) = await ctx.db.raw(WHOLE)
                    ought = max(booked_so_far, minor_of(row.used, "SGD").minor)
                    earned = await purchases.recognise(ctx)
                    booked_so_far += earned.minor
                    assert booked_so_far == ought
    assert nights > 2
    assert booked_so_far > 0
    async with house.app.context(across=True) as ctx:
        assert await usage.discrepancies(ctx) == []


async def test_a_check_finds_what_is_not_booked(house: House, buyer: Customer, fake_clock: FakeClock) -> None:
    invoice_id = await ordered(buyer, 5_000)
    await pay(house, buyer, invoice_id)
    async with buyer.acting() as ctx:
        await ctx.db.raw("UPDATE usage_accounts SET recognised_minor = 7")
    async with house.app.context(across=True) as ctx:
        found = [each for check in house.app.fillers(Check) for each in await check.run(ctx)]
    assert [each.what for each in found] == ["recognised 7 of its credits, and 0 are booked"]
