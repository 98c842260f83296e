"""Whoever owns the database changes the log, with triggers switched off. Each time verifying names what was done."""

import hashlib
import json
import zlib
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from nexuscore.kernel.crypto import Keyring
from nexuscore.kernel.testing import ALICE, CHARLIE, House
from nexuscore.modules.audit import seals
from nexuscore.modules.audit.rows import TEXTS, Entry, canonical
from nexuscore.modules.audit.seals import NOTHING, PURPOSE
from nexuscore.modules.audit.testing import Finding, findings, seal
from nexuscore.modules.audit.tests.owner import as_owner
from nexuscore.modules.audit.tests.shop import InvoicePaid, PageSeen

pytestmark = pytest.mark.anyio

ODD = ['ü "quoted"\n', "\u2028", "=1+1", "\x7f", "x" * 5000]


@pytest.fixture
async def house(committed_house: House) -> House:
    """Six facts in three seals, and one that is not sealed."""
    house = committed_house
    for number in range(3):
        async with house.context(ALICE) as ctx:
            ctx.emit(InvoicePaid(invoice=f"i-{number}", cents=number))
            ctx.emit(PageSeen(page=ODD[number]))
        await seal(house)
    async with house.context(CHARLIE) as ctx:
        ctx.emit(PageSeen(page=ODD[3] + ODD[4]))
    return house


async def rows(house: House) -> list[Any]:
    return await as_owner(house, "SELECT id, type, time FROM events ORDER BY xid, id")


def said(found: list[Finding]) -> list[tuple[str, UUID | None]]:
    return [(finding.kind, finding.id) for finding in found]


async def test_an_untouched_log_is_clean(house: House) -> None:
    assert await findings(house) == []
    assert await findings(house, against=await newest(house)) == []


async def newest(house: House) -> str:
    async with house.app.context() as ctx:
        return (await seals.shown(ctx)).seal


CHANGES = (
    "data = jsonb_set(data, '{cents}', '99')",
    "data = data || '{\"more\": null}'",
    "actor_id = NULL",
    "actor_kind = 'system'",
    "org_id = NULL",
    "type = 'invoice.voided'",
    "version = 2",
    "subject = 'i-9'",
    "request_id = 'another'",
    "ip = '10.0.0.1'",
    "time = time - interval '1 microsecond'",
)


async def test_a_changed_row_is_named_whatever_was_changed(house: House) -> None:
    row = (await rows(house))[2]
    for change in CHANGES:
        await as_owner(house, "CREATE TABLE kept AS SELECT * FROM events WHERE id = $1", row["id"])
        assert await as_owner(house, f"UPDATE events SET {change} WHERE id = $1 RETURNING id", row["id"])
        (finding,) = await findings(house)
        assert (finding.kind, finding.id, finding.type) == ("changed", row["id"], "invoice.paid"), change
        assert finding.time == row["time"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        assert str(row["id"]) in str(finding)
        await as_owner(house, "DELETE FROM events WHERE id = $1", row["id"])
        await as_owner(house, "INSERT INTO events SELECT * FROM kept")
        await as_owner(house, "DROP TABLE kept")
        assert await findings(house) == []


async def test_a_deleted_row_is_named(house: House) -> None:
    row = (await rows(house))[3]
    assert await as_owner(house, "DELETE FROM events WHERE id = $1 RETURNING id", row["id"])
    (finding,) = await findings(house)
    assert (finding.kind, finding.id, finding.type) == ("removed", row["id"], "page.seen")
    assert finding.time == row["time"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_INSERT = (
    "INSERT INTO events (id, time, org_id, actor_kind, type, version, data, request_id, xid)"
    " SELECT uuidv7(), {time}, org_id, actor_kind, 'invoice.paid', 1, '{{}}', '', {xid} FROM events"
    " ORDER BY events.xid LIMIT 1 OFFSET 2 RETURNING id"
)


@pytest.mark.parametrize(
    ("time", "xid", "kind"),
    [
        ("time", "events.xid", "inserted"),
        ("time - interval '400 days'", "events.xid", "inserted"),
        ("time", "'3'::xid8", "inserted"),
        ("time", "'4611686018427387904'::xid8", "inserted"),
        ("time - interval '2 days'", "pg_current_xact_id()", "backdated"),
        ("'infinity'", "events.xid", "inserted"),
    ],
)
async def test_an_inserted_row_is_named(house: House, time: str, xid: str, kind: str) -> None:
    (row,) = await as_owner(house, _INSERT.format(time=time, xid=xid))
    assert said(await findings(house)) == [(kind, row["id"])]


async def test_a_backdated_row_is_named_when_it_has_been_sealed_too(house: House) -> None:
    (row,) = await as_owner(house, _INSERT.format(time="time - interval '2 days'", xid="pg_current_xact_id()"))
    await seal(house)
    assert said(await findings(house)) == [("backdated", row["id"])]


async def test_the_app_itself_cannot_backdate_unseen(house: House) -> None:
    async with house.app.context(org=ALICE.org) as ctx:
        ctx.now -= timedelta(days=40)
        id = ctx.emit(PageSeen(page="long ago"))
    assert said(await findings(house)) == [("backdated", id)]


async def test_a_second_row_of_the_same_id_is_named(house: House) -> None:
    row = (await rows(house))[0]
    await as_owner(
        house,
        "INSERT INTO events SELECT (jsonb_populate_record(e, jsonb_build_object('time', e.time + interval '1 s'))).*"
        " FROM events e WHERE e.id = $1",
        row["id"],
    )
    assert said(await findings(house)) == [("inserted", row["id"])]


@pytest.mark.parametrize("column", ["data", "id", "time"])
async def test_two_swapped_rows_are_named(house: House, column: str) -> None:
    one, other = (await rows(house))[0], (await rows(house))[3]
    swap = f"UPDATE events e SET {column} = o.{column} FROM events o WHERE (e.id, o.id) IN (($1, $2), ($2, $1))"
    await as_owner(house, swap, one["id"], other["id"])
    assert {finding.id for finding in await findings(house)} == {one["id"], other["id"]}


async def test_rows_swapped_between_seals_are_named(house: House) -> None:
    one, other = (await rows(house))[0], (await rows(house))[4]
    await as_owner(
        house,
        "UPDATE events e SET xid = o.xid FROM events o WHERE (e.id, o.id) IN (($1, $2), ($2, $1))",
        one["id"],
        other["id"],
    )
    assert {finding.id for finding in await findings(house)} == {one["id"], other["id"]}


async def test_a_dropped_month_is_named_row_by_row(house: House) -> None:
    gone = [row["id"] for row in await rows(house)][:6]
    (part,) = await as_owner(house, "SELECT DISTINCT tableoid::regclass::text AS name FROM events")
    await as_owner(house, f'DROP TABLE "{part["name"]}"')
    assert said(await findings(house)) == [("removed", id) for id in gone]


async def test_many_missing_rows_are_all_named(house: House) -> None:
    await as_owner(house, "DELETE FROM events")
    assert len(await findings(house)) == 6


@pytest.mark.parametrize(
    ("attack", "what"),
    [
        ("DELETE FROM audit_seals WHERE number = 3", "seal 3 is missing: there is a copy of it in the store"),
        ("DELETE FROM audit_seals WHERE number = 2", "seal 2 is missing"),
        ("DELETE FROM audit_seals WHERE number = 1", "seal 1 is missing"),
        ("DELETE FROM audit_seals WHERE number < 3", "seals 1 to 2 are missing"),
        ("DELETE FROM audit_seals", "seal 3 is missing: there is a copy of it in the store"),
        ("UPDATE audit_seals SET sealed_at = sealed_at - interval '1 day' WHERE number = 2", "seal 2 was changed"),
        ("UPDATE audit_seals SET hash = sha256('x') WHERE number = 2", "seal 2 was changed"),
        ("UPDATE audit_seals SET root = sha256('x') WHERE number = 2", "the list of seal 2 was changed"),
        ("UPDATE audit_seals SET entries = '' WHERE number = 2", "the list of seal 2 was changed"),
        ("UPDATE audit_seals SET previous = sha256('x') WHERE number = 3", "seal 3 does not follow the one before"),
        ("UPDATE audit_seals SET signature = 'x' WHERE number = 3", "seal 3 and all after it are not signed"),
    ],
)
async def test_a_seal_that_was_touched_is_named(house: House, attack: str, what: str) -> None:
    await as_owner(house, attack)
    found = await findings(house)
    assert any(what in str(finding) for finding in found), found
    assert all(finding.kind == "seal" for finding in found), "rows that nobody touched are not named"


async def test_a_chain_that_was_forged_throughout_is_not_signed(house: House) -> None:
    """Somebody with the database and this code, but without the secret key, changes a fact and seals it all anew."""
    kept = await newest(house)
    row = (await rows(house))[2]
    await as_owner(house, "UPDATE events SET data = jsonb_set(data, '{cents}', '99') WHERE id = $1", row["id"])
    await forge(house, Keyring.from_secrets("guessed " * 8))
    found = await findings(house)
    assert [finding.what for finding in found] == [
        "seal 3 is another one than its copy in the store",
        "seal 1 and all after it are not signed with a key of this app",
    ]
    assert "kept elsewhere" in str((await findings(house, against=kept))[0])


async def test_a_chain_forged_with_the_key_and_the_store_does_not_fit_a_seal_kept_elsewhere(house: House) -> None:
    kept = await newest(house)
    row = (await rows(house))[2]
    await as_owner(house, "UPDATE events SET data = jsonb_set(data, '{cents}', '99') WHERE id = $1", row["id"])
    await forge(house, house.app.keyring)
    await seals.remember(house.app)
    assert await findings(house) == []
    (finding,) = await findings(house, against=kept)
    assert str(finding) == "seal       seal 3 is another one than its copy kept elsewhere"


async def forge(house: House, keyring: Keyring) -> None:
    """Make every seal again over the rows as they are."""
    previous = NOTHING
    async with house.app.context() as ctx:
        old = await seals.after(ctx, 0, 100)
    for each in old:
        ids = [entry.id for entry in seals.entries_of(each) or []]
        there = await as_owner(house, f"SELECT {TEXTS} FROM events e WHERE e.id = ANY($1) ORDER BY e.xid, e.id", ids)
        listed = "".join(Entry.of(row, canonical(row)).written() for row in there).encode()
        root = hashlib.sha256(listed).digest()
        made = seals.digest(
            number=each.number,
            sealed_at=each.sealed_at,
            events=each.events,
            last_xid=each.last_xid,
            last_id=each.last_id,
            root=root,
            previous=previous,
        )
        await as_owner(
            house,
            "UPDATE audit_seals SET (root, previous, hash, signature, entries) = ($2, $3, $4, $5, $6) WHERE number=$1",
            *(each.number, root, previous, made, keyring.sign(PURPOSE, made), zlib.compress(listed)),
        )
        previous = made


async def test_seals_of_an_earlier_key_are_covered_by_the_newest(house: House) -> None:
    await as_owner(house, "UPDATE audit_seals SET signature = 'of a key that is gone' WHERE number < 3")
    assert await findings(house) == []


async def test_a_deleted_last_seal_is_found_even_when_its_events_were_sealed_again(house: House) -> None:
    kept = await newest(house)
    await as_owner(house, "DELETE FROM audit_seals WHERE number = 3")
    assert [finding.kind for finding in await findings(house)] == ["seal"]
    await seals.seal_all(house.app)
    assert [finding.what for finding in await findings(house)] == ["seal 3 is another one than its copy in the store"]
    await seals.remember(house.app)
    assert [finding.what for finding in await findings(house, against=kept)] == [
        "seal 3 is another one than its copy kept elsewhere"
    ]


def test_the_canonical_form_never_changes() -> None:
    """Seals of earlier years depend on it, byte for byte."""
    row = {
        "id": "01890000-0000-7000-8000-000000000001",
        "time": "2026-11-20T12:00:00.000001Z",
        "type": "note.created",
        "version": 1,
        "subject": 'ü "q"',
        "org_id": None,
        "actor_kind": "user",
        "actor_id": "01890000-0000-7000-8000-000000000002",
        "request_id": "r",
        "ip": "10.0.0.1",
        "xid": "17",
        "data": '{"a": 1.10, "b": "\\n"}',
    }
    line = canonical(row)
    assert line.decode() == (
        '{"id":"01890000-0000-7000-8000-000000000001","time":"2026-11-20T12:00:00.000001Z","type":"note.created",'
        '"version":1,"subject":"ü \\"q\\"","org_id":null,"actor_kind":"user",'
        '"actor_id":"01890000-0000-7000-8000-000000000002","request_id":"r","ip":"10.0.0.1","xid":"17",'
        '"data":{"a": 1.10, "b": "\\n"}}'
    )
    assert json.loads(line)["subject"] == 'ü "q"'
    entry = Entry.of(row, line)
    assert Entry.read(entry.written()[:-1]) == entry
