"""Subscriptions over HTTP: a walk with curl's eyes, and what everybody else may not."""

from typing import Any
from uuid import uuid4

import pytest

from nexuscore.kernel.testing import House
from nexuscore.modules.identity.testing import person
from nexuscore.modules.invoices.testing import Customer
from nexuscore.modules.payments.testing import save_card, tell

pytestmark = pytest.mark.anyio


def key() -> dict[str, Any]:
    return {"headers": {"idempotency-key": uuid4().hex}}


async def test_from_the_first_click_to_the_end(house: House, acme: Customer) -> None:
    anna = acme.owner.client
    made = await anna.post("/subscriptions", {"plan": "professional-month"}, **key())
    assert (made.status_code, made.json()["state"], made.json()["is_active"]) == (201, "trialing", True)
    path = f"/subscriptions/{made.json()['id']}"
    twice = await anna.post("/subscriptions", {"plan": "starter-month"}, **key())
    assert (twice.status_code, twice.json()["error_code"]) == (409, "already_subscribed")
    ending = await anna.post(f"{path}/cancel", {}, **key())
    assert (ending.json()["cancel_at_period_end"], ending.json()["state"]) == (True, "trialing")
    assert (await anna.post(f"{path}/reactivate", **key())).json()["cancel_at_period_end"] is False
    over = await anna.post(f"{path}/cancel", {"at_period_end": False}, **key())
    assert (over.json()["state"], over.json()["is_active"]) == ("canceled", False)
    assert (await anna.get(path)).json() == over.json()
    again = await anna.post("/subscriptions", {"plan": "starter-month", "trial": True}, **key())
    assert (again.status_code, again.json()["error_code"]) == (400, "SUB_002")


async def test_with_a_saved_card_the_first_payment_is_taken_at_once(house: House, acme: Customer) -> None:
    anna = acme.owner.client
    await save_card(acme)
    made = (await anna.post("/subscriptions", {"plan": "starter-month", "trial": False}, **key())).json()
    assert made["state"] == "unpaid"
    await house.drain()
    await tell(house)
    assert (await anna.get(f"/subscriptions/{made['id']}")).json()["state"] == "active"


async def test_everything_about_money_needs_a_key(acme: Customer) -> None:
    anna = acme.owner.client
    answer = await anna.post("/subscriptions", {"plan": "starter-month"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "idempotency_key_required")
    made = (await anna.post("/subscriptions", {"plan": "starter-month"}, **key())).json()
    for act, body in (("cancel", {}), ("reactivate", None), ("pause", None), ("resume", None)):
        answer = await anna.post(f"/subscriptions/{made['id']}/{act}", body)
        assert answer.json()["error_code"] == "idempotency_key_required"


async def test_a_viewer_looks_and_touches_nothing(house: House, acme: Customer) -> None:
    made = (await acme.owner.client.post("/subscriptions", {"plan": "starter-month"}, **key())).json()
    viewer = (await acme.org.joined(await person(house, "eve@example.com"), "viewer")).client
    path = f"/subscriptions/{made['id']}"
    assert (await viewer.get(path)).status_code == 200
    for act, body in (("cancel", {}), ("pause", None), ("previews", {"plan": "enterprise-month"})):
        assert (await viewer.post(f"{path}/{act}", body, **key())).status_code == 403
    assert (await viewer.post("/subscriptions", {"plan": "starter-month"}, **key())).status_code == 403


async def test_another_organisations_preview_is_not_there(house: House, acme: Customer) -> None:
    anna = acme.owner.client
    made = (await anna.post("/subscriptions", {"plan": "starter-month"}, **key())).json()
    answer = await anna.post(f"/subscriptions/{made['id']}/change", {"preview_id": str(uuid4())}, **key())
    assert answer.status_code == 404
