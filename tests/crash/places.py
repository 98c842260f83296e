"""An app on an embedded database of its own, and other processes of the same app, to be killed."""

import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nexuscore.kernel import migrate, postgres
from nexuscore.kernel.app import App, compose
from nexuscore.kernel.db import Scope
from nexuscore.kernel.module import Module
from nexuscore.kernel.settings import KernelSettings, Settings, load
from nexuscore.kernel.tables import APP_ROLE

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Place:
    """The app of this process, and how others of it are started."""

    app: App
    reference: str
    environ: dict[str, str]

    def start(self, *command: str) -> "subprocess.Popen[bytes]":
        """`nexus` with this command, in a process of its own."""
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        return subprocess.Popen(
            [sys.executable, "-m", "nexuscore.cli", "--app", self.reference, *command],
            env={**os.environ, **self.environ, "PYTHONPATH": path},
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )

    async def asked(self, sql: str) -> list[Any]:
        """What the database says, of all organisations."""
        async with self.app.database.transaction(Scope(across=True)) as db:
            return await db.raw(sql)


def end(process: "subprocess.Popen[bytes]") -> None:
    """`kill -9`."""
    process.kill()
    process.wait()


@asynccontextmanager
async def opened(modules: Sequence[Module], reference: str, **settings: str) -> AsyncIterator[Place]:
    """Open such a place; `reference` names the same app for the other processes."""
    with tempfile.TemporaryDirectory(prefix="nexus-crash-", ignore_cleanup_errors=True) as folder:
        own = {
            "NEXUS_ENV": "test",
            "NEXUS_DATA": str(Path(folder) / "data"),
            "NEXUS_WORKER_LEASE_S": "2",
            "NEXUS_LOG_LEVEL": "error",
            "NEXUS_DEV_TOKEN": "tok",
            "NEXUS_LIMITS": "off",
            **settings,
        }
        classes: list[type[Settings]] = [KernelSettings, *(each for module in modules for each in module.settings)]
        app = compose(modules, settings=load(classes, environ=own, env_file=None))
        server = await postgres.start(Path(own["NEXUS_DATA"]))
        try:
            await migrate.upgrade(app, server.dsn())
            await app.start(server.dsn(user=APP_ROLE))
            urls = {"DATABASE_URL": server.dsn(user=APP_ROLE), "DATABASE_OWNER_URL": server.dsn()}
            yield Place(app, reference, {**own, **urls})
            await app.stop()
        finally:
            await server.stop()
