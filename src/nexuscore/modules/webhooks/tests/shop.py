"""A shop that announces things, and the words tests about it use."""

from typing import Any
from uuid import UUID

from nexuscore.kernel.events import Event
from nexuscore.kernel.ids import uuid7
from nexuscore.kernel.module import Module
from nexuscore.kernel.testing import ALICE, Client, House, Persona


class InvoicePaid(Event, type="invoice.paid", version=3, subject="invoice_id"):
    """An invoice was paid in full."""

    invoice_id: UUID
    amount: int
    currency: str = "SGD"


class InvoiceSent(Event, type="invoice.sent"):
    """An invoice was sent."""

    invoice_id: UUID


class OrderPlaced(Event, type="order.line.placed"):
    """A line was ordered."""

    note: str = ""


class Whispered(Event, type="shop.whispered", public=False):
    """Nobody outside may know."""

    secret: str


shop = Module(name="shop", package=None, events=(InvoicePaid, InvoiceSent, OrderPlaced, Whispered))


async def add(client: Client, url: str, *filters: str, **rest: Any) -> dict[str, Any]:
    """An endpoint that is told of all, or of what the filters let through."""
    answer = await client.post("/webhooks/endpoints", {"url": url, "filters": list(filters) or ["invoice.*"], **rest})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def pay(house: House, who: Persona = ALICE, count: int = 1) -> list[UUID]:
    """Announce paid invoices; the events' ids."""
    async with house.context(who) as ctx:
        return [ctx.emit(InvoicePaid(invoice_id=uuid7(), amount=number)) for number in range(count)]


async def listed(client: Client, **query: str) -> list[dict[str, Any]]:
    """The deliveries, newest first."""
    asked = "&".join(f"{name}={value}" for name, value in {"limit": "100", **query}.items())
    data: list[dict[str, Any]] = (await client.get(f"/webhooks/deliveries?{asked}")).json()["data"]
    return data


async def tries(client: Client, delivery: dict[str, Any]) -> list[dict[str, Any]]:
    """The attempts of a delivery."""
    found: list[dict[str, Any]] = (await client.get(f"/webhooks/deliveries/{delivery['id']}/attempts")).json()
    return found
