"""What a request that only reads sees: each statement for itself, in its organisation, on a connection others use too.

Seen red: with transactions that do not say their organisation (the one before is seen), with a connection that keeps
what it sees but not whose it is (the next organisation sees the last one's), with pools that may write in between (the
function's row is there), and with locks taken for plain reads (the lock is free at once).
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest
from sqlalchemy import func, insert, select

from examples.notes.testing import Note
from nexuscore.kernel.connections import Terms
from nexuscore.kernel.database import Database
from nexuscore.kernel.db import Db, Scope
from nexuscore.kernel.statements import reads
from nexuscore.kernel.testing import ALICE, CHARLIE, House

pytestmark = pytest.mark.anyio
_CREATE = insert(Note).returning(Note)
_TITLES = select(Note.title).order_by(Note.title)


@pytest.fixture
async def database(committed_house: House) -> AsyncIterator[Database]:
    """One connection, for everybody."""
    for who, title in ((ALICE, "alice's"), (CHARLIE, "charlie's")):
        async with committed_house.context(who) as ctx:
            await ctx.db.one(_CREATE, title=title, body="")
    found = Database(committed_house.dsn, Terms(maximum=1))
    await found.start()
    yield found
    await found.stop()


async def seen(opened: Any) -> list[str]:
    async with opened as db:
        return [row.title for row in await db.all(_TITLES)]


async def test_everybody_sees_their_own_on_one_connection(database: Database) -> None:
    alices, charlies, nobodys = Scope(ALICE.org), Scope(CHARLIE.org), Scope()
    expected = {alices: ["alice's"], charlies: ["charlie's"], nobodys: []}
    for scope in (alices, charlies, nobodys, alices, alices, nobodys, charlies):
        assert await seen(database.reading(scope)) == expected[scope]
        for other in (nobodys, charlies, alices):
            assert await seen(database.transaction(other)) == expected[other], f"after a read of {scope}"


async def test_many_at_once_mix_nobody_up(committed_house: House) -> None:
    people = {who.name: committed_house.client(who) for who in (ALICE, CHARLIE)}

    async def write_and_list(name: str, number: int) -> set[str]:
        made = await people[name].post("/notes", {"title": f"{name} {number}"})
        assert made.status_code == 201, made.text
        listed = await people[name].get("/notes", params={"limit": 100})
        return {note["title"].split()[0] for note in listed.json()["data"]}

    found = await asyncio.gather(*(write_and_list(name, number) for number in range(20) for name in people))
    assert Counter(frozenset(each) for each in found) == {frozenset({"alice"}): 20, frozenset({"charlie"}): 20}


async def test_a_plain_read_needs_no_transaction_and_what_is_more_begins_one(database: Database) -> None:
    async def begins(db: Db, act: Any) -> bool:
        await act
        return bool(db.connection.is_in_transaction())

    async with database.reading(Scope(ALICE.org)) as db:
        assert not await begins(db, db.all(_TITLES))
        assert not await begins(db, db.value(select(func.count()).select_from(Note)))
        assert not await begins(db, db.raw("SELECT 1"))
        assert await begins(db, db.all(select(Note).with_for_update()))
    more_than_reads: list[Callable[[Db], Any]] = [
        lambda db: db.one(_CREATE, title="x", body=""),
        lambda db: db.raw("SELECT pg_advisory_xact_lock(1)"),
        lambda db: db.enter(Scope(CHARLIE.org)),
        lambda db: db.begin(),
    ]
    for more in more_than_reads:
        async with database.reading(Scope(ALICE.org)) as db:
            assert await begins(db, more(db))
    async with database.reading(Scope(ALICE.org)) as db, db.savepoint():
        assert db.connection.is_in_transaction()
    assert await seen(database.reading(Scope(ALICE.org))) == ["alice's", "x"], "the one that wrote has committed"


async def test_what_a_read_wrote_goes_with_its_error(database: Database) -> None:
    async def write_and_fail() -> None:
        async with database.reading(Scope(ALICE.org)) as db:
            await db.all(_TITLES)
            await db.one(_CREATE, title="lost", body="")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await write_and_fail()
    assert await seen(database.reading(Scope(ALICE.org))) == ["alice's"]


async def test_a_lock_that_a_read_takes_is_held(database: Database, committed_house: House) -> None:
    other = await asyncpg.connect(committed_house.dsn)
    async with database.reading(Scope()) as db:
        await db.raw("SELECT pg_advisory_xact_lock(42)")
        assert not await other.fetchval("SELECT pg_try_advisory_lock(42)")
    assert await other.fetchval("SELECT pg_try_advisory_lock(42)")
    await other.close()


async def test_a_function_that_writes_is_refused_until_the_transaction_begins(
    database: Database, committed_house: House
) -> None:
    owner = await asyncpg.connect(committed_house.owner_dsn)
    await owner.execute("CREATE TABLE scribbles (n int); GRANT ALL ON scribbles TO PUBLIC")
    await owner.execute(
        "CREATE FUNCTION scribble() RETURNS int LANGUAGE sql AS 'INSERT INTO scribbles VALUES (1) RETURNING n'"
    )
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with database.reading(Scope()) as db:
            await db.raw("SELECT scribble()")
    assert await owner.fetchval("SELECT count(*) FROM scribbles") == 0
    async with database.reading(Scope()) as db:
        await db.begin()
        await db.raw("SELECT scribble()")
    assert await owner.fetchval("SELECT count(*) FROM scribbles") == 1
    await owner.close()


async def test_a_read_that_was_stopped_leaves_nothing_behind(database: Database) -> None:
    async def slow() -> None:
        async with database.reading(Scope(CHARLIE.org)) as db:
            await db.raw("SELECT pg_sleep(30)")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await slow()
    assert await seen(database.reading(Scope(ALICE.org))) == ["alice's"]


async def test_a_scope_that_could_not_be_set_is_set_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await seen(database.reading(Scope(CHARLIE.org))) == ["charlie's"]
    with monkeypatch.context() as broken:
        broken.setattr("nexuscore.kernel.database._SEE", "SET nexus.org = {}")
        with pytest.raises(asyncpg.PostgresSyntaxError):
            await seen(database.reading(Scope(ALICE.org)))
    assert await seen(database.reading(Scope(ALICE.org))) == ["alice's"]
    assert await seen(database.reading(Scope(CHARLIE.org))) == ["charlie's"]


@pytest.mark.parametrize(
    ("sql", "plain"),
    [
        ("SELECT 1", True),
        ("\n  WITH a AS (SELECT 1) SELECT * FROM a", True),
        ("SELECT updated_at, delete_after, for_update FROM notes", True),
        ("SELECT * FROM notes FOR UPDATE", False),
        ("SELECT * FROM notes FOR NO KEY UPDATE", False),
        ("SELECT * FROM notes FOR KEY SHARE SKIP LOCKED", False),
        ("WITH a AS (DELETE FROM notes RETURNING id) SELECT * FROM a", False),
        ("SELECT nextval('s')", False),
        ("SELECT set_config('nexus.org', '', true)", False),
        ("SELECT pg_try_advisory_xact_lock(1)", False),
        ("SELECT * INTO TEMP t FROM notes", False),
        ("UPDATE notes SET title = ''", False),
        ("SET nexus.org = ''", False),
        ("EXPLAIN SELECT 1", False),
    ],
)
def test_what_plainly_reads(sql: str, plain: bool) -> None:
    assert reads(sql) is plain
