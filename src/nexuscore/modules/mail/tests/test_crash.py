"""A worker killed after it handed a mail over and before it wrote that down: the mail goes again, as the same mail."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nexuscore.kernel.queue import run_workers
from nexuscore.kernel.testing import House
from nexuscore.modules import mail
from nexuscore.modules.mail.events import MailSent
from nexuscore.modules.mail.tests.probe import Hello
from nexuscore.modules.mail.tests.servers import Mailbox, smtp_server

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[5]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        yield found


@pytest.fixture
def settings(listener: socket.socket) -> dict[str, str]:
    return {
        "NEXUS_MAIL_SMTP_HOST": "127.0.0.1",
        "NEXUS_MAIL_SMTP_PORT": str(listener.getsockname()[1]),
        "NEXUS_MAIL_SMTP_SECURITY": "none",
        "NEXUS_WORKER_LEASE_S": "2",
    }


def start_worker(house: House, settings: dict[str, str]) -> subprocess.Popen[bytes]:
    environ = {
        **os.environ,
        **settings,
        "NEXUS_ENV": "test",
        "NEXUS_DATA": str(house.app.kernel.data),
        "DATABASE_URL": house.dsn,
        "DATABASE_OWNER_URL": house.owner_dsn,
        "PYTHONPATH": str(ROOT / "src"),
    }
    command = [sys.executable, "-m", "nexuscore.cli", "--app", "nexuscore.modules.mail.tests.app:app", "worker"]
    return subprocess.Popen(command, env=environ, cwd=ROOT, stdout=subprocess.DEVNULL)


async def test_a_killed_worker_sends_the_same_mail_again(
    committed_house: House, settings: dict[str, str], listener: socket.socket
) -> None:
    house, mailbox, arrived = committed_house, Mailbox(), asyncio.Event()
    worker = start_worker(house, settings)

    async def kill() -> None:
        """The text is here; the worker has not been told so yet, and never will be."""
        if len(mailbox.mails) == 1:
            os.kill(worker.pid, signal.SIGKILL)
        else:
            arrived.set()

    mailbox.on_data = kill
    stop = asyncio.Event()
    try:
        async with smtp_server(mailbox, listener), asyncio.timeout(60):
            async with house.context() as ctx:
                mail_id = await mail.send(ctx, Hello(name="Alice"), to="alice@example.com", locale="en")
            while worker.poll() is None:
                await asyncio.sleep(0.05)
            async with house.context() as ctx:
                between = await mail.get(ctx, mail_id)
            assert (between.state, between.attempts, between.asked) == ("queued", 1, "smtp")
            survivor = asyncio.create_task(run_workers(house.app, stop, concurrency=2))
            await arrived.wait()
            while (await _state(house, mail_id)) == "queued":
                await asyncio.sleep(0.05)
            stop.set()
            await survivor
    finally:
        stop.set()
        if worker.poll() is None:
            worker.kill()
        worker.wait()
    assert worker.returncode == -signal.SIGKILL
    first, second = mailbox.mails
    assert first["Message-ID"] == second["Message-ID"] == f"<{mail_id}@example.com>"
    assert [part.get_payload() for part in first.iter_parts()] == [part.get_payload() for part in second.iter_parts()]
    assert await _state(house, mail_id) == "sent"
    assert len(await house.facts(MailSent)) == 1


async def _state(house: House, mail_id: object) -> str:
    async with house.app.database.transaction() as db:
        [row] = await db.raw("SELECT state FROM mails WHERE id = $1", mail_id)
    return str(row.state)
