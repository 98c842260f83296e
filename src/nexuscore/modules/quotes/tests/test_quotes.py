"""A quote's life: written, revised, sent, accepted by somebody from somewhere, invoiced; and what is refused."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest

from nexuscore.kernel import migrate
from nexuscore.kernel.app import App
from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import House
from nexuscore.modules import invoices
from nexuscore.modules.books.testing import balances, findings
from nexuscore.modules.identity.testing import Person, mails_to, person, sign_in
from nexuscore.modules.invoices.testing import Customer, customer
from nexuscore.modules.mail.testing import faults_of_messages
from nexuscore.modules.quotes import events
from nexuscore.modules.quotes.jobs import expire_quotes
from nexuscore.modules.quotes.testing import AUDITS

pytestmark = pytest.mark.anyio
OFFER: dict[str, Any] = {
    "table": "audits",
    "lines": [{"item": "contract"}, {"item": "hour", "quantity": "2.5"}],
    "place": "US-WA",
}


async def root_of(house: House) -> Person:
    return await person(house, "root@example.com", platform_role="admin")


async def send(who: Person, path: str, body: Any = None) -> httpx2.Response:
    return await who.client.post(path, body, headers={"idempotency-key": uuid4().hex})


async def offered(root: Person, acme: Customer, **more: Any) -> dict[str, Any]:
    drafted = await send(root, "/billing/quotes", {**OFFER, "org_id": str(acme.org.id), **more})
    assert drafted.status_code == 201, drafted.text
    sent = await send(root, f"/billing/quotes/{drafted.json()['id']}/send")
    found: dict[str, Any] = sent.json()
    return found


def terms(quote: dict[str, Any]) -> dict[str, Any]:
    return {"revision": quote["versions"][0]["revision"], "total": quote["versions"][0]["total"]}


async def test_from_offer_to_invoice(house: House, vln: Customer, fake_clock: FakeClock) -> None:
    root = await root_of(house)
    discounts = [{"reason": "Referral", "percent": "7.5"}]
    quote = await offered(root, vln, rush=True, discounts=discounts)
    version = quote["versions"][0]
    assert (quote["number"], quote["state"], quote["valid_until"]) == ("Q-202611-0001", "sent", "2026-12-20")
    sums = {name: version[name] for name in ("base", "rush", "discount", "subtotal", "tax", "total")}
    assert sums == {
        "base": 2_537_500,
        "rush": 1_268_750,
        "discount": 190_313,
        "subtotal": 3_615_937,
        "tax": 314_587,
        "total": 3_930_524,
    }
    accepted = await send(vln.owner, f"/quotes/{quote['id']}/accept", terms(quote))
    assert accepted.json()["accepted_by"] == str(vln.owner.id)
    async with house.app.context(across=True) as ctx:
        [row] = await ctx.db.raw("SELECT accepted_ip, accepted_agent, accepted_at, accepted_name FROM quotes")
    assert (row.accepted_ip, row.accepted_at) == ("203.0.113.7", fake_clock.now())
    assert "Firefox" in row.accepted_agent
    invoiced = (await send(root, f"/billing/quotes/{quote['id']}/invoice")).json()
    async with vln.acting() as ctx:
        bill = await invoices.get(ctx, invoiced["invoice_id"])
    assert (bill.total, bill.currency, bill.gst_amount, bill.source) == (3_930_524, "USD", 0, "quote")
    assert await balances(house, "USD") == {"receivable": 3_930_524, "revenue": -3_615_937, "sales_tax": -314_587}
    again = await send(root, f"/billing/quotes/{quote['id']}/invoice")
    assert (again.status_code, again.json()["error_code"]) == (409, "quote_not_accepted")
    assert await findings(house) == []
    told = [fact.type for fact in await house.facts() if fact.type.startswith("quote.")]
    assert told == ["quote.drafted", "quote.sent", "quote.accepted", "quote.invoiced"]


async def test_only_what_was_read_can_be_accepted(house: House, vln: Customer) -> None:
    """Seen to succeed without the comparison: the customer was bound to a version they had never seen."""
    root = await root_of(house)
    quote = await offered(root, vln)
    read = terms(quote)
    await send(root, f"/billing/quotes/{quote['id']}/versions", {**OFFER, "rush": True})
    hidden = await send(vln.owner, f"/quotes/{quote['id']}/accept", read)
    assert hidden.status_code == 404
    await send(root, f"/billing/quotes/{quote['id']}/send")
    stale = await send(vln.owner, f"/quotes/{quote['id']}/accept", read)
    assert (stale.status_code, stale.json()["error_code"]) == (409, "quote_changed")
    newest = (await vln.owner.client.get(f"/quotes/{quote['id']}")).json()
    assert [version["revision"] for version in newest["versions"]] == [2, 1]
    assert (await send(vln.owner, f"/quotes/{quote['id']}/accept", terms(newest))).status_code == 200


async def test_new_prices_leave_old_quotes_alone(house: House, vln: Customer) -> None:
    root = await root_of(house)
    quote = await offered(root, vln)
    prices = [{**each, "unit_price": each["unit_price"] * 2} for each in AUDITS["prices"]]
    published = await send(root, "/billing/price-tables", {**AUDITS, "prices": prices})
    assert (published.status_code, published.json()["version"]) == (201, 2)
    stands = (await vln.owner.client.get(f"/quotes/{quote['id']}")).json()
    assert stands["versions"][0]["total"] == quote["versions"][0]["total"]
    assert (await offered(root, vln))["versions"][0]["base"] == 2 * quote["versions"][0]["base"]


async def test_a_quote_expires_after_thirty_days(house: House, vln: Customer, fake_clock: FakeClock) -> None:
    root = await root_of(house)
    first, second = await offered(root, vln), await offered(root, vln)
    fake_clock.advance(days=31)
    await sign_in(vln.owner.client, vln.owner.email)
    await sign_in(root.client, root.email)
    late = await send(vln.owner, f"/quotes/{first['id']}/accept", terms(first))
    assert (late.status_code, late.json()["error_code"]) == (409, "quote_expired")
    async with house.expect_events(events.QuoteExpired, events.QuoteExpired), house.app.context() as ctx:
        await expire_quotes(ctx)
    closed = await send(vln.owner, f"/quotes/{second['id']}/accept", terms(second))
    assert closed.json()["error_code"] == "quote_closed"
    assert (await send(root, f"/billing/quotes/{second['id']}/send")).json()["error_code"] == "quote_closed"


async def test_in_singapore_the_tax_is_gst(house: House, vln: Customer) -> None:
    root = await root_of(house)
    sgd = {**AUDITS, "name": "local", "currency": "SGD"}
    await send(root, "/billing/price-tables", sgd)
    acme = await customer(house)
    foreign = await send(root, "/billing/quotes", {**OFFER, "org_id": str(acme.org.id), "place": None})
    assert (foreign.status_code, foreign.json()["error_code"]) == (400, "gst_needs_sgd")
    quote = await offered(root, acme, table="local", place=None)
    version = quote["versions"][0]
    assert (version["place"], version["tax_code"], version["tax"]) == ("SG", "SR", 228_375)
    await send(acme.owner, f"/quotes/{quote['id']}/accept", terms(quote))
    invoiced = (await send(root, f"/billing/quotes/{quote['id']}/invoice")).json()
    async with acme.acting() as ctx:
        bill = await invoices.get(ctx, invoiced["invoice_id"])
    assert (bill.gst_amount, bill.total) == (version["tax"], version["total"])


async def test_what_goes_back(house: House, vln: Customer) -> None:
    root = await root_of(house)
    quote = await offered(root, vln, place=None, rush=True, lines=[{"item": "contract"}])
    await send(vln.owner, f"/quotes/{quote['id']}/accept", terms(quote))
    bill = (await send(root, f"/billing/quotes/{quote['id']}/invoice")).json()["invoice_id"]
    async with vln.acting() as ctx:
        await invoices.record_payment(ctx, UUID(bill), 3_750_000, "USD", reference="W1", method="bank_transfer")
    for progress, back in ((None, 3_700_000), ("10", 1_875_000), ("60", 625_000), ("80", 0)):
        query = "" if progress is None else f"?progress={progress}"
        found = (await root.client.get(f"/billing/quotes/{quote['id']}/refund{query}")).json()
        assert (found["paid"], found["rush"], found["refundable"]) == (3_750_000, 1_250_000, back)


async def test_the_customer_is_told_and_drafts_are_not_theirs(house: House, vln: Customer) -> None:
    root = await root_of(house)
    drafted = (await send(root, "/billing/quotes", {**OFFER, "org_id": str(vln.org.id)})).json()
    assert (await vln.owner.client.get(f"/quotes/{drafted['id']}")).status_code == 404
    assert (await vln.owner.client.get("/quotes")).json()["data"] == []
    await send(root, f"/billing/quotes/{drafted['id']}/send")
    await house.drain()
    [mail] = [mail for mail in await mails_to(house, vln.owner.email) if mail.message == "quotes.quote"]
    assert "VLN, Inc." in mail.text
    assert "US$27,582.63" in mail.subject
    assert len((await vln.owner.client.get("/quotes")).json()["data"]) == 1
    withdrawn = await send(root, f"/billing/quotes/{drafted['id']}/withdraw", {"reason": "Too busy"})
    assert withdrawn.json()["state"] == "withdrawn"


async def test_what_is_not_in_the_price_list(house: House, vln: Customer) -> None:
    root = await root_of(house)
    for wrong in ({"table": "nothing"}, {"lines": [{"item": "nothing"}]}):
        answer = await send(root, "/billing/quotes", {**OFFER, "org_id": str(vln.org.id), **wrong})
        assert (answer.status_code, answer.json()["error_code"]) == (400, "no_such_price")
    floats = await send(
        root, "/billing/quotes", {**OFFER, "org_id": str(vln.org.id), "lines": [{"item": "hour", "quantity": 1.5}]}
    )
    assert "no_fraction" in floats.text


async def test_versions_and_prices_never_change(house: House, vln: Customer) -> None:
    await offered(await root_of(house), vln)
    for sql in (
        "UPDATE quote_versions SET total = 1",
        "DELETE FROM quote_versions",
        "UPDATE price_tables SET prices = '[]'",
        "DELETE FROM quotes",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with house.app.context(across=True) as ctx:
                await ctx.db.raw(sql)


async def test_the_database_is_what_the_models_say(committed_house: House, composed: App) -> None:
    house = committed_house
    assert await migrate.differences(house.app, house.owner_dsn) == []
    assert await migrate.downgrade(house.app, house.owner_dsn, "quotes") == ["quotes_0001"]
    assert await migrate.upgrade(house.app, house.owner_dsn) == ["quotes_0001"]
    assert [fault for fault in faults_of_messages(composed) if fault.startswith("quotes.")] == []
