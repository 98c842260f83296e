"""The quote on paper, in three languages, and the link in its mail."""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx2
import pytest

from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import House
from nexuscore.modules.identity.testing import Person, mails_to, person
from nexuscore.modules.invoices.testing import Customer, customer
from nexuscore.modules.quotes import papers, service
from nexuscore.modules.quotes.testing import AUDITS

pytestmark = pytest.mark.anyio
OFFER: dict[str, Any] = {
    "table": "audits",
    "lines": [{"item": "contract"}, {"item": "hour", "quantity": "2.5"}],
    "place": "US-WA",
    "rush": True,
    "discounts": [{"reason": "Referral #set page(fill: red)", "percent": "7.5"}],
    "note": "Six weeks",
}


@pytest.fixture
async def root(house: House, fake_clock: FakeClock) -> Person:
    return await person(house, "root@example.com", platform_role="admin")


@pytest.fixture
async def acme(house: House, root: Person) -> Customer:
    return await customer(house, "Żółw & Co")


async def send(who: Person, path: str, body: Any = None) -> httpx2.Response:
    return await who.client.post(path, body, headers={"idempotency-key": uuid4().hex})


async def offered(root: Person, acme: Customer) -> dict[str, Any]:
    await send(root, "/billing/price-tables", {**AUDITS, "rush_percent": "50", "discount_cap": "15"})
    drafted = (await send(root, "/billing/quotes", {**OFFER, "org_id": str(acme.org.id)})).json()
    sent = await send(root, f"/billing/quotes/{drafted['id']}/send")
    assert sent.status_code == 200, sent.text
    found: dict[str, Any] = sent.json()
    return found


def flat(value: object) -> str:
    """Everything on a paper, without the marks that turn text around."""
    return str(value).translate(dict.fromkeys(map(ord, "\u2066\u2067\u2068\u2069\u200f\u200e")))


async def test_everything_that_is_offered_is_on_the_paper(house: House, root: Person, acme: Customer) -> None:
    quote = await offered(root, acme)
    version = quote["versions"][0]
    assert (version["base"], version["rush"], version["discount"]) == (2_537_500, 1_268_750, 190_313)
    for language, head, total, until in (
        ("en", "Quote", "US$39,305.24", "December 2026"),
        ("he", "הצעת מחיר", "39,305.24", "דצמבר 2026"),
        ("pl", "Oferta", "305,24", "grudnia 2026"),
    ):
        async with acme.acting() as ctx:
            row = await service.get(ctx, UUID(quote["id"]))
            content = await papers.content(ctx, row, language)
        assert (content["title"], content["english"]) == (head, "" if language == "en" else "Quote")
        shown = flat(content)
        always = (quote["number"], "Żółw & Co", "NexusCore Pte. Ltd.", "Smart contract audit", "US-WA", "Six weeks")
        assert [each for each in (*always, total, until, "Referral #set page(fill: red)") if each not in shown] == []
        assert (content["rtl"], len(content["totals"])) == (language == "he", 5)
        printed = await acme.owner.client.get(f"/quotes/{quote['id']}/pdf?language={language}")
        assert (printed.status_code, printed.content[:5]) == (200, b"%PDF-")
    assert (await root.client.get(f"/billing/quotes/{quote['id']}/pdf")).content.startswith(b"%PDF-")
    terms = {"revision": 1, "total": version["total"]}
    assert (await send(acme.owner, f"/quotes/{quote['id']}/accept", terms)).status_code == 200
    async with acme.acting() as ctx:
        content = await papers.content(ctx, await service.get(ctx, UUID(quote["id"])), "en")
    assert "Accepted by" in flat(content["notes"])


async def test_the_link_in_the_mail_reads_this_quote_alone_and_until_it_is_over(
    house: House, root: Person, acme: Customer, fake_clock: FakeClock
) -> None:
    """Seen to succeed without the check of the signature: whoever knew a quote's id read it, for ever."""
    quote = await offered(root, acme)
    await house.drain()
    [mail] = await mails_to(house, acme.owner.email, "quotes.quote")
    [pdf] = {each for each in mail.links if "/file?" in each}
    assert any(each.endswith(f"/console/billing/quotes/{quote['id']}") for each in mail.links)
    url, nobody = urlsplit(pdf), house.client()

    async def read(query: str, id: str = quote["id"]) -> tuple[int, str]:
        answer = await nobody.request("GET", f"/api/v1/quotes/{id}/file?{query}")
        return answer.status_code, "" if answer.content[:5] == b"%PDF-" else answer.json()["error_code"]

    assert await read(url.query) == (200, "")
    other = await offered(root, acme)
    later = url.query.replace("expires=", "expires=9")
    for query, id in ((later, quote["id"]), (url.query[:-2] + "xx", quote["id"]), (url.query, other["id"])):
        assert await read(query, id) == (404, "not_found"), query
    assert (await nobody.request("GET", f"/api/v1/quotes/{quote['id']}/pdf")).status_code == 401
    fake_clock.advance(days=30)
    assert await read(url.query) == (200, ""), "its last day"
    fake_clock.advance(days=1)
    assert await read(url.query) == (404, "quote_link_expired")
    fake_clock.advance(days=-31)
    await send(root, f"/billing/quotes/{quote['id']}/versions", {**OFFER, "rush": False})
    assert await read(url.query) == (409, "quote_closed"), "what it showed is not offered any more"
