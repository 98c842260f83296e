"""The catalogue: the three tiers, what is shown to whom, and that a price stays."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from nexuscore.kernel.testing import Client, House
from nexuscore.modules.identity.testing import person
from nexuscore.modules.invoices.testing import Customer
from nexuscore.modules.plans.events import PlanChanged, PlanCreated

pytestmark = pytest.mark.anyio
NEW: dict[str, Any] = {"sku": "tiny-month", "name": "Tiny", "billing_period": "month", "amount": 900}


def key() -> dict[str, Any]:
    return {"headers": {"idempotency-key": uuid4().hex}}


async def admin(house: House) -> Client:
    return (await person(house, "root@example.com", platform_role="admin")).client


async def test_the_three_tiers_are_there_with_their_prices(house: House) -> None:
    plans = (await house.client().get("/plans")).json()
    assert [(p["sku"], p["amount"], p["monthly"], p["yearly"], p["saving_percent"]) for p in plans] == [
        ("starter-month", 4900, 4900, 58800, None),
        ("starter-year", 46800, 3900, 46800, 20),
        ("professional-month", 9900, 9900, 118800, None),
        ("professional-year", 94800, 7900, 94800, 20),
        ("enterprise-month", 24900, 24900, 298800, None),
        ("enterprise-year", 238800, 19900, 238800, 20),
    ]
    assert [(p["limits"]["members"], p["limits"]["leads_per_month"]) for p in plans[::2]] == [
        (5, 1000),
        (20, 10000),
        (None, None),
    ]
    assert (plans[2]["is_featured"], plans[2]["features"]["api_access"], plans[2]["formatted"]) == (
        True,
        True,
        "SGD99.00",
    )
    assert "api_access" not in plans[0]["features"]


async def test_a_plan_is_added_hidden_and_shown(house: House) -> None:
    root, visitor = await admin(house), house.client()
    async with house.expect_events(PlanCreated, PlanChanged):
        made = await root.post("/plans", NEW, **key())
        assert made.status_code == 201
        path = f"/plans/{made.json()['id']}"
        assert (await visitor.get(path)).status_code == 200
        assert (await root.patch(path, {"is_visible": False}, **key())).status_code == 200
        assert (await root.patch(path, {"is_visible": False}, **key())).status_code == 200
    assert (await visitor.get(path)).status_code == 404
    assert "tiny-month" not in (await visitor.get("/plans")).text
    assert "tiny-month" in (await root.get("/plans/all")).text
    again = await root.post("/plans", NEW, **key())
    assert (again.status_code, again.json()["error_code"]) == (409, "sku_taken")


async def test_a_plan_that_is_not_active_cannot_be_chosen(house: House, acme: Customer) -> None:
    root = await admin(house)
    made = (await root.post("/plans", NEW, **key())).json()
    await root.patch(f"/plans/{made['id']}", {"is_active": False}, **key())
    for wrong in ("tiny-month", made["id"], "no-such-plan", str(uuid4())):
        answer = await acme.owner.client.post("/subscriptions", {"plan": wrong}, **key())
        assert (answer.status_code, answer.json()["error_code"]) == (400, "SUB_001")


async def test_who_is_charged_gst_pays_in_singapore_dollars(house: House, acme: Customer) -> None:
    """Chosen on trial, it would have failed two weeks later, when the first invoice is made."""
    root = await admin(house)
    await root.post("/plans", {**NEW, "sku": "euro-month", "currency": "EUR"}, **key())
    answer = await acme.owner.client.post("/subscriptions", {"plan": "euro-month"}, **key())
    assert (answer.status_code, answer.json()["error_code"]) == (400, "SUB_001")


async def test_a_price_stays(house: House) -> None:
    """Without the trigger the statement went through, and everybody's next invoice was another."""
    root = await admin(house)
    plan = (await root.get("/plans")).json()[0]
    refused = await root.patch(f"/plans/{plan['id']}", {"amount": 1}, **key())
    assert refused.status_code == 422
    async with house.app.context() as ctx:
        for column in ("amount = 1", "currency = 'EUR'", "billing_period = 'year'", "sku = 'other'"):
            with pytest.raises(asyncpg.CheckViolationError):
                async with ctx.db.savepoint():
                    await ctx.db.raw(f"UPDATE plans SET {column} WHERE sku = 'starter-month'")


async def test_an_owner_manages_no_catalogue(acme: Customer) -> None:
    assert (await acme.owner.client.post("/plans", NEW, **key())).status_code == 403
    assert (await acme.owner.client.get("/plans/all")).status_code == 403
