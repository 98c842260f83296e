"""The stage: one throw-away PostgreSQL with a table of notes, and servers on it, each a process of its own."""

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import psutil
from joserfc import jwt
from joserfc.jwk import OctKey

from bench.peers import SECRET, NotInstalled, Peer
from examples.main import app
from nexuscore.kernel import migrate, postgres
from nexuscore.kernel.http.auth import DEVELOPMENT_ORG
from nexuscore.kernel.tables import APP_ROLE

ROOT = Path(__file__).parents[1]
OURS = "NexusCore"
APP = "examples.main:app"
SERVE = (sys.executable, "-m", "nexuscore.cli", "serve")
TOKEN = "nxdev_bench"  # noqa: S105 - signs in to a database that lives for a minute
_WIDE = "user=999999999/h + 999999999/min, anonymous=999999999/h, sign_in=999999999/min, pages=999999999/min"
WIDE = {"NEXUS_LIMITS": _WIDE}  # counted, but never too many
NOTES = 10_000
READY_WITHIN = 60.0

TABLES = """
CREATE TABLE peer_events (id uuid PRIMARY KEY, org_id uuid NOT NULL, type text NOT NULL, data jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE peer_jobs (id uuid PRIMARY KEY, kind text NOT NULL, payload jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now());
"""
SEED = """
INSERT INTO notes (id, org_id, title, body, tags, words)
  SELECT uuidv7(), org, 'Note ' || n, repeat('All work and no play. ', 10), '{work,play}', 50
  FROM (SELECT * FROM generate_series(1, $1) n, unnest($2::uuid[]) org ORDER BY n) rows
"""


class StageError(Exception):
    """A server does not come up, or does not answer as it should. What `process` said is added on the way out."""

    def __init__(self, text: str, process: psutil.Process | None = None) -> None:
        super().__init__(text)
        self.process = process


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers for notes below `path`."""

    name: str
    port: int
    process: psutil.Process
    path: str
    headers: Mapping[str, str]

    def cpu(self) -> float:
        """Seconds of CPU, user and system, its process and those below it have used so far."""
        return sum(sum(each.cpu_times()[:2]) for each in family(self.process))

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """One answer, decoded; for looking at what is measured, not for measuring."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        content = None if body is None else json.dumps(body)
        headers = {**self.headers, **({} if body is None else {"Content-Type": "application/json"})}
        connection.request(method, path, content, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        if answer.status // 100 != 2:
            raise StageError(f"{self.name} answers {method} {path} with {answer.status}: {text[:500]}", self.process)
        return json.loads(text)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everybody plays: the database, and the servers on it, ours first.

    There a development token signs in; `member` is the same server as a person reaches it who has signed in, made an
    organisation and sends an access token.
    """

    servers: Sequence[Server]
    member: Server
    dsn: str

    async def query(self, sql: str) -> Any:
        """One value from the database, as its owner."""
        connection = await asyncpg.connect(self.dsn)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()


@asynccontextmanager
async def stage(peers: Sequence[Peer]) -> AsyncIterator[Stage]:
    """The database, our example app and those of the peers that can be installed, until the block ends."""
    postgres.SETTINGS["max_connections"] = "200"  # all of them at once
    with folder() as data:
        database = await postgres.start(data, owner="make bench")
        try:
            await migrate.upgrade(app, database.dsn())
            with ExitStack() as stack:
                environment = {"DATABASE_URL": database.dsn(user=APP_ROLE), "DATABASE_OWNER_URL": database.dsn()}
                ours = stack.enter_context(_ours(environment))
                member = _signed_in(ours, environment)
                await _fill(database.dsn(), [str(DEVELOPMENT_ORG), member.headers["Nexus-Org"]])
                theirs = [stack.enter_context(_peer(peer, database)) for peer in peers]
                yield Stage([ours, *theirs], member, database.dsn())
        finally:
            await database.stop()


def installed(peers: Sequence[Peer]) -> list[Peer]:
    """Those of the peers that are installed, or now could be; the others are named."""
    found = []
    for peer in peers:
        try:
            peer.install()
            found.append(peer)
        except NotInstalled as reason:
            say(f"skipped: {peer.name} ({reason})")
    return found


@contextmanager
def folder() -> Iterator[Path]:
    """A data folder for a while."""
    with tempfile.TemporaryDirectory(prefix="nexus-bench-", ignore_cleanup_errors=True) as name:
        data = Path(name) / "data"
        for each in (data.parent, data):
            each.mkdir(exist_ok=True)
            each.chmod(0o711)  # PostgreSQL may run as another user, and has to pass
        yield data


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[psutil.Process]:
    """A process, its output thrown away but for errors, ended in order when the block ends."""
    quiet = {**os.environ, "PYTHONWARNINGS": "ignore", **environment}
    with tempfile.TemporaryFile() as log:
        process = psutil.Popen(command, cwd=ROOT, env=quiet, stdout=subprocess.DEVNULL, stderr=log)
        try:
            yield process
        except StageError as error:
            if error.process is not process:
                raise
            log.seek(0)
            raise StageError(f"{error}\n{log.read().decode(errors='replace')[-2000:]}") from error
        finally:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
            try:
                process.wait(30)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(30)


def wait_for(process: psutil.Process, port: int, path: str, headers: Mapping[str, str] = {}) -> None:
    """Until it answers with a 200."""
    until = time.monotonic() + READY_WITHIN
    while time.monotonic() < until:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            raise StageError("it ended before it answered", process)
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path, headers=dict(headers))
            if connection.getresponse().status == 200:
                return
            connection.close()
        time.sleep(0.01)
    raise StageError(f"it did not answer within {READY_WITHIN:.0f} s", process)


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and all below it."""
    return [process, *process.children(recursive=True)]


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def say(text: str) -> None:
    """Tell whoever waits; the tables go to standard output."""
    print(text, file=sys.stderr, flush=True)


async def _fill(dsn: str, orgs: list[str]) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(TABLES)
        await connection.execute(SEED, NOTES, orgs)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


@contextmanager
def _ours(environment: Mapping[str, str]) -> Iterator[Server]:
    port = free_port()
    settings = {"NEXUS_DEV_TOKEN": TOKEN, "NEXUS_LOG_LEVEL": "info", "NEXUS_LOG_FORMAT": "json", **WIDE}
    options = ["--app", APP, "--no-workers", "--no-migrate", "--port", str(port)]
    with running([*SERVE, *options], {**environment, **settings}) as process:
        wait_for(process, port, "/health/ready")
        yield Server(OURS, port, process, "/api/v1/notes", {"Authorization": f"Bearer {TOKEN}"})


def _signed_in(server: Server, environment: Mapping[str, str]) -> Server:
    """The server as the first person who comes to it: an admin's account, a password, an organisation."""
    command = [sys.executable, "-m", "nexuscore.cli", "--app", APP, "identity", "bootstrap"]
    link = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    person = {"email": "alice@example.com", "password": "All work and no play makes 7"}
    anybody = replace(server, headers={})
    token = link.stdout.strip().rpartition("token=")[2]
    anybody.ask("POST", "/api/v1/auth/bootstrap", {**person, "name": "Alice", "token": token})
    tokens = anybody.ask("POST", "/api/v1/auth/sign-in", person)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    organisation = replace(server, headers=headers).ask("POST", "/api/v1/organisations", {"name": "Bench"})
    return replace(server, headers={**headers, "Nexus-Org": organisation["id"]})


@contextmanager
def _peer(peer: Peer, database: postgres.Server) -> Iterator[Server]:
    port = free_port()
    environment = {
        "PORT": str(port),
        "PGHOST": str(database.socket),
        "PGPORT": str(postgres.PORT),
        "PGUSER": "postgres",
        "PGDATABASE": postgres.DATABASE,
        "BENCH_ORG": str(DEVELOPMENT_ORG),
        "BENCH_SECRET": SECRET,
        **peer.environment,
    }
    headers = {"Authorization": f"Bearer {_token()}"} if peer.signed_in else {}
    with running(peer.command(port), environment) as process:
        wait_for(process, port, "/notes?limit=1", headers)
        yield Server(peer.name, port, process, "/notes", headers)


def _token() -> str:
    """Somebody's token, as SimpleJWT and Nest's guard read it."""
    claims = {"token_type": "access", "jti": "bench", "user_id": "1", "exp": int(time.time()) + 86_400}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET))
