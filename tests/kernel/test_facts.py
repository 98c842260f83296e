"""Facts: written with the transaction, never changed, heard once, followed in commit order."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import given, strategies as st

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Scope
from nexuscore.kernel.errors import ConfigurationError, ValidationError
from nexuscore.kernel.events import Cursor, Event, follow
from nexuscore.kernel.testing import ALICE, CHARLIE, House
from tests.kernel import chores
from tests.kernel.chores import Heard, Rang

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _forget() -> None:
    chores.calls.clear()


async def test_a_fact_carries_who_what_and_when(house: House) -> None:
    async with house.context(ALICE) as ctx:
        ctx.request_id = "req-1"
        id = ctx.emit(Rang(bell="front", times=3))
    (fact,) = await house.facts(Rang)
    assert (fact.id, fact.org, fact.actor_id, fact.request_id) == (id, ALICE.org, ALICE.id, "req-1")
    assert (fact.type, fact.version, fact.subject, fact.data) == ("bell.rang", 2, "front", Rang(bell="front", times=3))
    assert (datetime.now(UTC) - fact.time).total_seconds() < 60


async def test_a_rolled_back_transaction_leaves_neither_fact_nor_job(house: House) -> None:
    async def fail() -> None:
        async with house.context(ALICE) as ctx:
            ctx.emit(Rang(bell="never"))
            ctx.enqueue(chores.Sweep(what="never"))
            await ctx.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await house.facts(Rang) == []
    assert await house.drain() == 0


@pytest.mark.parametrize("statement", ["UPDATE events SET type = 'x.y'", "DELETE FROM events", "TRUNCATE events"])
@pytest.mark.parametrize("role", ["the app", "across", "the owner"])
async def test_the_log_is_append_only(committed_house: House, statement: str, role: str) -> None:
    house = committed_house
    async with house.context(ALICE) as ctx:
        ctx.emit(Rang(bell="front"))

    async def tamper() -> None:
        if role == "the owner":
            owner = await asyncpg.connect(house.owner_dsn)
            try:
                await owner.execute(statement)
            finally:
                await owner.close()
        else:
            async with house.app.database.transaction(Scope(ALICE.org, role == "across")) as db:
                await db.raw(statement)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await tamper()
    assert len(await house.facts(Rang)) == 1


async def test_each_listener_hears_each_fact_once(house: House) -> None:
    async with house.context(ALICE) as ctx:
        ctx.emit(Rang(bell="front"))
    await house.drain()
    fact = (await house.facts(Rang))[0]
    async with house.context(ALICE) as ctx:  # the same fact told again, as after a crash
        again = ctx.app.workers["kernel.listen"].job.model_validate({"event_id": fact.id, "time": fact.time})
        ctx.enqueue(again)
    assert await house.drain() == 1
    assert [heard.body["who"] for heard in await house.facts(Heard)] == ["first", "second"]


async def test_a_failing_listener_is_told_again_and_holds_up_nobody(house: House) -> None:
    async with house.context(ALICE) as ctx:
        ctx.emit(Rang(bell="cracked"))
    await house.drain()
    assert [heard.body["who"] for heard in await house.facts(Heard)] == ["first"]
    for _ in range(2):
        await _hurry(house)
        await house.drain()
    assert [heard.body["who"] for heard in await house.facts(Heard)] == ["first", "second"]


async def _hurry(house: House) -> None:
    async with house.app.database.transaction() as db:
        await db.raw("UPDATE pgqueuer SET execute_after = now() WHERE status = 'queued'")


async def test_a_fact_of_an_older_version_is_brought_up_to_date(house: House) -> None:
    async with house.app.database.transaction(Scope(across=True)) as db:
        await db.raw(
            "INSERT INTO events (id, time, actor_kind, type, version, data, request_id)"
            " VALUES ($1, now(), 'system', 'bell.rang', 1, '{\"bell\": \"old\"}', '')",
            uuid4(),
        )
    (fact,) = await house.facts(Rang)
    assert fact.data == Rang(bell="old", times=1)


async def test_another_organisation_reads_no_facts(house: House) -> None:
    async with house.context(ALICE) as ctx:
        ctx.emit(Rang(bell="front"))
    async with house.context(ALICE) as ctx:
        assert len(await ctx.db.raw("SELECT * FROM events")) == 1
    async with house.context(CHARLIE) as ctx:
        assert await ctx.db.raw("SELECT * FROM events") == []
    async with house.app.database.transaction() as db:
        assert await db.raw("SELECT * FROM events") == []


@pytest.mark.parametrize("across", [False, True])
async def test_a_part_of_the_log_is_no_way_around_its_policies(house: House, across: bool) -> None:
    async with house.context(CHARLIE) as ctx:
        parts = await ctx.db.raw(
            "SELECT inhrelid::regclass AS name FROM pg_inherits WHERE inhparent = 'events'::regclass"
        )
    assert len(parts) == 5
    for part in parts:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with house.context(CHARLIE, across=across) as ctx:
                await ctx.db.raw(f'SELECT FROM "{part.name}"')


async def test_a_late_commit_is_never_skipped(committed_house: House) -> None:
    """The first writer commits last. A reader by id or time would pass it by."""
    house = committed_house
    app = house.app
    async with app.context(across=True) as reader:
        start = (await follow(reader.db, app.event_types, Cursor()))[-1:]
    place = start[0][0] if start else Cursor()
    async with app.context(org=ALICE.org) as slow:
        slow.emit(Rang(bell="slow"))
        await slow.flush()
        async with app.context(org=ALICE.org) as quick:
            quick.emit(Rang(bell="quick"))
        async with app.context(across=True) as reader:
            early = await follow(reader.db, app.event_types, place)
    async with app.context(across=True) as reader:
        late = await follow(reader.db, app.event_types, early[-1][0] if early else place)
    assert [fact.subject for _, fact in (*early, *late)] == ["slow", "quick"]


@given(st.integers(0, 2**63), st.uuids())
def test_a_cursor_survives_being_text(xid: int, id: UUID) -> None:
    assert Cursor.parse(str(Cursor(xid, id))) == Cursor(xid, id)


@pytest.mark.parametrize("text", ["", "x", "1-", "-1", "1-zz", "1", "é-00"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Cursor.parse(text)


def test_an_event_without_a_dotted_type_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match="dotted type"):
        type("Nameless", (Event,), {"__module__": __name__})


async def test_facts_in_another_organisation_belong_to_it(house: House) -> None:
    async def ring(ctx: Ctx) -> None:
        async with ctx.in_org(CHARLIE.org or ctx.org or uuid4()) as there:
            there.emit(Rang(bell="there"))
        ctx.emit(Rang(bell="here"))

    async with house.context(ALICE) as ctx:
        await ring(ctx)
    assert {fact.subject: fact.org for fact in await house.facts(Rang)} == {"there": CHARLIE.org, "here": ALICE.org}
