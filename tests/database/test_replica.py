"""A streaming replica answers reads that say they may lag, and nothing else; the primary does while it is away."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from nexuscore.kernel import database
from nexuscore.kernel.app import App
from nexuscore.kernel.connections import Terms
from nexuscore.kernel.db import Scope
from nexuscore.kernel.tables import APP_ROLE
from nexuscore.kernel.testing import ALICE, Client, Databases, House
from tests.database.conftest import started
from tests.database.servers import Replica, replica

pytestmark = pytest.mark.anyio


@pytest.fixture
async def behind(databases: Databases, place: str) -> AsyncIterator[Replica]:
    """A replica of the server of the tests."""
    async with replica(databases.server) as found:
        yield found


async def sees(alice: Client, path: str, notes: int) -> dict[str, object]:
    """What an operation answers, once it has seen so many notes."""
    async with asyncio.timeout(20):
        while True:
            answer = await alice.get(path)
            assert answer.status_code == 200, answer.text
            if answer.json()["notes"] == notes:
                found: dict[str, object] = answer.json()
                return found
            await asyncio.sleep(0.02)


async def paused(behind: Replica, place: str) -> None:
    """Let the replica fall behind; starting it again ends that."""
    connection = await asyncpg.connect(behind.dsn(place, "postgres"))
    await connection.execute("SELECT pg_wal_replay_pause()")
    await connection.close()


async def facts(alice: Client) -> int:
    """How many notes the log tells of, as somebody searches it."""
    answer = await alice.get("/events", params={"type": "note.created"})
    assert answer.status_code == 200, answer.text
    return len(answer.json()["data"])


async def test_reads_that_may_lag_are_the_replicas(
    composed: App, databases: Databases, place: str, behind: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen red with `replica=True` ignored, and with a replica that fails taken for a database that does."""
    monkeypatch.setattr(database, "REPLICA_REST", 0.2)
    terms = Terms(maximum=5, replica=behind.dsn(place))
    house = await started(composed, databases, place, databases.server.dsn(place, APP_ROLE), terms)
    try:
        alice = house.client(ALICE)
        assert (await alice.post("/notes", {"title": "Milk"})).status_code == 201
        assert await sees(alice, "/places/near", 1) == {"replica": False, "notes": 1}
        assert await sees(alice, "/places/far", 1) == {"replica": True, "notes": 1}
        await paused(behind, place)
        assert (await alice.post("/notes", {"title": "Late"})).status_code == 201
        assert await facts(alice) == 1, "the replica answered a search of the log: it had not heard of the second"
        assert await sees(alice, "/places/near", 2) == {"replica": False, "notes": 2}
        behind.stop()
        assert await facts(alice) == 2
        for _ in range(3):
            assert await sees(alice, "/places/far", 2) == {"replica": False, "notes": 2}
        assert (await alice.post("/notes", {"title": "Bread"})).status_code == 201
        await behind.start()
        await asyncio.sleep(0.3)
        assert await sees(alice, "/places/far", 3) == {"replica": True, "notes": 3}
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            async with house.app.database.transaction(replica=True) as db:
                await db.raw("DELETE FROM heard")
    finally:
        await composed.stop()


async def test_a_replica_that_was_never_there_is_no_reason_not_to_start(
    composed: App, databases: Databases, place: str
) -> None:
    nowhere = f"postgresql://{APP_ROLE}@127.0.0.1:1/{place}"
    terms = Terms(maximum=5, replica=nowhere)
    house = await started(composed, databases, place, databases.server.dsn(place, APP_ROLE), terms)
    try:
        answer = await house.client(ALICE).get("/places/far")
        assert (answer.status_code, answer.json()["replica"]) == (200, False)
    finally:
        await composed.stop()


async def test_in_tests_a_read_that_may_lag_cannot_write_either(house: House) -> None:
    """Else it would be found where there is a replica, and nowhere before."""
    async with house.app.database.transaction(Scope(ALICE.org), replica=True) as db:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await db.raw("UPDATE notes SET title = 'x'")
    assert (await house.client(ALICE).post("/notes", {"title": "Milk"})).status_code == 201
