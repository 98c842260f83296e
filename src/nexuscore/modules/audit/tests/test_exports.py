"""Exports: what is in the files, who gets them, and for how long."""

import csv
import io
import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from nexuscore.kernel import clock
from nexuscore.kernel.clock import now
from nexuscore.kernel.events import Event
from nexuscore.kernel.sheets import safe
from nexuscore.kernel.testing import ALICE, BOB, CHARLIE, Client, House, Persona
from nexuscore.modules.audit import exports, files, store
from nexuscore.modules.audit.events import ExportDownloaded, ExportReady, ExportRequested
from nexuscore.modules.audit.files import Order, is_wanted
from nexuscore.modules.audit.rows import TEXTS, canonical
from nexuscore.modules.audit.schemas import Filters
from nexuscore.modules.audit.testing import seal
from nexuscore.modules.audit.tests.conftest import ROOT
from nexuscore.modules.audit.tests.months import month_of, run_daily, write_long_ago
from nexuscore.modules.audit.tests.shop import InvoicePaid, InvoiceVoided, PageSeen, ParcelSent

pytestmark = pytest.mark.anyio


async def emit(house: House, *facts: Event, who: Persona = ALICE) -> None:
    for fact in facts:
        async with house.context(who) as ctx:
            ctx.emit(fact)


async def exported(house: House, client: Client, path: str = "/events/exports", **asked: Any) -> dict[str, Any]:
    answer = await client.post(path, asked)
    assert answer.status_code == 202, answer.text
    assert answer.json()["state"] == "waiting"
    assert answer.json()["parts"] == []
    await house.drain()
    ready: dict[str, Any] = (await client.get(f"{path}/{answer.json()['id']}")).json()
    assert ready["state"] == "ready"
    return ready


async def download(house: House, link: str) -> httpx2.Response:
    """As a browser does that follows a link: without signing in."""
    parts = urlsplit(link)
    return await house.client().get(f"{parts.path}?{parts.query}")


async def lines(house: House, export: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for part in export["parts"]:
        answer = await download(house, part["link"])
        assert answer.status_code == 200, answer.text
        assert len(answer.content) == part["bytes"]
        read = [json.loads(line) for line in answer.content.split(b"\n")[:-1]]
        assert len(read) == part["events"]
        found += read
    return found


async def test_an_export_is_asked_for_made_and_downloaded(house: House, alice: Client) -> None:
    await emit(house, InvoicePaid(invoice="i-1", cents=1), InvoiceVoided(invoice="i-1"), PageSeen(page="ü\u2028"))
    async with house.expect_events(ExportRequested, ExportReady) as facts:
        export = await exported(house, alice, type="invoice.*")
    assert facts[0].body == {"export_id": export["id"], "format": "jsonl", "filters": ["type"]}
    assert facts[0].actor_id == ALICE.id
    assert facts[1].body == {"export_id": export["id"], "events": 2}
    found = await lines(house, export)
    assert [line["type"] for line in found] == ["invoice.paid", "invoice.voided"]
    assert found[0]["data"] == {"invoice": "i-1", "cents": 1}
    assert found[0]["actor_id"] == str(ALICE.id)
    listed = (await alice.get("/events/exports")).json()["data"]
    assert [each["id"] for each in listed] == [export["id"]]


async def test_csv_opens_in_a_spreadsheet_and_runs_nothing(house: House, alice: Client) -> None:
    await emit(house, InvoicePaid(invoice='=cmd|"/c calc"!A1', cents=1), ParcelSent(parcel="-1+1", to='Ada, "x"\nü'))
    (part,) = (await exported(house, alice, format="csv"))["parts"]
    answer = await download(house, part["link"])
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="events-')
    assert answer.headers["cache-control"] == "no-store"
    rows = list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
    assert [row["subject"] for row in rows] == ['\'=cmd|"/c calc"!A1', "'-1+1"]
    assert json.loads(rows[1]["data"]) == {"parcel": "-1+1", "to": 'Ada, "x"\nü'}
    assert rows[0]["ip"] == ""


@given(st.text())
def test_no_cell_begins_like_a_formula(text: str) -> None:
    cell = safe(text)
    assert cell in (text, f"'{text}")
    assert cell.lstrip(" ")[:1] not in ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "  =", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_what_begins_like_a_formula_is_disarmed(sign: str) -> None:
    assert safe(f"{sign}1") == f"'{sign}1"
    assert safe(f"1{sign}") == f"1{sign}"


async def test_archived_months_are_in_an_export(committed_house: House) -> None:
    house = committed_house
    month = month_of(250)
    await write_long_ago(house, month, InvoicePaid(invoice="i-1", cents=1), ParcelSent(parcel="p", to="Łódź"))
    await write_long_ago(house, month, InvoicePaid(invoice="i-2", cents=2), who=CHARLIE)
    await seal(house)
    alice = house.client(ALICE)
    before = await lines(house, await exported(house, alice))
    await run_daily(house)
    assert [fact["type"] for fact in (await alice.get("/events?type=invoice.*")).json()["data"]] == []
    after = await lines(house, await exported(house, alice))
    assert [line["type"] for line in before] == ["invoice.paid", "parcel.sent"]
    assert after[:2] == before, "to the last byte what the database said"
    assert [line["subject"] for line in after if line["type"] == "invoice.paid"] == ["i-1"]
    assert [line["subject"] for line in await lines(house, await exported(house, alice, text="łÓDŹ"))] == ["p"]
    house.personas.known[ROOT.name] = ROOT
    everything = await exported(house, house.client(ROOT), "/events/everywhere/exports", type="invoice.paid")
    assert [line["subject"] for line in await lines(house, everything)] == ["i-1", "i-2"]


async def test_a_large_export_is_several_files(house: House, alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PART_BYTES", 1000)
    monkeypatch.setattr(files, "_PAGE", 2)
    await emit(house, *(PageSeen(page=str(number)) for number in range(9)))
    export = await exported(house, alice, type="page.seen")
    assert [part["number"] for part in export["parts"]] == [1, 2, 3]
    assert [line["data"]["page"] for line in await lines(house, export)] == [str(number) for number in range(9)]
    monkeypatch.setattr(files, "PART_BYTES", 400)
    export = await exported(house, alice, type="page.seen", format="csv")
    for part in export["parts"]:
        assert (await download(house, part["link"])).text.startswith("id,time,type,")


async def test_an_empty_export_is_an_empty_file(house: House, alice: Client) -> None:
    (part,) = (await exported(house, alice, type="invoice.paid"))["parts"]
    assert (part["events"], part["bytes"]) == (0, 0)
    assert (await download(house, part["link"])).content == b""


async def test_an_organisation_gets_its_own_facts_only(
    house: House, alice: Client, charlie: Client, root: Client
) -> None:
    await emit(house, InvoicePaid(invoice="i-1", cents=1))
    await emit(house, InvoicePaid(invoice="i-2", cents=2), who=CHARLIE)
    await emit(house, PageSeen(page="status"), who=Persona("system", UUID(int=9), None))
    export = await exported(house, alice, type="invoice.paid")
    assert [line["subject"] for line in await lines(house, export)] == ["i-1"]
    assert (await charlie.get(f"/events/exports/{export['id']}")).status_code == 404
    assert (await charlie.get("/events/exports")).json()["data"] == []
    assert (await alice.get(f"/events/everywhere/exports/{export['id']}")).status_code == 404
    assert (await root.get(f"/events/everywhere/exports/{export['id']}")).status_code == 404
    everywhere = await exported(house, root, "/events/everywhere/exports")
    found = await lines(house, everywhere)
    assert [line["subject"] for line in found if line["type"] == "invoice.paid"] == ["i-1", "i-2"]
    assert "page.seen" in {line["type"] for line in found}
    assert [each["id"] for each in (await root.get("/events/everywhere/exports")).json()["data"]] == [everywhere["id"]]
    for client in (alice, charlie):
        assert (await client.get(f"/events/exports/{everywhere['id']}")).status_code == 404


async def test_a_download_is_a_fact_of_the_organisation(house: House, alice: Client) -> None:
    export = await exported(house, alice)
    async with house.expect_events(ExportDownloaded) as facts:
        await download(house, export["parts"][0]["link"])
    assert (facts[0].org, facts[0].actor_kind, facts[0].ip) == (ALICE.org, "anonymous", "127.0.0.1")
    assert facts[0].body == {"export_id": export["id"], "part": 1}


async def test_a_link_holds_for_seven_days_and_for_one_file(house: House, alice: Client) -> None:
    await emit(house, PageSeen(page="x"))
    with clock.fake(now()) as moved:
        export = await exported(house, alice)
        link = export["parts"][0]["link"]
        assert link.startswith("http://127.0.0.1:8000/api/v1/events/exports/")
        moved.advance(days=6, hours=23)
        assert (await download(house, link)).status_code == 200
        query = parse_qs(urlsplit(link).query)
        later = link.replace(query["expires"][0], str(int(query["expires"][0]) + 86_400))
        for forged in (later, link.replace("/parts/1", "/parts/2"), link[:-2] + "xx", link.replace("signature", "s")):
            assert (await download(house, forged)).status_code in (404, 422)
        moved.advance(hours=2)
        gone = await download(house, link)
        assert (gone.status_code, gone.json()["error_code"]) == (404, "link_expired")
        await run_expiry(house)
        assert await store.names(house.app, "exports/") == []
        shown = (await alice.get(f"/events/exports/{export['id']}")).json()
        assert (shown["state"], shown["parts"], shown["events"]) == ("expired", [], export["events"])


async def run_expiry(house: House) -> None:
    async with house.app.context() as ctx:
        await exports.expire(ctx)


async def test_a_lost_file_is_not_a_mystery(house: House, alice: Client) -> None:
    export = await exported(house, alice)
    await store.remove(house.app, files.file_of(UUID(export["id"]), 1))
    answer = await download(house, export["parts"][0]["link"])
    assert (answer.status_code, answer.json()["error_code"]) == (502, "file_missing")


async def test_an_organisation_waits_for_its_exports(house: House, alice: Client, charlie: Client) -> None:
    for _ in range(5):
        assert (await alice.post("/events/exports", {})).status_code == 202
    refused = await alice.post("/events/exports", {})
    assert (refused.status_code, refused.json()["error_code"]) == (409, "too_many_exports")
    assert (await charlie.post("/events/exports", {})).status_code == 202
    await house.drain()
    assert (await alice.post("/events/exports", {})).status_code == 202


@pytest.mark.parametrize("body", [{"format": "xls"}, {"type": "*"}, {"since": "2026-01-01T00:00:00"}, {"limit": 5}])
async def test_a_bad_wish_is_refused(alice: Client, body: dict[str, Any]) -> None:
    assert (await alice.post("/events/exports", body)).status_code == 422


async def test_an_export_of_a_killed_worker_is_made_again_and_announced_once(house: House, alice: Client) -> None:
    await emit(house, PageSeen(page="x"))
    export = await exported(house, alice)
    async with house.context(ALICE) as ctx:
        ctx.enqueue(exports.MakeExport(export_id=UUID(export["id"])))
    async with house.expect_events():
        await house.drain()


def _filters() -> st.SearchStrategy[Filters]:
    moments = st.integers(-3, 3).map(lambda hours: now() + timedelta(hours=hours))
    return st.builds(
        Filters,
        type=st.sampled_from([None, "invoice.*", "invoice.paid", "page.seen", "inv.*"]),
        actor=st.sampled_from([None, ALICE.id, BOB.id, "user", "system"]),
        subject=st.sampled_from([None, "i-1", "i-2"]),
        request_id=st.sampled_from([None, "r1"]),
        since=st.none() | moments,
        until=st.none() | moments,
        text=st.sampled_from([None, "I-1", "ü%", "_", "\\", '"', "cents", "Łó"]),
    )


@pytest.fixture
async def some_facts(house: House) -> list[bytes]:
    """Facts of every kind, as an archive would hold them."""
    for fact in (
        InvoicePaid(invoice="i-1", cents=1),
        InvoicePaid(invoice="i-2", cents=10),
        InvoiceVoided(invoice="i-1"),
        PageSeen(page='Ü% "_" \\ ŁÓŻ'),
    ):
        for who, request_id in ((ALICE, "r1"), (BOB, "r2"), (CHARLIE, "r1")):
            async with house.context(who) as ctx:
                ctx.request_id = request_id
                ctx.emit(fact)
    async with house.app.context(across=True) as ctx:
        rows = await ctx.db.raw(f"SELECT {TEXTS} FROM events e")
    return [canonical(row) for row in rows]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=_filters())
async def test_the_archive_is_filtered_as_the_database_is(
    house: House, some_facts: list[bytes], asked: Filters
) -> None:
    order = Order(UUID(int=0), ALICE.org, "jsonl", asked, now() + timedelta(hours=1))
    found = [row.id async for row in files._from_database(house.app, order)]
    rows = [(line, json.loads(line)) for line in some_facts]
    assert sorted(found) == sorted(row["id"] for line, row in rows if is_wanted(line, row, order))
