"""What one thing adds to a request: the request with and without it, a slice each in turns.

Both write a row, as requests with something to announce do. What is added is the difference of two slices of one round,
in CPU of the server, and of PostgreSQL.
"""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import process_time
from uuid import UUID, uuid4

import asyncpg
import psutil
from pwdlib.hashers.argon2 import Argon2Hasher

from bench.figures import Figure, Target
from bench.load import load, request
from bench.pairs.main import TABLE, app
from bench.row import Row, Run
from bench.stage import ROOT, TOKEN, WIDE, StageError, family, folder, free_port, running, wait_for
from nexuscore.kernel import migrate, postgres
from nexuscore.kernel.tables import APP_ROLE

MICROSECONDS = 1_000_000
TURNS = 2  # to a round: what is looked for is small
KEYS = 50_000  # more than a slice can ask with
SIGN_INS = 6  # to a round
THING = json.dumps({"id": str(UUID(int=7)), "title": "Thing of a bench"}).encode()
DEVELOPER = {"Authorization": f"Bearer {TOKEN}"}
ALICE = {"email": "alice@example.com", "password": "All work and no play makes 7"}
UNLIMITED = dict.fromkeys(("NEXUS_IDENTITY_SIGN_IN_PER_MINUTE", "NEXUS_IDENTITY_SIGN_IN_FAILURES_PER_DAY"), "1000000")


@dataclass(frozen=True, slots=True)
class Place:
    """The app of pairs as it runs, the database beside it, and the headers of a person who signed in to it."""

    server: psutil.Process
    port: int
    database: postgres.Server
    member: dict[str, str]

    async def slice(self, asked: Sequence[bytes], seconds: float) -> tuple[float, float]:
        """CPU microseconds per request: the server's, and PostgreSQL's."""
        processes = family(self.server), family(psutil.Process(self.database.pid))
        before = [sum(map(_cpu, each)) for each in processes]
        done = await load(self.port, asked, seconds)
        after = [sum(map(_cpu, each)) for each in processes]
        ours, theirs = ((end - start) / done.requests * MICROSECONDS for start, end in zip(before, after, strict=True))
        return ours, theirs


async def _told(run: Run) -> list[Figure]:
    async with _place() as place:
        return await _difference(
            run, place, "one fact", _asks("silent", DEVELOPER), _asks("told", DEVELOPER), Target(60)
        )


async def _known(run: Run) -> list[Figure]:
    async with _place() as place:
        return await _difference(
            run, place, "an access token", _asks("public", {}), _asks("silent", place.member), Target(60)
        )


async def _checked(run: Run) -> list[Figure]:
    async with _place() as place:
        pair = _asks("silent", place.member), _asks("checked", place.member)
        return await _difference(run, place, "50 permission checks", *pair, Target(1000))


async def _keyed(run: Run) -> list[Figure]:
    async with _place() as place:
        keyed = [each for _ in range(KEYS) for each in _asks("silent", {**DEVELOPER, "Idempotency-Key": uuid4().hex})]
        return await _difference(run, place, "an idempotency key", _asks("silent", DEVELOPER), keyed, Target(150))


async def _difference(
    run: Run, place: Place, what: str, without: list[bytes], having: list[bytes], target: Target
) -> list[Figure]:
    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    for each in (without, having):
        await place.slice(each, run.warm_up)
    turns = run.rounds * TURNS
    for number in range(turns):
        pair = [(without, 0), (having[number::turns] or having, 1)]  # no key is asked with twice
        spent = [(0.0, 0.0), (0.0, 0.0)]
        for asked, at in pair if number % 2 else reversed(pair):
            spent[at] = await place.slice(asked, run.seconds)
        ours.append((spent[0][0], spent[1][0]))
        theirs.append((spent[0][1], spent[1][1]))
    return [
        Figure(f"a request without {what}", "CPU µs", tuple(less for less, _ in ours)),
        Figure("the same with it", "CPU µs", tuple(more for _, more in ours)),
        Figure(f"{what} adds", "CPU µs", tuple(more - less for less, more in ours), target),
        Figure(f"{what} adds", "PostgreSQL's CPU µs", tuple(more - less for less, more in theirs)),
    ]


async def _signed_in(run: Run) -> list[Figure]:
    """The hash is computed here too, in turns with the sign-ins that compute it there."""
    hasher = Argon2Hasher()
    hashes: list[float] = []
    sign_ins: list[float] = []
    async with _place() as place:
        connection = await asyncpg.connect(place.database.dsn())
        stored = await connection.fetchval("SELECT password_hash FROM users WHERE email = $1", ALICE["email"])
        await connection.close()
        for _ in range(run.rounds):
            started = process_time()
            for _ in range(SIGN_INS):
                hasher.verify(ALICE["password"], stored)
            hashes.append((process_time() - started) / SIGN_INS * 1000)
            before = sum(map(_cpu, family(place.server)))
            for _ in range(SIGN_INS):
                _ask(place.port, "/api/v1/auth/sign-in", {}, ALICE)
            sign_ins.append((sum(map(_cpu, family(place.server))) - before) / SIGN_INS * 1000)
    ratios = tuple(whole / hashed for whole, hashed in zip(sign_ins, hashes, strict=True))
    return [
        Figure("verifying the hash alone", "CPU ms", tuple(hashes)),
        Figure("a sign-in", "CPU ms", tuple(sign_ins)),
        Figure("a sign-in", "times its hash", ratios, Target(1.05)),
    ]


def _asks(name: str, headers: dict[str, str]) -> list[bytes]:
    return [request("POST", f"/api/v1/bench/{name}", headers, THING)]


@asynccontextmanager
async def _place() -> AsyncIterator[Place]:
    with folder() as data:
        database = await postgres.start(data, owner="make bench")
        try:
            await migrate.upgrade(app, database.dsn())
            connection = await asyncpg.connect(database.dsn())
            await connection.execute(TABLE)
            await connection.close()
            port = free_port()
            dsns = {"DATABASE_URL": database.dsn(user=APP_ROLE), "DATABASE_OWNER_URL": database.dsn()}
            environment = {"PORT": str(port), "NEXUS_DEV_TOKEN": TOKEN, **dsns, **UNLIMITED, **WIDE}
            with running([sys.executable, "-m", "bench.pairs.main"], environment) as server:
                wait_for(server, port, "/health/ready")
                yield Place(server, port, database, _member(port, dsns))
        finally:
            await database.stop()


def _member(port: int, dsns: dict[str, str]) -> dict[str, str]:
    """The headers of the first person who comes: an admin's account, a password, an organisation."""
    command = [sys.executable, "-m", "nexuscore.cli", "--app", "bench.pairs.main:app", "identity", "bootstrap"]
    link = subprocess.run(command, cwd=ROOT, env={**os.environ, **dsns}, capture_output=True, text=True, check=True)
    token = link.stdout.strip().rpartition("token=")[2]
    _ask(port, "/api/v1/auth/bootstrap", {}, {**ALICE, "name": "Alice", "token": token})
    tokens = _ask(port, "/api/v1/auth/sign-in", {}, ALICE)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    return {**headers, "Nexus-Org": _ask(port, "/api/v1/organisations", headers, {"name": "Bench"})["id"]}


def _ask(port: int, path: str, headers: dict[str, str], body: dict[str, str]) -> dict[str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", path, json.dumps(body), {**headers, "Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    if answer.status // 100 != 2:
        raise StageError(f"POST {path} is answered with {answer.status}: {text[:500]}")
    answered: dict[str, str] = json.loads(text) if text else {}
    return answered


def _cpu(process: psutil.Process) -> float:
    try:
        return float(sum(process.cpu_times()[:2]))
    except psutil.NoSuchProcess:
        return 0.0


ROWS = [
    Row("fact", "What a fact adds", _told),
    Row("token", "What an access token adds", _known),
    Row("checks", "What fifty permission checks add", _checked),
    Row("key", "What an idempotency key adds", _keyed),
    Row("sign-in", "Signing in", _signed_in),
]
