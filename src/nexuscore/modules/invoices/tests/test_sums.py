"""The money itself: what PostgreSQL computes is what exact arithmetic says, and credit notes lose no cent."""

import json
import random
from fractions import Fraction
from math import floor
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings as limits, strategies as st

from nexuscore.kernel.testing import House
from nexuscore.modules import invoices
from nexuscore.modules.invoices import NewLine
from nexuscore.modules.invoices.credit_notes import Left
from nexuscore.modules.invoices.lines import gst_of
from nexuscore.modules.invoices.settling import state_after
from nexuscore.modules.invoices.testing import Customer, customer

INVOICES = 10_000
_INSERT = (
    "INSERT INTO invoices (id, currency, lines, gst_code, gst_rate, due_days)"
    " SELECT id, 'SGD', lines::jsonb, 'SR', rate::numeric, 30"
    " FROM unnest($1::uuid[], $2::text[], $3::text[]) AS new (id, lines, rate)"
    " RETURNING id, subtotal, taxable, gst_amount, total, amount_due, credit_balance"
)


def half_up(value: Fraction) -> int:
    """The nearest integer, halves away from zero; written without a look at the code under test."""
    return floor(value + Fraction(1, 2)) if value >= 0 else -floor(-value + Fraction(1, 2))


def random_lines(rng: random.Random) -> list[dict[str, Any]]:
    """Lines with awkward quantities and prices, some of them taken off, none below zero in all."""
    lines: list[dict[str, Any]] = []
    for _ in range(rng.randint(1, 8)):
        quantity = Fraction(rng.randint(1, 10 ** rng.randint(1, 7)), 10 ** rng.randint(0, 4))
        price = rng.choice([rng.randint(0, 50), rng.randint(0, 10**5), rng.randint(0, 10**8)])
        text = f"{quantity.numerator * 10**4 // quantity.denominator}e-4"
        lines.append(
            {
                "description": "x",
                "quantity": text,
                "unit_price": price,
                "amount": half_up(Fraction(text) * price),
                "code": rng.choice(["SR", "SR", "SR", "ZR", "ES", "OS"]),
            }
        )
    off = rng.choice(lines)
    most = off["amount"]
    if most and rng.random() < 0.3:
        less = rng.randint(0, most)
        lines.append({**off, "quantity": "1", "unit_price": -less, "amount": -less})
    return lines


@pytest.mark.anyio
async def test_generated_columns_are_exact_on_ten_thousand_invoices(house: House, acme: Customer) -> None:
    rng = random.Random(20_261_120)  # noqa: S311 - the same invoices every time
    for _ in range(4):
        made = {
            uuid4(): (random_lines(rng), rng.choice(["0", "0.07", "0.08", "0.09", "0.0875"]))
            for _ in range(INVOICES // 4)
        }
        async with acme.acting() as ctx:
            rows = await ctx.db.raw(
                _INSERT,
                list(made),
                [json.dumps(lines) for lines, _ in made.values()],
                [rate for _, rate in made.values()],
            )
        assert len(rows) == INVOICES // 4
        for row in rows:
            lines, rate = made[row.id]
            subtotal = sum(line["amount"] for line in lines)
            taxable = sum(line["amount"] for line in lines if line["code"] == "SR")
            gst = half_up(taxable * Fraction(rate))
            expected = (subtotal, taxable, gst, subtotal + gst, subtotal + gst, 0)
            assert tuple(row)[1:] == expected, lines


WORKED = [(10_000, 900, 10_900), (12_345, 1_111, 13_456), (15_000, 1_350, 16_350), (50, 5, 55), (5, 0, 5), (6, 1, 7)]
PENS = [NewLine(description=f"{colour} pen", unit_price=177) for colour in ("Green", "Red", "Blue")]


@pytest.mark.anyio
async def test_worked_figures(house: House, acme: Customer) -> None:
    """The requirements' own, and the tax authority's three pens: tax on the total of 5.31, not on each pen."""
    for price, gst, total in WORKED:
        async with acme.acting() as ctx:
            invoice = await invoices.draft(ctx, [NewLine(description="x", unit_price=price)])
        assert (invoice.gst_amount, invoice.total) == (gst, total)
        assert gst_of(price, invoice.gst_rate) == gst
    async with acme.acting() as ctx:
        pens = await invoices.draft(ctx, PENS)
    assert (pens.subtotal, pens.gst_amount, pens.total) == (531, 48, 579)
    plain = await customer(house, "Unregistered Pte. Ltd.", gst_registered=False, gst_number=None)
    async with plain.acting() as ctx:
        invoice = await invoices.draft(ctx, [NewLine(description="x", unit_price=20_000)])
    assert (invoice.gst_code, invoice.gst_amount, invoice.total) == ("OS", 0, 20_000)


@limits(max_examples=100)
@given(
    net=st.integers(1, 10**12),
    rate=st.sampled_from([Fraction(7, 100), Fraction(8, 100), Fraction(9, 100)]),
    cuts=st.lists(st.integers(1, 10**12), max_size=12),
)
def test_credit_notes_sum_to_the_invoice_to_the_cent(net: int, rate: Fraction, cuts: list[int]) -> None:
    gst = half_up(net * rate)
    left = Left(net + gst, gst, 0, 0)
    for cut in [*cuts, 10**13]:
        amount = min(cut, left.amount)
        if not amount:
            break
        part = left.gst_of(amount)
        assert 0 <= part <= amount
        assert abs(part - amount * Fraction(gst, net + gst)) <= 1
        left = Left(left.charged, left.gst, left.taken + amount, left.taken_gst + part)
    assert (left.taken, left.taken_gst) == (net + gst, gst)


@limits(max_examples=100)
@given(total=st.integers(0, 1000), paid=st.integers(0, 1000), refunded=st.integers(0, 1000), off=st.integers(0, 1000))
def test_the_state_follows_from_the_sums(total: int, paid: int, refunded: int, off: int) -> None:
    paid, off = min(paid, total), min(off, total)
    refunded = min(refunded, paid)
    state = state_after("open", total, amount_paid=paid, amount_refunded=refunded, amount_credited=off)
    due = total - off - paid + refunded
    assert (state in ("paid", "credited")) == (due <= 0)
    assert (state == "credited") == (due <= 0 and paid == 0)
    assert (state == "partly_paid") == (due > 0 and paid > refunded)
