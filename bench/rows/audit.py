"""What a fact costs the request that announces it: one operation with and without, a slice each in turns.

Both write a row, as requests with something to announce do. What is added is the difference of two slices of one round,
in CPU of the server, and of PostgreSQL, which writes the fact and its indexes.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import asyncpg
import psutil

from bench.figures import Figure, Target
from bench.load import load, request
from bench.row import Row, Run
from bench.stage import TOKEN, family, folder, free_port, running, wait_for
from bench.told.main import TABLE, app
from nexuscore.kernel import migrate, postgres
from nexuscore.kernel.tables import APP_ROLE

MICROSECONDS = 1_000_000
TURNS = 2  # to a round: what is looked for is small
THING = json.dumps({"id": str(UUID(int=7)), "title": "Thing of a bench"}).encode()
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


async def _added(run: Run) -> list[Figure]:
    silent, told = (request("POST", f"/api/v1/bench/{name}", HEADERS, THING) for name in ("silent", "told"))
    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    with folder() as data:
        database = await postgres.start(data, owner="make bench")
        try:
            await migrate.upgrade(app, database.dsn())
            await _prepare(database.dsn())
            with _serving(database) as (server, port):
                for each in (silent, told):
                    await load(port, [each], run.warm_up)
                for number in range(run.rounds * TURNS):
                    pair = [silent, told] if number % 2 else [told, silent]
                    spent = {each: await _slice(server, database, port, each, run.seconds) for each in pair}
                    ours.append((spent[silent][0], spent[told][0]))
                    theirs.append((spent[silent][1], spent[told][1]))
        finally:
            await database.stop()
    added = tuple(with_fact - without for without, with_fact in ours)
    return [
        Figure("a request that writes a row", "CPU µs", tuple(without for without, _ in ours)),
        Figure("the same with one fact", "CPU µs", tuple(with_fact for _, with_fact in ours)),
        Figure("the fact adds", "CPU µs", added, Target(60)),
        Figure("the fact adds", "PostgreSQL's CPU µs", tuple(told - silent for silent, told in theirs)),
    ]


async def _prepare(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(TABLE)
    finally:
        await connection.close()


async def _slice(
    server: psutil.Process, database: postgres.Server, port: int, asked: bytes, seconds: float
) -> tuple[float, float]:
    """CPU microseconds per request: the server's, and PostgreSQL's."""
    processes = family(server), family(psutil.Process(database.pid))
    before = [sum(map(_cpu, each)) for each in processes]
    done = await load(port, [asked], seconds)
    after = [sum(map(_cpu, each)) for each in processes]
    ours, theirs = ((end - start) / done.requests * MICROSECONDS for start, end in zip(before, after, strict=True))
    return ours, theirs


def _cpu(process: psutil.Process) -> float:
    try:
        return float(sum(process.cpu_times()[:2]))
    except psutil.NoSuchProcess:
        return 0.0


@contextmanager
def _serving(database: postgres.Server) -> Iterator[tuple[psutil.Process, int]]:
    port = free_port()
    dsn, owner = database.dsn(user=APP_ROLE), database.dsn()
    environment = {"PORT": str(port), "DATABASE_URL": dsn, "DATABASE_OWNER_URL": owner, "NEXUS_DEV_TOKEN": TOKEN}
    with running([sys.executable, "-m", "bench.told.main"], environment) as server:
        wait_for(server, port, "/health/ready")
        yield server, port


ROWS = [Row("audit", "What a fact adds", _added)]
