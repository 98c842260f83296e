"""Old months leave the database for the archive, and what need not be kept leaves the archive."""

import asyncio
import gzip
import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, timedelta

import asyncpg
import pytest
from hypothesis import given, strategies as st

from nexuscore.kernel import clock
from nexuscore.kernel.app import compose
from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.db import Scope
from nexuscore.kernel.settings import KernelSettings, load
from nexuscore.kernel.testing import ALICE, CHARLIE, House
from nexuscore.modules.audit import archives, retention, store
from nexuscore.modules.audit.module import module
from nexuscore.modules.audit.retention import Retention, days_of, floor_of, following, is_over, matches
from nexuscore.modules.audit.seals import Token
from nexuscore.modules.audit.settings import AuditSettings
from nexuscore.modules.audit.testing import findings, seal
from nexuscore.modules.audit.tests.months import in_database, month_of, run_daily, write_long_ago
from nexuscore.modules.audit.tests.owner import as_owner
from nexuscore.modules.audit.tests.shop import InvoicePaid, PageSeen, ParcelSent, module as shop
from nexuscore.modules.audit.verify import Verification

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(committed_house: House) -> House:
    """Money, a parcel and a page eight months ago, a parcel last week; sealed."""
    house = committed_house
    month = month_of(250)
    await write_long_ago(house, month, InvoicePaid(invoice="i-1", cents=1), ParcelSent(parcel="p-1", to="ü\n\u2028"))
    await write_long_ago(house, month, PageSeen(page="one"), InvoicePaid(invoice="i-2", cents=2), who=CHARLIE)
    async with house.context(ALICE) as ctx:
        ctx.emit(ParcelSent(parcel="p-2", to="Ada"))
    await seal(house)
    return house


@pytest.fixture
def later() -> Iterator[FakeClock]:
    """A clock that can be moved on."""
    with clock.fake(clock.now()) as moved:
        yield moved


async def test_an_old_month_moves_to_the_archive_and_stays_verifiable(house: House) -> None:
    before = await in_database(house)
    assert before == ["invoice.paid", "parcel.sent", "page.seen", "invoice.paid", "parcel.sent"]
    await run_daily(house)
    assert await in_database(house) == ["parcel.sent", "audit.month_archived"]
    (fact,) = [each for each in await house.facts() if each.type == "audit.month_archived"]
    assert fact.body == {"month": str(month_of(250)), "events": 3, "parts": 1, "let_go": {"page.seen": 1}}
    await seal(house)
    run = Verification(house.app)
    assert [finding async for finding in run.findings()] == []
    assert (run.in_database, run.in_archive, run.let_go) == (2, 3, 1)
    assert await store.names(house.app, "archive/") == [f"archive/{month_of(250):%Y-%m}/0001.1.jsonl.gz"]


async def test_an_archive_is_read_with_ordinary_tools(house: House) -> None:
    rows = await as_owner(house, "SELECT id FROM events ORDER BY xid, id LIMIT 2")
    await run_daily(house)
    (name,) = await store.names(house.app, "archive/")
    header, *lines = gzip.decompress(await store.get(house.app, name)).split(b"\n")[:-1]
    assert [json.loads(line)["id"] for line in lines[:2]] == [str(row["id"]) for row in rows]
    said = json.loads(header)
    assert (said["format"], said["part"]) == ("nexus-events-1", 1)
    (listed,) = await as_owner(house, "SELECT number, root, hash, entries FROM audit_seals")
    assert said["seals"] == [{"number": 1, "root": listed["root"].hex(), "hash": listed["hash"].hex()}]
    assert hashlib.sha256(lines[0]).hexdigest() in _entries(listed["entries"])


def _entries(compressed: bytes) -> str:
    import zlib

    return zlib.decompress(compressed).decode()


async def test_what_was_let_go_a_moment_ago_is_not_missed(house: House) -> None:
    """The fact that says so is not sealed yet."""
    await run_daily(house)
    assert await findings(house) == []
    await as_owner(house, "DELETE FROM events WHERE type = 'audit.month_archived'")
    assert [(finding.kind, finding.type) for finding in await findings(house)] == [("removed", "page.seen")]


async def test_a_month_that_is_not_sealed_stays(committed_house: House) -> None:
    house = committed_house
    await write_long_ago(house, month_of(250), InvoicePaid(invoice="i-1", cents=1))
    await run_daily(house)
    assert await in_database(house) == ["invoice.paid"]
    await seal(house)
    await run_daily(house)
    assert await in_database(house) == ["audit.month_archived"]


async def test_a_month_of_which_nothing_is_kept_is_a_file_without_events(committed_house: House) -> None:
    house = committed_house
    await write_long_ago(house, month_of(250), PageSeen(page="one"))
    await seal(house)
    await run_daily(house)
    await seal(house)
    assert await in_database(house) == ["audit.month_archived"]
    assert await findings(house) == []


async def test_a_young_month_stays(committed_house: House) -> None:
    house = committed_house
    await write_long_ago(house, month_of(150), InvoicePaid(invoice="i-1", cents=1))
    await seal(house)
    await run_daily(house)
    assert await in_database(house) == ["invoice.paid"]


async def test_an_empty_month_is_let_go(committed_house: House) -> None:
    house = committed_house
    await write_long_ago(house, month_of(250))
    await run_daily(house)
    await seal(house)
    assert await in_database(house) == ["audit.month_archived"]
    assert await findings(house) == []


async def test_a_large_month_is_several_files(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "PART_BYTES", 300)
    monkeypatch.setattr(archives, "_PAGE", 1)
    await run_daily(house)
    await seal(house)
    assert len(await store.names(house.app, "archive/")) == 3
    assert await findings(house) == []


async def test_what_need_not_be_kept_leaves_the_archive_and_money_stays(house: House, later: FakeClock) -> None:
    await run_daily(house)
    await seal(house)
    later.advance(days=200)
    await run_daily(house)
    await seal(house)
    (pruned,) = [fact for fact in await house.facts() if fact.type == "audit.archive_pruned"]
    assert pruned.body == {"month": str(month_of(450)), "let_go": {"parcel.sent": 1}}
    assert await findings(house) == []
    assert await _archived_types(house) == {"invoice.paid"}
    await run_daily(house)
    (name,) = await store.names(house.app, f"archive/{month_of(450):%Y-%m}")
    assert name.endswith("0001.2.jsonl.gz"), "the file before is removed once the new one counts"
    later.advance(days=2555 - 450)
    await run_daily(house)
    assert "invoice.paid" in await _archived_types(house)
    later.advance(days=60)
    await run_daily(house)
    await seal(house)
    assert "invoice.paid" not in await _archived_types(house)
    assert await findings(house) == []


async def _archived_types(house: House) -> set[str]:
    async with house.app.context() as ctx:
        found = await archives.parts(ctx)
    lines = [line for files in found.values() for file in files for line in await archives.lines(house.app, file)]
    return {json.loads(line)["type"] for line in lines} - {"audit.month_archived", "audit.archive_pruned"}


async def test_letting_money_go_too_early_is_found_though_a_fact_says_so(house: House) -> None:
    """Somebody with the code of the app, its database and its files runs it with another idea of retention."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archives, "is_over", lambda app, type, month, today: True)
        await run_daily(house)
    await seal(house)
    found = await findings(house)
    assert {finding.type for finding in found} == {"invoice.paid"}
    assert all("before its time" in finding.what for finding in found)


# --- the archive attacked -------------------------------------------------------------------------


async def _rewrite(house: House, change: object, *, record: bool) -> None:
    """Change the lines of the archive's file; with `record`, let the table say the new file is the right one."""
    (name,) = await store.names(house.app, "archive/")
    lines = gzip.decompress(await store.get(house.app, name)).split(b"\n")
    content = gzip.compress(b"\n".join(change(lines)))  # type: ignore[operator]  # a function of lines
    await store.put(house.app, name, content)
    if record:
        await as_owner(house, "UPDATE audit_archived_parts SET sha256 = $1", hashlib.sha256(content).digest())


ATTACKS = {
    "changed": lambda lines: [lines[0], lines[1].replace(b'"cents": 1', b'"cents": 9'), *lines[2:]],
    "removed": lambda lines: [lines[0], *lines[2:]],
    "inserted": lambda lines: [*lines[:-1], lines[1].replace(b'"id":"0', b'"id":"f'), b""],
    "swapped": lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
    "broken": lambda lines: [lines[0], b"{", *lines[2:]],
}


@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize("attack", ATTACKS)
async def test_an_edited_archive_is_named(house: House, attack: str, record: bool) -> None:
    first = (await as_owner(house, "SELECT id FROM events ORDER BY xid, id"))[0]["id"]
    await run_daily(house)
    await seal(house)
    await _rewrite(house, ATTACKS[attack], record=record)
    found = await findings(house)
    files = [finding for finding in found if finding.kind == "file" and "is not the file" in finding.what]
    assert bool(files) is not record
    events = {finding.kind: finding.id for finding in found if finding.id is not None}
    if attack == "inserted":
        assert str(events["inserted"]).startswith("f")
    elif attack == "broken":
        assert any("cannot be read" in finding.what for finding in found)
        assert events["removed"] == first
    else:
        assert first in events.values()
        assert set(events) <= {attack, "removed", "inserted"}


async def test_a_damaged_or_missing_file_is_named_with_its_events(house: House) -> None:
    await run_daily(house)
    await seal(house)
    (name,) = await store.names(house.app, "archive/")
    content = await store.get(house.app, name)
    await store.put(house.app, name, content[:-9])
    assert f"file       {name} cannot be read" in [str(finding) for finding in await findings(house)]
    await store.remove(house.app, name)
    found = await findings(house)
    assert str(found[0]) == f"file       {name} is missing"
    assert [finding.kind for finding in found[1:]] == ["removed"] * 3
    await store.put(house.app, name, content)
    assert await findings(house) == []


async def test_a_fact_put_back_into_an_archived_month_is_named(house: House) -> None:
    await run_daily(house)
    await seal(house)
    async with house.context(ALICE) as ctx:
        ctx.now -= timedelta(days=250)
        id = ctx.emit(InvoicePaid(invoice="i-9", cents=9))
    for _ in range(2):
        assert [(finding.kind, finding.id) for finding in await findings(house)] == [("backdated", id)]
        await seal(house)


# --- what the app's role may not do ---------------------------------------------------------------


@pytest.mark.parametrize("across", [False, True])
async def test_the_app_cannot_drop_what_is_not_archived(house: House, across: bool) -> None:
    month = month_of(250)
    for given_month, count in ((month, 4), (month, 0), (month_of(0), 0), (date(1999, 1, 1), 0), (month_of(250), 99)):
        with suppress(asyncpg.InsufficientPrivilegeError), pytest.raises(asyncpg.PostgresError):
            async with house.app.database.transaction(Scope(ALICE.org, across)) as db:
                await db.raw("SELECT audit_drop_month($1, $2)", given_month, count)
    assert len(await in_database(house)) == 5


async def test_nothing_moves_while_somebody_reads(house: House) -> None:
    async with archives.held(house.app):
        await run_daily(house)
        assert len(await in_database(house)) == 5
    await as_owner(house, "UPDATE pgqueuer SET execute_after = now()")
    await house.drain()
    assert len(await in_database(house)) == 2


async def test_writers_go_on_while_a_month_moves(house: House) -> None:
    """A transaction that has written holds the month up; those after it write on, and the month goes later."""
    async with house.context(ALICE) as slow:
        slow.emit(PageSeen(page="slow"))
        await slow.flush()
        moving = asyncio.create_task(run_daily(house))
        for number in range(20):
            async with asyncio.timeout(5), house.context(ALICE) as ctx:
                ctx.emit(PageSeen(page=str(number)))
            await asyncio.sleep(0.05)
        await moving
    assert len(await in_database(house)) == 26
    await as_owner(house, "UPDATE pgqueuer SET execute_after = now()")
    await house.drain()
    assert len(await in_database(house)) == 23


# --- how long -------------------------------------------------------------------------------------

APP = compose(
    [module, shop], settings=load([KernelSettings, AuditSettings], environ={"NEXUS_ENV": "test"}, env_file=None)
)
TYPES = ("invoice.paid", "payment.failed", "access.denied", "user.signed_in", "role.changed", "fee.changed")


@pytest.mark.parametrize(
    ("type", "days"),
    [
        ("invoice.paid", 2555),
        ("access.denied", 2555),
        ("audit.export_ready", 2555),
        ("audit.month_archived", retention.FOREVER),
        ("page.seen", 30),
        ("parcel.sent", 365),
        ("invoices.listed", 365),
    ],
)
def test_how_long_facts_are_kept(type: str, days: int) -> None:
    assert days_of(APP, type) == days


@given(st.sampled_from(TYPES), st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.integers(0, 2554))
def test_nothing_is_over_below_its_floor(type: str, month: date, days: int) -> None:
    month = month.replace(day=1)
    assert floor_of(APP, type) == 2555
    assert not is_over(APP, type, month, following(month) + timedelta(days=days))
    assert is_over(APP, type, month, following(month) + timedelta(days=2555))


@given(st.sampled_from(["a.b", "a.*", "*", "a.b.*", "ab.*"]), st.sampled_from(["a.b", "a.b.c", "ab.c", "a"]))
def test_a_pattern_is_a_type_a_family_or_all(pattern: str, type: str) -> None:
    expected = pattern == "*" or pattern == type or (pattern[-1] == "*" and type.startswith(pattern[:-1]))
    assert matches(pattern, type) is expected
    assert Retention(pattern).covers(type) is expected


@pytest.mark.parametrize("name", ["NEXUS_AUDIT_FLOOR_DAYS", "NEXUS_AUDIT_ARCHIVE_AFTER_DAYS"])
def test_a_setting_does_not_go_below_the_floor(name: str) -> None:
    with pytest.raises(Exception, match=name):
        load([KernelSettings, AuditSettings], environ={"NEXUS_ENV": "test", name: "61"}, env_file=None)


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../b", "a//b", ".x", "a/", "A", "a\n"])
async def test_a_name_of_the_store_stays_in_its_folder(house: House, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        await store.put(house.app, name, b"x")


def test_a_seal_survives_being_text() -> None:
    token = Token(51, bytes(range(32)))
    assert Token.parse(f" {token}\n") == token
