"""GST: the rate of the day, the code of the customer, and the return of a quarter."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from nexuscore.kernel import clock
from nexuscore.kernel.settings import Environment
from nexuscore.kernel.testing import House
from nexuscore.modules import invoices
from nexuscore.modules.books.testing import balances
from nexuscore.modules.identity.testing import person
from nexuscore.modules.invoices import NewLine
from nexuscore.modules.invoices.gst import quarter_of
from nexuscore.modules.invoices.settings import InvoiceSettings
from nexuscore.modules.invoices.tax import Treatment, rate_on
from nexuscore.modules.invoices.testing import Customer, customer

pytestmark = pytest.mark.anyio
RATES = InvoiceSettings.model_fields["gst_rates"].default


def at(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=UTC)  # type: ignore[misc, arg-type]  # year, month, day and perhaps more


def test_the_rate_is_that_of_the_day() -> None:
    days = {"2007-07-01": 7, "2022-12-31": 7, "2023-01-01": 8, "2023-12-31": 8, "2024-01-01": 9, "2030-05-05": 9}
    assert {day: rate_on(RATES, date.fromisoformat(day)) * 100 for day in days} == days
    with pytest.raises(ValueError, match="no GST rate"):
        rate_on(RATES, date(2007, 6, 30))


def test_who_is_charged_is_asked_of_whoever_goes_live_registered() -> None:
    """Seen red with the warning given for unregistered suppliers, and with a chosen default counting as not chosen."""
    named = {"supplier_uen": "201912345R", "supplier_gst_number": "201912345R", "supplier_address": "Singapore"}

    def doubted(env: Environment, **given: str) -> list[str]:
        return [field for field, _ in InvoiceSettings(**given).doubts(env)]  # type: ignore[arg-type]  # texts, as set

    assert doubted("production", **named) == ["gst_charged_to"]
    assert doubted("production") == doubted("development", **named) == []
    for choice in ("everyone", "registered"):
        assert doubted("production", **named, gst_charged_to=choice) == []


def test_a_line_moves_away_from_the_standard_rate_only() -> None:
    sr, os_ = Treatment("SR", Decimal("0.09")), Treatment("OS", Decimal(0))
    assert [sr.of(asked) for asked in (None, "SR", "ZR", "ES", "OS", "TX")] == ["SR", "SR", "ZR", "ES", "OS", "ES"]
    assert {os_.of(asked) for asked in (None, "SR", "ZR", "ES", "OS", "TX")} == {"OS"}
    assert Treatment("ZR", Decimal(0)).of("SR") == "ZR"


async def test_a_draft_is_taxed_anew_when_it_is_finalised(house: House, acme: Customer) -> None:
    """Drafted in December 2023 at 8 %, finalised in January 2024: 9 %. The new year begins in Singapore, not in UTC."""
    with clock.fake(at(2023, 12, 31, 15)) as now:
        async with acme.acting() as ctx:
            draft = await invoices.draft(ctx, [NewLine(description="x", unit_price=10_000)])
        assert draft.gst_amount == 800
        now.set(at(2023, 12, 31, 16))
        async with acme.acting() as ctx:
            opened = await invoices.finalise(ctx, draft.id)
    assert (opened.gst_amount, opened.number, str(opened.issued_on)) == (900, "INV-202401-0001", "2024-01-01")


async def test_the_return_of_a_quarter(house: House, acme: Customer) -> None:
    abroad = await customer(
        house,
        "=Evil, Ltd",
        gst_registered=False,
        gst_number=None,
        address={"line1": "1 Pitt Street", "postal_code": "2000", "country": "AU"},
    )
    with clock.fake(at(2026, 9, 30, 15, 59)) as now:  # a minute before October in Singapore
        async with acme.acting() as ctx:
            await invoices.issue(ctx, [NewLine(description="September", unit_price=5_000)])
            later = await invoices.issue(ctx, [NewLine(description="Cancelled later", unit_price=1_000)])
        now.advance(minutes=2)
        async with acme.acting() as ctx:
            lines = [
                NewLine(description="Taxed", unit_price=12_345),
                NewLine(description="Exempt", unit_price=700, tax="ES"),
            ]
            mixed = await invoices.issue(ctx, lines)
            await invoices.credit(ctx, mixed.id, reason="Less", amounts={"SR": 1_090})
            await invoices.void(ctx, later.id, "Never delivered")
            again = await invoices.issue(ctx, [NewLine(description="Wrong", unit_price=99)])
            await invoices.void(ctx, again.id, "Same quarter")
            await invoices.draft(ctx, [NewLine(description="Draft", unit_price=1)])
        async with abroad.acting() as ctx:
            await invoices.issue(ctx, [NewLine(description="Exported", unit_price=40_000)])
            await invoices.issue(ctx, [NewLine(description="Exported", unit_price=500)], currency="USD")
    root = await person(house, "root@example.com", platform_role="admin")
    third = (await root.client.get("/billing/gst/2026/3")).json()
    fourth = (await root.client.get("/billing/gst/2026/4")).json()
    assert third["boxes"]["box1_standard_rated"] == 6_000
    assert third["boxes"]["box6_output_tax"] == 540
    assert fourth["boxes"] == {
        "box1_standard_rated": 12_345 - 1_000 - 1_000,
        "box2_zero_rated": 40_000,
        "box3_exempt": 700,
        "box4_total": 12_345 - 2_000 + 40_700,
        "box6_output_tax": 1_111 - 90 - 90,
        "box13_revenue": 12_345 - 2_000 + 40_700,
    }
    assert (fourth["since"], fourth["until"], fourth["not_in_sgd"]) == ("2026-10-01", "2026-12-31", ["USD"])
    taxes = third["boxes"]["box6_output_tax"] + fourth["boxes"]["box6_output_tax"]
    assert (await balances(house))["gst_output"] == -taxes
    csv = (await root.client.get("/billing/gst/2026/4/csv")).text
    assert csv.splitlines()[0] == "kind,number,day,customer,gst_number,currency,code,gst_rate,net,gst"
    assert '"\'=Evil, Ltd"' in csv
    assert ",SR,0.0900,-1000,-90\r\n" in csv


def test_quarters() -> None:
    assert [quarter_of(2026, each)[0].month for each in (1, 2, 3, 4)] == [1, 4, 7, 10]
    assert quarter_of(2026, 4)[1] == date(2027, 1, 1)
    assert all(quarter_of(2026, each)[1] == quarter_of(2026, each + 1)[0] for each in (1, 2, 3))
