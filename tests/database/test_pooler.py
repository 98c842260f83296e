"""Through a PgBouncer in transaction mode, where each transaction may be given another connection.

Seen red with named prepared statements ("prepared statement … already exists"), with the scope set for the session
and not for the transaction (charlie read alice's notes), and with workers that LISTEN through the pooler.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator

import asyncpg
import pytest

from nexuscore.kernel.app import App
from nexuscore.kernel.connections import Terms
from nexuscore.kernel.database import Database
from nexuscore.kernel.db import Scope
from nexuscore.kernel.errors import DatabaseError
from nexuscore.kernel.queue import run_workers
from nexuscore.kernel.tables import APP_ROLE
from nexuscore.kernel.testing import ALICE, CHARLIE, ORG_A, Databases, House
from tests.database.conftest import started
from tests.database.servers import Pooler, pooler

pytestmark = pytest.mark.anyio


@pytest.fixture
def bouncer(databases: Databases) -> Iterator[Pooler]:
    """A pooler before the server of the tests."""
    with pooler(databases.server) as found:
        yield found


def pooled(databases: Databases, name: str) -> Terms:
    """As the settings make them: NEXUS_DATABASE_POOLER=transaction, and a way past it."""
    return Terms(maximum=20, statement_timeout_ms=700, pooled=True, direct=databases.server.dsn(name, APP_ROLE))


async def test_two_connections_serve_many_and_mix_nobody_up(
    composed: App, databases: Databases, place: str, bouncer: Pooler
) -> None:
    house = await started(composed, databases, place, bouncer.dsn(place), pooled(databases, place))
    try:
        people = {who.name: house.client(who) for who in (ALICE, CHARLIE)}

        async def write_and_list(name: str, number: int) -> set[str]:
            made = await people[name].post("/notes", {"title": f"{name} {number}"})
            assert made.status_code == 201, made.text
            listed = await people[name].get("/notes", params={"limit": 100})
            return {note["title"].split()[0] for note in listed.json()["data"]}

        seen = await asyncio.gather(*(write_and_list(name, number) for number in range(20) for name in people))
        assert Counter(frozenset(each) for each in seen) == {frozenset({"alice"}): 20, frozenset({"charlie"}): 20}
        await _is_bound(house)
        await _jobs_run(house)
    finally:
        await composed.stop()


async def _is_bound(house: House) -> None:
    """The role and the time-outs hold in every transaction, and no longer."""
    async with house.app.database.transaction(Scope(ORG_A)) as db:
        [row] = await db.raw(
            "SELECT current_user::text AS role, current_setting('statement_timeout') AS patience,"
            " current_setting('nexus.org') AS org"
        )
    assert (row.role, row.patience, row.org) == (APP_ROLE, "700ms", str(ORG_A))
    with pytest.raises(asyncpg.QueryCanceledError):
        async with house.app.database.transaction() as db:
            await db.raw("SELECT pg_sleep(5)")
    async with house.app.database.transaction() as db:
        assert (await db.raw("SELECT coalesce(current_setting('nexus.org', true), '') AS org"))[0].org == ""


async def _jobs_run(house: House) -> None:
    """Workers hear of jobs past the pooler."""
    stop = asyncio.Event()
    workers = asyncio.create_task(run_workers(house.app, stop, concurrency=5))
    async with asyncio.timeout(30):
        while await _waiting(house):
            await asyncio.sleep(0.05)
    stop.set()
    await workers
    async with house.app.database.transaction(Scope(across=True)) as db:
        assert (await db.raw("SELECT count(*) AS n FROM notes WHERE words IS NULL"))[0].n == 0


async def _waiting(house: House) -> int:
    async with house.app.database.transaction() as db:
        return int((await db.raw("SELECT count(*) AS n FROM pgqueuer"))[0].n)


async def test_a_pooler_that_is_gone_is_a_clear_503_and_all_is_well_when_it_is_back(
    composed: App, databases: Databases, place: str, bouncer: Pooler
) -> None:
    house = await started(composed, databases, place, bouncer.dsn(place), pooled(databases, place))
    try:
        alice, nobody = house.client(ALICE), house.client()
        assert (await alice.get("/notes")).status_code == 200
        bouncer.stop()
        for _ in range(3):
            refused = await alice.post("/notes", {"title": "Milk"})
            assert (refused.status_code, refused.json()["error_code"]) == (503, "database_error")
            assert int(refused.headers["retry-after"]) > 0
        assert (await nobody.get("/health/ready")).status_code == 503
        assert (await nobody.get("/health/live")).status_code == 200
        bouncer.start()
        assert (await alice.post("/notes", {"title": "Milk"})).status_code == 201
        async with asyncio.timeout(20):
            while (await nobody.get("/health/ready")).status_code != 200:
                await asyncio.sleep(0.1)
    finally:
        await composed.stop()


async def test_without_the_setting_a_pooler_is_refused_at_the_start(place: str, bouncer: Pooler) -> None:
    """PgBouncer knows nothing of `role`; were it ignored, statements would run as whoever was there before."""
    with pytest.raises(DatabaseError, match="unsupported startup parameter"):
        await Database(bouncer.dsn(place), Terms(minimum=1)).start()
