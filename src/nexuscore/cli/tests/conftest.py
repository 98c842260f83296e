"""Projects to run `nexus` in. Not below pytest's own folder, where PostgreSQL may not pass."""

import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from nexuscore.cli.tests.terminal import Project, Warm
from nexuscore.kernel import postgres


@contextmanager
def folder(warm: Warm) -> Iterator[Project]:
    """A folder of its own, gone afterwards with whatever runs on it."""
    project = Project(Path(tempfile.mkdtemp(prefix="nexus-cli-")), warm)
    try:
        yield project
    finally:
        for pid in project.servers():
            psutil.Process(pid).kill()
        shutil.rmtree(project.folder)


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    """What runs the commands."""
    warm = Warm.up()
    yield warm
    warm.down()


@pytest.fixture
def empty(warm: Warm) -> Iterator[Project]:
    """A folder with nothing in it."""
    with folder(warm) as project:
        yield project


@pytest.fixture(scope="module")
def made(warm: Warm) -> Iterator[Project]:
    """A project with one module and a migrated database."""
    with folder(warm) as project:
        project.nexus("new", "module", "letters", "--in", "acme")
        project.nexus("migrate")
        yield project


@pytest.fixture
def house(made: Project, warm: Warm) -> Iterator[Project]:
    """A copy of it, to be changed at will."""
    with folder(warm) as project:
        subprocess.run(["cp", "-a", f"{made.folder}/.", str(project.folder)], check=True)  # noqa: S607 - keeps the files' owner
        yield project


@pytest.fixture
async def awake(house: Project) -> AsyncIterator[Project]:
    """The copy with its PostgreSQL running, so that commands need not start one each."""
    server = await postgres.start(house.folder / "data", owner="pytest", durable=False)
    yield house
    await server.stop()
