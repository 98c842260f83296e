"""Searching the log: what is found, by whom, and at what cost."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from nexuscore.kernel.access import PermissionDenied
from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import ALICE, BOB, CHARLIE, Client, House, Persona
from nexuscore.modules.audit import search
from nexuscore.modules.audit.events import SearchedEverywhere
from nexuscore.modules.audit.schemas import EventOut, EventQuery
from nexuscore.modules.audit.tests.shop import InvoicePaid, InvoiceVoided, PageSeen, ParcelSent

pytestmark = pytest.mark.anyio


async def emit(house: House, *facts: Any, who: Persona = ALICE, request_id: str = "") -> None:
    for fact in facts:
        async with house.context(who) as ctx:
            ctx.request_id = request_id
            ctx.emit(fact)


async def types(client: Client, **query: Any) -> list[str]:
    answer = await client.get("/events", params=query)
    assert answer.status_code == 200, answer.text
    return [fact["type"] for fact in answer.json()["data"]]


async def test_a_fact_is_found_with_all_it_says(house: House, alice: Client) -> None:
    await emit(house, InvoicePaid(invoice="i-1", cents=500), request_id="req-1")
    (fact,) = (await alice.get("/events")).json()["data"]
    assert fact["type"] == "invoice.paid"
    assert (fact["subject"], fact["data"]) == ("i-1", {"invoice": "i-1", "cents": 500})
    assert (fact["actor_kind"], fact["actor_id"]) == ("user", str(ALICE.id))
    assert (fact["org_id"], fact["request_id"], fact["version"]) == (str(ALICE.org), "req-1", 1)
    one = (await alice.get(f"/events/{fact['id']}")).json()
    assert EventOut.model_validate(one) == EventOut.model_validate(fact)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["page.seen", "parcel.sent", "invoice.voided", "invoice.paid"]),
        ({"type": "invoice.paid"}, ["invoice.paid"]),
        ({"type": "invoice.*"}, ["invoice.voided", "invoice.paid"]),
        ({"type": "invoice"}, []),
        ({"type": "inv.*"}, []),
        ({"subject": "i-1"}, ["invoice.voided", "invoice.paid"]),
        ({"actor": str(BOB.id)}, ["parcel.sent"]),
        ({"actor": "user"}, ["page.seen", "parcel.sent", "invoice.voided", "invoice.paid"]),
        ({"actor": "system"}, []),
        ({"request_id": "req-2"}, ["parcel.sent"]),
        ({"text": "WIŚNIA"}, ["parcel.sent"]),
        ({"text": 'a "quoted" street\\'}, ["parcel.sent"]),
        ({"text": "100%"}, ["page.seen"]),
        ({"text": "1_0"}, []),
        ({"since": "2026-11-20T12:02:00Z"}, ["page.seen", "parcel.sent"]),
        ({"until": "2026-11-20T13:02:00+01:00"}, ["invoice.voided", "invoice.paid"]),
        ({"type": "invoice.*", "since": "2026-11-20T12:01:00Z", "actor": str(ALICE.id)}, ["invoice.voided"]),
    ],
)
async def test_filters(
    house: House, alice: Client, fake_clock: FakeClock, query: dict[str, str], found: list[str]
) -> None:
    for fact, who, request_id in (
        (InvoicePaid(invoice="i-1", cents=500), ALICE, "req-1"),
        (InvoiceVoided(invoice="i-1"), ALICE, "req-1"),
        (ParcelSent(parcel="p-1", to='Wiśnia, a "quoted" street\\ 7'), BOB, "req-2"),
        (PageSeen(page="100% 1x0"), ALICE, "req-3"),
    ):
        await emit(house, fact, who=who, request_id=request_id)
        fake_clock.advance(minutes=1)
    assert await types(alice, **query) == found


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("type=Invoice.Paid", "type"),
        ("type=*", "type"),
        ("type=invoice.*.*", "type"),
        ("actor=bob", "actor"),
        ("since=2026-11-20T12:00:00", "since"),
        ("since=yesterday", "since"),
        ("text=", "text"),
        ("limit=101", "limit"),
        ("offset=1", "offset"),
        ("cursor=!!", "cursor"),
        ("cursor=MjAyNg", "cursor"),
        ("cursor=MjAyNi0xMS0yMFQxMjowMDowMHwwYTAwMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMGE", "cursor"),
        ("colour=red", "colour"),
    ],
)
async def test_a_bad_query_is_refused_by_name(alice: Client, query: str, field: str) -> None:
    answer = await alice.get(f"/events?{query}")
    assert answer.status_code == 422, answer.text
    assert answer.json()["details"][0]["field"].startswith(field)


@pytest.mark.parametrize("query", [{}, {"text": "page"}, {"type": "page.*"}])
async def test_a_cursor_walks_the_whole_log_while_it_grows(
    house: House, alice: Client, monkeypatch: pytest.MonkeyPatch, query: dict[str, str]
) -> None:
    monkeypatch.setattr(search, "STRETCH", 3)
    search._statement.cache_clear()
    for number in range(7):
        await emit(house, PageSeen(page=f"page {number}"), InvoiceVoided(invoice=str(number)))
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        body = (await alice.get("/events", params={"limit": 2, **query, **cursor})).json()
        seen += [fact["data"]["page"] for fact in body["data"] if fact["type"] == "page.seen"]
        await emit(house, PageSeen(page="new page"))
        if not body["page"]["has_next"]:
            break
        cursor = {"cursor": body["page"]["next_cursor"]}
    search._statement.cache_clear()
    assert seen == [f"page {number}" for number in (6, 5, 4, 3, 2, 1, 0)]


async def test_facts_of_one_moment_are_not_lost_between_pages(
    house: House, alice: Client, fake_clock: FakeClock
) -> None:
    async with house.context(ALICE) as ctx:
        for number in range(5):
            ctx.emit(PageSeen(page=str(number)))
    body = (await alice.get("/events?limit=3")).json()
    rest = (await alice.get("/events", params={"limit": 3, "cursor": body["page"]["next_cursor"]})).json()
    assert [fact["data"]["page"] for fact in (*body["data"], *rest["data"])] == ["4", "3", "2", "1", "0"]
    assert (body["page"]["has_prev"], rest["page"]["has_prev"], rest["page"]["has_next"]) == (False, True, False)


async def test_one_subject_has_a_history(house: House, alice: Client, charlie: Client) -> None:
    await emit(house, InvoicePaid(invoice="i-1", cents=1), InvoiceVoided(invoice="i-1"), InvoiceVoided(invoice="i-2"))
    history = (await alice.get("/events/subjects/i-1")).json()
    assert [fact["type"] for fact in history["data"]] == ["invoice.voided", "invoice.paid"]
    first = (await alice.get("/events/subjects/i-1?limit=1")).json()
    rest = (await alice.get("/events/subjects/i-1", params={"cursor": first["page"]["next_cursor"]})).json()
    assert [*first["data"], *rest["data"]] == history["data"]
    assert (await charlie.get("/events/subjects/i-1")).json()["data"] == []


async def test_a_denial_is_found_by_who_may_look(house: House, alice: Client, olga: Client, bob: Client) -> None:
    await emit(house, InvoicePaid(invoice="i-1", cents=1))
    id = (await olga.get("/events")).json()["data"][0]["id"]
    for path in ("/events", f"/events/{id}", "/events/subjects/i-1", "/events/seal", "/events/exports"):
        assert (await bob.get(path)).status_code == 403
    assert (await bob.post("/events/exports", {})).status_code == 403
    denials = (await alice.get("/events?type=access.denied")).json()["data"]
    assert {denial["actor_id"] for denial in denials} == {str(BOB.id)}
    asked = {(denial["data"]["operation"], denial["data"]["permission"]) for denial in denials}
    assert ("search_events", "audit.read") in asked
    assert ("export_events", "audit.export") in asked
    assert len(denials) == 6


async def test_nobody_searches_without_signing_in(nobody: Client) -> None:
    for path in ("/events", f"/events/{uuid4()}", "/events/subjects/x", "/events/everywhere", "/events/exports"):
        assert (await nobody.get(path)).status_code == 401


async def test_another_organisation_finds_nothing(house: House, alice: Client, charlie: Client) -> None:
    await emit(house, InvoicePaid(invoice="i-1", cents=500))
    id = (await alice.get("/events")).json()["data"][0]["id"]
    assert await types(charlie) == []
    async with house.expect_events(PermissionDenied) as denied:
        assert (await charlie.get(f"/events/{id}")).status_code == 404
    assert denied[0].body["id"] == id


async def test_looking_everywhere_is_a_permission_and_a_fact(house: House, root: Client, olga: Client) -> None:
    await emit(house, InvoicePaid(invoice="i-1", cents=1), InvoiceVoided(invoice="i-1"))
    await emit(house, InvoicePaid(invoice="i-2", cents=2), who=CHARLIE)
    await emit(house, PageSeen(page="status"), who=Persona("system", uuid4(), None))
    assert (await olga.get("/events/everywhere")).status_code == 403
    async with house.expect_events(SearchedEverywhere) as told:
        found = (await root.get("/events/everywhere?type=invoice.*&text=i-")).json()["data"]
    assert [fact["subject"] for fact in found] == ["i-2", "i-1", "i-1"]
    assert told[0].org is None
    assert told[0].body == {"filters": ["text", "type"], "event_type": "invoice.*", "looked_for": None}
    ours = (await root.get("/events/everywhere?org=none")).json()["data"]
    assert [fact["type"] for fact in ours] == ["audit.searched_everywhere", "page.seen"]


async def test_an_organisation_sees_that_the_platform_looked(house: House, root: Client, olga: Client) -> None:
    await emit(house, InvoicePaid(invoice="i-1", cents=1))
    await emit(house, InvoicePaid(invoice="i-2", cents=2), who=CHARLIE)
    found = (await root.get(f"/events/everywhere?org={ALICE.org}")).json()["data"]
    assert [fact["subject"] for fact in found] == ["i-1"]
    (looked,) = (await olga.get("/events?type=audit.*")).json()["data"]
    assert (looked["type"], looked["data"]["looked_for"]) == ("audit.searched_everywhere", str(ALICE.org))


async def test_a_cursor_walks_everywhere(house: House, root: Client) -> None:
    for number in range(5):
        await emit(house, PageSeen(page=str(number)), who=(ALICE, CHARLIE)[number % 2])
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        query = {"limit": 2, "type": "page.seen", **cursor}
        body = (await root.get("/events/everywhere", params=query)).json()
        seen += [fact["data"]["page"] for fact in body["data"]]
        if not body["page"]["has_next"]:
            break
        cursor = {"cursor": body["page"]["next_cursor"]}
    assert seen == ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize("everywhere", [False, True])
@pytest.mark.parametrize("filters", [{}, {"text": "page 7"}])
async def test_a_deep_page_reads_no_more_than_the_first(
    committed_house: House, everywhere: bool, filters: dict[str, str]
) -> None:
    """Counted in rows the database touches, so that no clock is needed."""
    house = committed_house
    owner = await asyncpg.connect(house.owner_dsn)
    try:
        await owner.execute(
            "INSERT INTO events (id, time, org_id, actor_kind, type, version, data, request_id)"
            " SELECT uuidv7(), now() - n * interval '1 second', $1, 'system', 'page.seen', 1,"
            " jsonb_build_object('page', 'page ' || n), '' FROM generate_series(1, 20000) n",
            ALICE.org,
        )
        await owner.execute("ANALYZE events")
        (deep,) = await owner.fetch("SELECT time, id FROM events ORDER BY time LIMIT 1 OFFSET 2000")
    finally:
        await owner.close()
    names = tuple(search.conditions(EventQuery(**filters)))
    values = [*search.conditions(EventQuery(**filters)).values(), 20]
    bound = 5 * (search.STRETCH if filters else 21) + 100
    for follows in (False, True):
        sql = search._statement(names, by_time=not everywhere, follows=follows)
        place = ([deep["id"]] if everywhere else [deep["time"], deep["id"]]) if follows else []
        async with house.context(ALICE, across=everywhere) as ctx:
            plan = await ctx.db.raw(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *values, *place)
        assert touched(plan[0][0][0]["Plan"]) < bound


def touched(node: dict[str, Any]) -> float:
    """Rows that scans of the log returned or threw away."""
    own = 0.0
    if node.get("Relation Name", "").startswith("events"):
        own = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    return own + sum(touched(each) for each in node.get("Plans", ()))


async def test_the_seal_is_shown_once_there_is_one(alice: Client) -> None:
    assert (await alice.get("/events/seal")).status_code == 404


async def test_a_search_of_long_ago_is_empty_and_quick(house: House, alice: Client) -> None:
    await emit(house, PageSeen(page="x"))
    async with house.context(ALICE) as ctx:
        long_ago = ctx.now - timedelta(days=4000)
    assert await types(alice, until=long_ago.isoformat()) == []
