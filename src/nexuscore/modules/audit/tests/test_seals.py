"""Sealing: every event once, in commit order, whoever writes meanwhile."""

import asyncio
import random
from datetime import timedelta

import asyncpg
import pytest

from nexuscore.kernel import queue
from nexuscore.kernel.clock import now
from nexuscore.kernel.db import Scope
from nexuscore.kernel.errors import ValidationError
from nexuscore.kernel.testing import ALICE, CHARLIE, House
from nexuscore.modules.audit import seals
from nexuscore.modules.audit.rows import Entry
from nexuscore.modules.audit.seals import Token
from nexuscore.modules.audit.testing import findings, seal
from nexuscore.modules.audit.tests.owner import as_owner
from nexuscore.modules.audit.tests.shop import PageSeen

pytestmark = pytest.mark.anyio

WRITERS = 20
FACTS = 15


async def _sealed(house: House) -> list[Entry]:
    """What all seals list, in order."""
    async with house.app.context() as ctx:
        return [entry for each in await seals.after(ctx, 0, 10_000) for entry in seals.entries_of(each) or []]


async def _write(house: House, chance: random.Random, writer: int) -> None:
    """Transactions of odd lengths: some facts are written long before they are committed, some are never."""
    for number in range(FACTS):
        try:
            async with house.context(ALICE if writer % 2 else CHARLIE) as ctx:
                for part in range(chance.randint(1, 3)):
                    ctx.emit(PageSeen(page=f"{writer}.{number}.{part}"))
                await ctx.flush()
                await asyncio.sleep(chance.uniform(0, 0.05))
                if chance.random() < 0.1:
                    raise LookupError
        except LookupError:
            pass


async def _seal_meanwhile(house: House, done: asyncio.Event) -> None:
    while not done.is_set():
        await seals.seal_all(house.app)
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("batch", [3, 1000])
async def test_every_event_is_sealed_once_while_twenty_write(
    committed_house: House, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    house = committed_house
    monkeypatch.setattr(seals, "BATCH", batch)
    chance = random.Random(20261120)  # noqa: S311 - delays, not secrets
    done = asyncio.Event()
    sealers = [asyncio.create_task(_seal_meanwhile(house, done)) for _ in range(2)]
    await asyncio.gather(*(_write(house, chance, writer) for writer in range(WRITERS)))
    early = len(await _sealed(house))
    done.set()
    await asyncio.gather(*sealers)
    await seal(house)
    written = await as_owner(house, "SELECT id FROM events ORDER BY xid, id")
    listed = await _sealed(house)
    assert len(written) > WRITERS * FACTS
    assert 0 < early <= len(listed)
    assert [entry.id for entry in listed] == [row["id"] for row in written]
    assert listed == sorted(listed, key=lambda entry: entry.place)
    assert await findings(house) == []


async def test_a_late_commit_is_in_a_later_seal(committed_house: House) -> None:
    house = committed_house
    async with house.context(ALICE) as slow:
        slow.emit(PageSeen(page="slow"))
        await slow.flush()
        async with house.context(ALICE) as quick:
            quick.emit(PageSeen(page="quick"))
        assert await seal(house) == 0
    assert await seal(house) == 2
    assert await findings(house) == []


async def test_two_sealers_do_not_get_into_each_others_way(committed_house: House) -> None:
    house = committed_house
    async with house.context(ALICE) as ctx:
        ctx.emit(PageSeen(page="x"))
    async with house.app.context() as first:
        assert await seals.seal_some(first) == 1
        async with house.app.context() as second:
            assert await seals.seal_some(second) == 0
    assert len(await _sealed(house)) == 1


async def test_every_minute_a_job_seals_and_tells_the_store(committed_house: House) -> None:
    house = committed_house
    await queue.remember_schedules(house.app, now() - timedelta(minutes=5))
    async with house.context(ALICE) as ctx:
        ctx.emit(PageSeen(page="x"))
    await queue.tick(house.app, now())
    await house.drain()
    copy = (house.app.kernel.data / "audit" / "newest-seal").read_text()
    async with house.app.context() as ctx:
        shown = await seals.shown(ctx)
    assert copy == f"{shown.seal}\n"
    assert Token.parse(copy).number == 1
    assert (await _sealed(house))[0].type == "page.seen"
    answer = await house.client(ALICE).get("/events/seal")
    assert answer.json()["seal"] == shown.seal


async def test_nothing_new_makes_no_seal(committed_house: House) -> None:
    house = committed_house
    async with house.context(ALICE) as ctx:
        ctx.emit(PageSeen(page="x"))
    assert [await seal(house), await seal(house)] == [1, 0]
    async with house.app.context() as ctx:
        assert len(await seals.after(ctx, 0, 10)) == 1


@pytest.mark.parametrize("table", ["audit_seals", "audit_archived_parts"])
async def test_seals_are_append_only(committed_house: House, table: str) -> None:
    house = committed_house
    await as_owner(
        house,
        "INSERT INTO audit_archived_parts (month, part, version, file, sha256, events, types)"
        " VALUES ('2025-01-01', 1, 1, 'x', '', 1, '{}')",
    )
    async with house.context(ALICE) as ctx:
        ctx.emit(PageSeen(page="x"))
    await seal(house)
    for statement in (f"UPDATE {table} SET events = 0", f"DELETE FROM {table}", f"TRUNCATE {table}"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await as_owner(house, statement, triggers=True)
        for across in (False, True):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with house.app.database.transaction(Scope(ALICE.org, across)) as db:
                    await db.raw(statement)


async def test_an_organisation_reads_no_seals(committed_house: House) -> None:
    for table in ("audit_seals", "audit_archived_parts"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with committed_house.context(ALICE) as ctx:
                await ctx.db.raw(f"SELECT * FROM {table}")


@pytest.mark.parametrize("text", ["", "51", "x-00", "51-zz", "51-9f3c…"])
def test_what_is_no_seal_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="not a seal"):
        Token.parse(text)
