"""What other tests need of usage.

`PROBES` are what tests/isolation needs to call every operation of this module.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from nexuscore.kernel.testing import Client, House
from nexuscore.modules.usage import credits

__all__ = ["PROBES", "credit"]


async def credit(house: House, org_id: UUID, amount_micro: int) -> None:
    """Give an organisation of a test credits."""
    async with house.app.context(org=org_id) as ctx:
        await credits.grant(ctx, amount_micro, reason="a test")


async def _cap(house: House, client: Client) -> tuple[dict[str, Any], Any]:
    me = (await client.get("/me")).json()["id"]
    return {}, {"user_id": me, "day_micro": 5, "month_micro": None}


async def _some_org(client: Client) -> str:
    made = await client.post("/organisations", {"name": "Probed"})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def _grant(house: House, client: Client) -> tuple[dict[str, Any], Any]:
    return {}, {"organisation_id": await _some_org(client), "amount_micro": 5, "reason": "probe"}


async def _terms(house: House, client: Client) -> tuple[dict[str, Any], Any]:
    return {}, {"organisation_id": await _some_org(client), "is_postpaid": True}


async def _order(house: House, client: Client) -> tuple[dict[str, Any], Any]:
    return {}, {"amount_minor": 5_000}


def _one(body: dict[str, Any]) -> Callable[[House, Client], Awaitable[tuple[dict[str, Any], Any]]]:
    """A page of the platform about one organisation."""

    async def probe(house: House, client: Client) -> tuple[dict[str, Any], Any]:
        return {"organisation_id": await _some_org(client)}, body

    return probe


async def _order_form(house: House, client: Client) -> tuple[dict[str, Any], Any]:
    return {}, {"amount": "50.00"}


async def _cap_form(house: House, client: Client) -> tuple[dict[str, Any], Any]:
    me = (await client.get("/me")).json()["id"]
    return {}, {"user_id": me, "day": "5.00"}


PROBES = {
    "order_credits": _order,
    "set_usage_cap": _cap,
    "grant_credits": _grant,
    "set_usage_terms": _terms,
    "order_credits_page": _order_form,
    "set_usage_cap_page": _cap_form,
    "organisation_credits_page": _one({}),
    "grant_credits_page": _one({"amount": "5.00", "reason": "probe"}),
    "set_usage_terms_page": _one({"is_postpaid": True}),
}
