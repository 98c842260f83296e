"""Clients that other people's tools make from the document are used against a running server."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.serving import served

HERE = Path(__file__).parent
TOKEN = "a-token-for-the-clients"
SEEN = {"read": "Milk", "listed": ["Milk"], "wrong": [422, "validation_failed"]}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the notes are, beside everything that ships."""
    data = tmp_path_factory.mktemp("data")
    with served("examples.main:app", data, NEXUS_DEV_TOKEN=TOKEN) as found:
        yield found


@pytest.fixture
def kept(address: str, tmp_path: Path) -> Path:
    """The document of the running server."""
    path = tmp_path / "openapi.json"
    path.write_bytes(httpx2.get(f"{address}/api/openapi.json").content)
    return path


def run(*command: str, at: Path) -> str:
    done = subprocess.run(command, cwd=at, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def last(said: str) -> object:
    return json.loads(said.strip().splitlines()[-1])


def test_typescript(node: Path, kept: Path, address: str) -> None:
    """Types by openapi-typescript, checked strictly by tsc, requests by openapi-fetch."""
    tools, place = node / "node_modules" / ".bin", node / "client"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    shutil.copy(HERE / "client.ts", place)
    run(str(tools / "openapi-typescript"), str(kept), "--default-non-nullable=false", "--output", "api.ts", at=place)
    options = ["--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext", "--outDir", "made"]
    options += ["--rewriteRelativeImportExtensions", "--types", "node", "--lib", "es2022,dom"]
    run(str(tools / "tsc"), *options, "client.ts", at=place)
    assert last(run("node", "made/client.js", address, TOKEN, at=place)) == SEEN


def test_python(python: Path, kept: Path, address: str, tmp_path: Path) -> None:
    """A package by openapi-python-client, without a warning."""
    made = tmp_path / "made"
    tool = python.with_name("openapi-python-client")
    said = run(str(tool), "generate", "--path", str(kept), "--output-path", str(made), "--meta", "none", at=tmp_path)
    assert "WARNING" not in said, said
    assert last(run(str(python), str(HERE / "client.py"), str(made), address, TOKEN, at=tmp_path)) == SEEN
