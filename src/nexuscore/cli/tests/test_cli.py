"""`nexus`, run in a folder of its own with a real database, as a person or a machine would."""

import gc
import json
import re
import signal
import socket
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import httpx2
import pytest
from typer.main import get_group

from nexuscore.cli import COMMANDS, project
from nexuscore.cli.tests.terminal import Project, can_answer, eventually

REPOSITORY = Path(__file__).parents[4]


def bearer(running_token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {running_token}"}


def token_in(output: str) -> str:
    found = re.search(r"nxdev_\S+", output)
    assert found is not None, output
    return found[0]


# --- the command line itself ----------------------------------------------------------------------


def test_help_names_every_command_and_reads_no_heavy_library(empty: Project) -> None:
    shown = empty.nexus("--help")
    assert all(re.search(rf"^  {name} ", shown, re.MULTILINE) for name in COMMANDS)
    heavy = "{'sqlalchemy', 'fastapi', 'alembic', 'uvicorn', 'asyncpg', 'pgqueuer'}"
    script = f"import sys, nexuscore.cli; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_a_command_what_the_command_says_of_itself(name: str) -> None:
    place, help = COMMANDS[name]
    command = get_group(import_module(f"nexuscore.cli.{place}").commands).commands[name]
    assert (command.help or "").partition("\n")[0] == help


def test_every_command_and_option_is_documented() -> None:
    page = (REPOSITORY / "docs" / "commands.md").read_text()

    def walk(path: str, command: object) -> list[str]:
        options = [
            flag
            for each in getattr(command, "params", [])
            if not getattr(each, "hidden", False)
            for flag in each.opts
            if flag.startswith("--")
        ]
        found = [path, *(f"{path} {flag}" for flag in options if f"`{flag}" not in page)]
        for name, inner in getattr(command, "commands", {}).items():
            found += walk(f"{path} {name}", inner)
        return found

    commands = [get_group(import_module(f"nexuscore.cli.{place}").commands) for place, _ in COMMANDS.values()]
    names = {
        line for group in commands for name, each in group.commands.items() for line in walk(f"nexus {name}", each)
    }
    assert [name for name in sorted(names) if f"`{name}" not in page] == []


def test_a_mistyped_command_or_option_is_a_usage_error(empty: Project) -> None:
    assert "Did you mean 'serve'?" in empty.nexus("srve", code=2)
    assert "No such option: --prot" in empty.nexus("serve", "--prot", "1", code=2)
    assert "Missing argument" in empty.nexus("jobs", "retry", code=2)


def test_an_app_that_cannot_be_loaded_is_one_sentence_and_with_debug_a_traceback(empty: Project) -> None:
    told = empty.nexus("routes", "--app", "acme.main:app", code=1)
    assert told == (
        f"nexus: There is no module 'acme.main' in {empty.folder}."
        " Name your app with --app, NEXUS_APP, or app in [tool.nexus] of pyproject.toml.\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "nexuscore.cli", "routes", "--app", "acme.main:app", "--debug"],
        cwd=empty.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (1, True)


def test_the_garbage_collector_rests_only_while_code_is_read() -> None:
    with project.reading():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), project.reading():
        _ = 1 / 0
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_a_module_brings_commands_of_its_own(empty: Project) -> None:
    (empty.folder / "main.py").write_text(
        "import typer\n"
        "from nexuscore.kernel.app import compose\n"
        "from nexuscore.kernel.module import Module\n"
        "tickets = typer.Typer()\n"
        "@tickets.command()\n"
        "def close(ctx: typer.Context, number: int) -> None:\n"
        "    '''Close a ticket.'''\n"
        "    typer.echo(f'closed {number} of {ctx.obj.kernel.title}')\n"
        "app = compose([Module(name='tickets', package=None, commands=tickets)])\n"
    )
    (empty.folder / "pyproject.toml").write_text('[tool.nexus]\napp = "main:app"\n')
    assert empty.nexus("tickets", "close", "7", NEXUS_TITLE="Acme") == "closed 7 of Acme\n"
    told = empty.nexus("tickets", "--help")
    assert "Close a ticket." in told
    assert "╭" not in told, "it is as plain as our own commands"
    assert "No such command 'tickts'" in empty.nexus("tickts", code=2)


# --- a new module ---------------------------------------------------------------------------------


def test_a_new_module_in_an_empty_folder_passes_its_tests_and_is_served(empty: Project) -> None:
    told = empty.nexus("new", "module", "line_items")
    assert "Added line_items to main.py." in told
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "line_items"],
        cwd=empty.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"^5 passed", done.stdout, re.MULTILINE)

    told = empty.nexus("new", "module", "addresses", "--in", "acme/people")
    assert "Added addresses to main.py." in told
    assert "class Address(" in (empty.folder / "acme/people/addresses/tables.py").read_text()
    listed = empty.nexus("routes")
    assert "/api/v1/line_items/{line_item_id}" in listed
    assert "addresses.write" in listed

    with empty.running("serve", "--port", "0", NEXUS_ENV="test") as server:
        address = server.address()
        signed_in = bearer(token_in(server.output))
        made = httpx2.post(f"{address}/api/v1/line_items", json={"name": "First"}, headers=signed_in)
        assert made.status_code == 201
        one = f"{address}/api/v1/line_items/{made.json()['id']}"
        eventually(lambda: httpx2.get(one, headers=signed_in).json()["length"] == 5)
        assert httpx2.get(one, headers=signed_in).json()["length"] == 5
        assert "agree" in empty.nexus("migrate", "check", NEXUS_ENV="test")
        assert server.end() == 0
    assert empty.servers() == []


def test_a_new_module_overwrites_nothing(house: Project) -> None:
    assert "is there already" in house.nexus("new", "module", "letters", "--in", "acme", code=1)
    assert "has a module 'letters' already" in house.nexus("new", "module", "letters", "--in", "other", code=1)
    (house.folder / "acme/main.py").write_text(
        "from nexuscore.kernel.app import compose\nmodules = []\napp = compose(modules)\n"
    )
    told = house.nexus("new", "module", "parcels", "--in", "acme")
    assert "from acme.parcels.module import module as parcels" in told
    assert "parcels" not in (house.folder / "acme/main.py").read_text()


# --- serving --------------------------------------------------------------------------------------


def test_serving_one_folder_from_start_to_stop(house: Project) -> None:
    with house.running("serve", "--port", "0") as server:
        address = server.address()
        port = address.rpartition(":")[2]
        assert can_answer(f"{address}/health/ready")
        assert can_answer(f"{address}/api/docs")
        assert f"  console  {address}/console\n" in server.output
        assert httpx2.get(f"{address}/api/v1/letters", headers=bearer(token_in(server.output))).status_code == 200

        taken = house.nexus("serve", "--port", port, code=1)
        assert taken.startswith(f"nexus: Cannot listen on 127.0.0.1:{port}: Address already in use.")
        held = house.nexus("serve", "--port", "0", code=1)
        assert f"is in use by process {server.process.pid} (nexus serve)" in held
        assert re.search(r"^letters.measure +0 +0 +0 +0$", house.nexus("jobs"), re.MULTILINE)
        assert len(house.servers()) == 1

        assert server.end() == 0
        assert server.output.count("stopped") == 1
    assert house.servers() == []
    assert not can_answer(f"{address}/health")


def test_a_start_that_is_interrupted_leaves_nothing_behind(empty: Project) -> None:
    with empty.running("serve", "--port", "0") as server:
        eventually(lambda: bool(empty.servers()))
        assert server.end(signal.SIGINT) in (0, 130)
    assert empty.servers() == []
    with empty.running("serve", "--port", "0") as server:
        assert can_answer(f"{server.address()}/health/ready")


def test_ctrl_c_twice_does_not_wait_for_a_slow_request(house: Project) -> None:
    with house.running("serve", "--port", "0") as server:
        host, _, port = server.address().removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(b"POST /api/v1/letters HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n")
            slow.sendall(b"Content-Type: application/json\r\nAuthorization: Bearer " + token_in(server.output).encode())
            slow.sendall(b"\r\n\r\n{")
            time.sleep(0.3)
            server.process.send_signal(signal.SIGINT)
            server.wait_for("stopping")
            started = time.monotonic()
            assert server.end(signal.SIGINT) == 0
    assert time.monotonic() - started < 10
    assert house.servers() == []


def test_what_forbids_a_start_is_one_sentence(house: Project, tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql://me:hush@127.0.0.1:{nobody.getsockname()[1]}/acme"
        told = house.nexus("serve", "--port", "0", code=1, DATABASE_URL=url)
    assert told.startswith("nexus: Cannot reach the database 127.0.0.1:")
    assert "hush" not in told
    (tmp_path / "file").touch()
    told = house.nexus("serve", "--port", "0", "--data", str(tmp_path / "file"), code=1)
    assert told.startswith(f"nexus: The data folder {tmp_path / 'file'} cannot be used")
    told = house.nexus("serve", "--port", "0", "--host", "192.0.2.1", code=1)
    assert told.startswith("nexus: Cannot listen on 192.0.2.1:0")
    told = house.nexus("serve", "--port", "0", code=1, NEXUS_POOL_MAX="none", NEXUS_LOG_LEVEL="loud")
    assert "2 settings are wrong:" in told
    house.nexus("migrate", "down", "letters", "--yes")
    told = house.nexus("serve", "--port", "0", "--no-migrate", code=1)
    assert told == "nexus: The database lacks migrations: letters_0001. Run `nexus migrate`.\n"
    assert house.servers() == []


def test_reload_serves_what_was_changed_and_waits_out_a_mistake(house: Project) -> None:
    permissions = house.folder / "acme/letters/routes.py"
    good = permissions.read_text()
    with house.running("serve", "--reload", "--port", "0") as server:
        document = f"{server.address()}/api/openapi.json"
        permissions.write_text(good.replace('"""One letter."""', '"""A single letter."""'))
        server.wait_for("ready", times=1)
        assert "A single letter." in httpx2.get(document, timeout=20).text
        permissions.write_text(good + "\nthis is no Python\n")
        assert f"{permissions}, line" in server.wait_for("server_ended")
        permissions.write_text(good)
        server.wait_for("ready", times=2)
        assert "One letter." in httpx2.get(document, timeout=20).text
        assert server.end() == 0
    assert house.servers() == []


def test_a_worker_alone_does_what_a_server_without_workers_left(house: Project) -> None:
    with house.running("serve", "--port", "0", "--no-workers") as server:
        address, signed_in = server.address(), bearer(token_in(server.output))
        made = httpx2.post(f"{address}/api/v1/letters", json={"name": "First"}, headers=signed_in).json()
        one = f"{address}/api/v1/letters/{made['id']}"
        with house.running("worker") as worker:
            eventually(lambda: httpx2.get(one, headers=signed_in).json()["length"] == 5)
            assert httpx2.get(one, headers=signed_in).json()["length"] == 5
            assert worker.end() == 0


# --- looking after it -----------------------------------------------------------------------------


def test_migrations_go_down_and_up_and_are_written_from_the_models(awake: Project, anyio_backend: str) -> None:
    assert "Abort" in awake.nexus("migrate", "down", "letters", code=1)
    assert awake.nexus("migrate", "down", "letters", "--yes") == "undid letters_0001\n"
    assert re.search(r"^letters +- +letters_0001 +letters_0001$", awake.nexus("migrate", "status"), re.MULTILINE)
    assert "lacks migrations: letters_0001" in awake.nexus("migrate", "check", code=1)
    assert awake.nexus("migrate") == "ran letters_0001\n"
    assert awake.nexus("migrate").startswith("Nothing to run")

    assert "are in the database" in awake.nexus("migrate", "make", "letters", "nothing", code=1)
    tables = awake.folder / "acme/letters/tables.py"
    tables.write_text(
        tables.read_text().replace("name: Mapped[str]", "name: Mapped[str]\n    paid: Mapped[bool | None]")
    )
    told = awake.nexus("migrate", "check", code=1)
    assert "add_column('letters', sa.Column('paid'" in told
    assert "0002_mark_paid_ones.py" in awake.nexus("migrate", "make", "letters", 'Mark "paid" ones!')
    assert awake.nexus("migrate") == "ran letters_0002\n"
    assert "agree" in awake.nexus("migrate", "check")
    assert awake.nexus("migrate", "down", "letters", "--to", "1", "--yes") == "undid letters_0002\n"
    assert "Can't locate revision" in awake.nexus("migrate", "down", "letters", "--to", "9", "--yes", code=1)
    assert "no module 'parcels'" in awake.nexus("migrate", "down", "parcels", "--yes", code=1)


def test_parked_jobs_are_listed_retried_and_dropped(awake: Project, anyio_backend: str) -> None:
    insert = (
        "INSERT INTO pgqueuer (priority, entrypoint, status, attempts, payload, headers)"
        " SELECT 0, 'letters.measure', 'failed', 5, '{}', '{}' FROM generate_series(1, 2) RETURNING id"
    )
    first, second = (line for line in awake.nexus("shell", "-t", "-A", "-q", "-c", insert).split())
    assert re.search(rf"^{first} +letters.measure +6 ", awake.nexus("jobs", "parked"), re.MULTILINE)
    assert awake.nexus("jobs", "retry", first) == f"Queued again: {first}.\n"
    assert awake.nexus("jobs", "drop", second) == f"Dropped: {second}.\n"
    assert awake.nexus("jobs", "parked") == "No job is parked.\n"
    told = awake.nexus("jobs", "retry", second, code=1)
    assert told == f"nexus: No job {second} is parked, so nothing was done. `nexus jobs parked` lists them.\n"
    assert re.search(r"^letters.measure +1 +0 +0 +0$", awake.nexus("jobs"), re.MULTILINE)


def test_the_shell_is_the_owner_or_the_app_and_hands_on_psqls_exit_code(awake: Project, anyio_backend: str) -> None:
    who = ("-t", "-A", "-c", "SELECT current_user")
    assert awake.nexus("shell", *who) == "postgres\n"
    assert awake.nexus("shell", "--as-app", *who) == "nexus_app\n"
    assert "syntax error" in awake.nexus("shell", "-c", "SELEC", code=1)


def test_settings_events_and_the_api_are_shown_without_secrets(awake: Project, anyio_backend: str) -> None:
    shown = awake.nexus("settings", NEXUS_SECRET_KEY="x7" * 20, NEXUS_TITLE="Acme", NEXUS_TITEL="Oops")
    assert "x7x7" not in shown
    assert re.search(r"^NEXUS_SECRET_KEY +\*+ +- +environment +Everything sealed", shown, re.MULTILINE)
    assert re.search(r"^NEXUS_TITLE +Acme +NexusCore +environment ", shown, re.MULTILINE)
    assert "warning: NEXUS_TITEL: no such setting; did you mean NEXUS_TITLE?" in shown
    assert "letter.created" in awake.nexus("events")
    schemas = json.loads(awake.nexus("events", "--json"))
    assert schemas["letter.created"]["schema"]["properties"]["name"]["type"] == "string"
    awake.nexus("openapi", "--output", "api.json")
    assert "/api/v1/letters" in json.loads((awake.folder / "api.json").read_text())["paths"]
    assert awake.nexus("openapi") == (awake.folder / "api.json").read_text()


def test_the_doctor_finds_a_house_in_order(awake: Project, anyio_backend: str) -> None:
    lines = awake.nexus("doctor").splitlines()
    assert len(lines) > 12
    assert [line for line in lines if not line.startswith("ok ")] == []


def test_the_doctor_says_what_is_missing_and_what_is_open(awake: Project, anyio_backend: str) -> None:
    awake.nexus(
        "shell", "-c", "ALTER TABLE letters NO FORCE ROW LEVEL SECURITY", "-c", "ALTER ROLE nexus_app BYPASSRLS"
    )
    found = awake.nexus("doctor", code=1)
    assert "fail  tenants        letters holds tenants' rows but is not closed" in found
    assert "fail  role nexus_app bypasses row-level security; ALTER ROLE nexus_app" in found

    setup = (
        "DROP TABLE letters, heard, ticked, events CASCADE",
        "DROP OWNED BY nexus_app, nexus_across CASCADE",
        "DROP ROLE nexus_app, nexus_across",
        "CREATE ROLE stranger LOGIN",
        "CREATE DATABASE bare",
    )
    awake.nexus("shell", *(part for statement in setup for part in ("-c", statement)))
    url = f"postgresql://stranger@/bare?host={awake.folder}/data/socket"
    found = awake.nexus("doctor", code=1, DATABASE_URL=url)
    assert "fail  owner          stranger may not create tables; GRANT CREATE ON SCHEMA public" in found
    assert "fail  roles          nexus_app, nexus_across missing; as a superuser: CREATE ROLE" in found
    assert re.search(
        r"^warn  migrations     to run: kernel_0001, .*letters_0001.*; `nexus serve` and", found, re.MULTILINE
    )
