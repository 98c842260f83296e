"""For the tests of quotes. `PROBES` are what tests/isolation needs to call every operation of this module."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

from nexuscore.kernel.testing import Client, House
from nexuscore.modules import invoices
from nexuscore.modules.invoices.testing import customer
from nexuscore.modules.quotes import service, tariffs
from nexuscore.modules.quotes.schemas import Acceptance, NewOffer, NewPriceTable

Made = tuple[dict[str, Any], Any]
Probe = Callable[[House, Client], Awaitable[Made]]

AUDITS: dict[str, Any] = {
    "name": "audits",
    "currency": "USD",
    "prices": [
        {"code": "contract", "description": "Smart contract audit", "unit_price": 2_500_000},
        {"code": "lines", "description": "Started 1000 lines above 10 000", "unit_price": 50_000},
        {"code": "hour", "description": "Consulting, hours", "unit_price": 15_000},
    ],
}
TYPED = {"table": "audits", "quantities": {"contract": "1"}}
OFFER = {"table": "audits", "lines": [{"item": "contract"}]}


async def publish_prices(house: House) -> None:
    """The price table `audits`."""
    async with house.app.context() as ctx:
        await tariffs.publish(ctx, NewPriceTable.model_validate(AUDITS))


async def quote_in(house: House, org_id: UUID, state: str = "sent") -> UUID:
    """An organisation's quote in a state: draft, sent, accepted or invoiced."""
    await publish_prices(house)
    async with house.app.context(org=org_id) as ctx:
        quote = await service.draft(ctx, NewOffer.model_validate(OFFER))
        if state != "draft":
            await service.send(ctx, quote.id)
    return quote.id


async def _own_org(client: Client) -> UUID:
    return UUID((await client.get("/organisations")).json()["data"][0]["id"])


async def _own(house: House, client: Client) -> Made:
    return {"quote_id": str(await quote_in(house, await _own_org(client)))}, None


async def _acceptance(house: House, client: Client) -> Made:
    path, _ = await _own(house, client)
    return path, {"revision": 1, "total": 2_500_000}


def _any(state: str, body: Any = None, **query: Any) -> Probe:
    async def probe(house: House, client: Client) -> Made:
        acme = await customer(house, gst_registered=False, gst_number=None)
        path = {"quote_id": str(await quote_in(house, acme.org.id, state)), **query}
        if state in ("accepted", "invoiced"):
            accepted = await acme.owner.client.post(
                f"/quotes/{path['quote_id']}/accept", (await _terms(house, acme.org.id, path)), headers=_key()
            )
            assert accepted.status_code == 200, accepted.text
        if state == "invoiced":
            async with house.app.context(org=acme.org.id) as ctx:
                bill = await service.invoice(ctx, UUID(path["quote_id"]))
                await invoices.record_payment(ctx, bill.id, bill.total, "USD", reference="1", method="bank_transfer")
        return path, body

    return probe


async def _terms(house: House, org_id: UUID, path: dict[str, Any]) -> dict[str, Any]:
    async with house.app.context(org=org_id) as ctx:
        version = await service.newest(ctx, UUID(path["quote_id"]))
    return Acceptance(revision=version.revision, total=version.total).model_dump()


def _key() -> dict[str, str]:
    return {"idempotency-key": uuid4().hex}


async def _new(house: House, client: Client) -> Made:
    await publish_prices(house)
    plain = await customer(house, gst_registered=False, gst_number=None)
    return {}, {**OFFER, "org_id": str(plain.org.id)}


async def _new_page(house: House, client: Client) -> Made:
    path, _ = await _new(house, client)
    plain = await customer(house, gst_registered=False, gst_number=None)
    return {**path, "org_id": str(plain.org.id)}, TYPED


async def _typed_prices(house: House, client: Client) -> Made:
    item = {"code": "hour", "description": "Consulting", "unit_price": "150.00"}
    return {}, {"name": "hours", "currency": "SGD", "prices": [item]}


async def _prices(house: House, client: Client) -> Made:
    return {}, AUDITS


PROBES: dict[str, Probe] = {
    "read_quote": _own,
    "read_quote_pdf": _own,
    "read_any_quote_pdf": _any("draft"),
    "accept_quote": _acceptance,
    "publish_prices": _prices,
    "draft_quote": _new,
    "revise_quote": _any("sent", OFFER),
    "send_quote": _any("draft"),
    "withdraw_quote": _any("sent", {"reason": "Probe"}),
    "invoice_quote": _any("accepted"),
    "read_refund_of_quote": _any("invoiced", progress="30"),
    "our_quote_page": _own,
    "accept_quote_page": _acceptance,
    "create_quote_page": _new_page,
    "quote_page": _any("invoiced"),
    "new_version_page": _any("sent"),
    "revise_quote_page": _any("sent", TYPED),
    "send_quote_page": _any("draft"),
    "withdraw_quote_page": _any("sent", {"reason": "Probe"}),
    "invoice_quote_page": _any("accepted"),
    "publish_prices_page": _typed_prices,
}
