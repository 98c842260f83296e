"""What stands around a PostgreSQL in other people's data centres: a pooler before it, a replica behind it."""

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from nexuscore.kernel import postgres
from nexuscore.kernel.tables import APP_ROLE


def binary(name: str, package: str) -> str:
    """A program that Debian's `package` brings. Without it: a failure in CI, elsewhere a skip."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        missing = f"There is no {name} here. On Debian: apt-get install {package}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(missing)
    return found


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def folder(server: postgres.Server) -> Iterator[Path]:
    """A folder of whom the database belongs to; the pooler has to be the same, to be let in by its socket."""
    with tempfile.TemporaryDirectory(prefix="nexus-db-") as name:
        path = Path(name)
        path.chmod(0o755)
        inner = path / "own"
        inner.mkdir(mode=0o700)
        postgres._give(inner, account(server))
        yield inner


def account(server: postgres.Server) -> postgres.Account:
    """Whom the server runs as."""
    owner = server.socket.stat()
    ours = os.geteuid() == owner.st_uid
    return {} if ours else {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}


@dataclass(slots=True)
class Pooler:
    """A PgBouncer in transaction mode, with two connections to the server for all who come."""

    place: Path
    port: int
    account: postgres.Account
    process: "subprocess.Popen[bytes] | None" = None

    def dsn(self, database: str, host: str = "127.0.0.1") -> str:
        """Where it answers for a database."""
        return f"postgresql://{APP_ROLE}@{host}:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = [binary("pgbouncer", "pgbouncer"), "-q", str(self.place / "pgbouncer.ini")]
        self.process = subprocess.Popen(
            command, cwd=self.place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self.account
        )
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None, (self.place / "log").read_text()
            time.sleep(0.01)
        raise AssertionError("pgbouncer does not listen")

    def stop(self) -> None:
        """Kill it: whoever is connected finds a closed door."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def pooler(server: postgres.Server, tls: str = "") -> Iterator[Pooler]:
    """A pooler before `server`."""
    with folder(server) as place:
        (place / "users.txt").write_text(f'"{APP_ROLE}" ""\n')
        found = Pooler(place, free_port(), account(server))
        (place / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={server.socket} port={postgres.PORT}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {found.port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {place}/users.txt\nlogfile = {place}/log\npidfile = {place}/pid\n"
            f"pool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 100\n{tls}"
        )
        for path in place.iterdir():
            postgres._give(path, found.account)
        found.start()
        try:
            yield found
        finally:
            found.stop()


@dataclass(slots=True)
class Replica:
    """A streaming replica of a server."""

    place: Path
    account: postgres.Account
    process: "subprocess.Popen[bytes] | None" = None

    def dsn(self, database: str, user: str = APP_ROLE) -> str:
        """Where it answers for a database."""
        return f"postgresql://{user}@/{quote(database)}?host={quote(str(self.place), safe='')}&port={postgres.PORT}"

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        options = {**postgres.SETTINGS, **postgres.CARELESS, "unix_socket_directories": str(self.place)}
        command = [postgres._binary("postgres"), "-D", str(self.place / "pg"), "-p", str(postgres.PORT)]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        log = self.place.parent / "log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: ASYNC220 - a fork is all we wait for
                command, cwd=self.place, env=postgres.ENVIRONMENT, stdout=output, stderr=output, **self.account
            )
        for _ in range(1000):
            try:
                connection = await asyncpg.connect(self.dsn("postgres", "postgres"), timeout=5)
            except (OSError, asyncpg.PostgresError):
                assert self.process.poll() is None, log.read_text()
                await asyncio.sleep(0.02)
                continue
            await connection.close()
            return
        raise AssertionError("the replica does not answer")

    def stop(self) -> None:
        """Stop it at once."""
        if self.process is not None:
            self.process.send_signal(3)
            self.process.wait()
            self.process = None


@asynccontextmanager
async def replica(server: postgres.Server) -> AsyncIterator[Replica]:
    """A replica of `server`, with everything that is in it by now."""
    with folder(server) as place:
        found = Replica(place, account(server))
        await asyncio.to_thread(_copy, server, found)
        await found.start()
        try:
            yield found
        finally:
            found.stop()


def _copy(server: postgres.Server, into: Replica) -> None:
    command = [postgres._binary("pg_basebackup"), "-h", str(server.socket), "-p", str(postgres.PORT)]
    command += ["-U", "postgres", "-D", str(into.place / "pg"), "-R", "-X", "stream", "-c", "fast", "--no-sync"]
    made = subprocess.run(
        command, cwd=into.place, env=postgres.ENVIRONMENT, capture_output=True, check=False, **into.account
    )
    assert made.returncode == 0, made.stderr.decode()
