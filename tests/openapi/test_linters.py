"""Linters by other people accept the document without an error or a warning; the fourth is in tests/contracts.

They take ten seconds of CPU, so one that has accepted a document does not read the same again.
"""

import hashlib
import json
import subprocess
from datetime import date
from pathlib import Path

import pytest

from examples.notes.module import module as notes
from nexuscore.kernel.app import compose
from nexuscore.kernel.http import Version
from nexuscore.kernel.http.documents import as_text
from nexuscore.modules.identity.module import module as identity
from nexuscore.modules.mail.module import module as mail

HERE = Path(__file__).parent
RULES = ("lint.mjs", "redocly.yaml", "spectral.yaml")


def commands(node: Path, document: Path) -> list[list[str]]:
    """How each is asked; what it says of a document without fault is nothing we look at."""
    tools = node / "node_modules" / ".bin"
    (node / "lint.mjs").write_text((HERE / "lint.mjs").read_text())
    return [
        [str(tools / "redocly"), "lint", str(document), f"--config={HERE / 'redocly.yaml'}", "--format=stylish"],
        [str(tools / "spectral"), "lint", str(document), f"--ruleset={HERE / 'spectral.yaml'}", "--fail-severity=hint"],
        ["node", str(node / "lint.mjs"), str(document)],
    ]


def complaints(node: Path, document: Path) -> list[str]:
    """What those who do not accept it say; they read at the same time."""
    running = [
        subprocess.Popen(command, cwd=node, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for command in commands(node, document)
    ]
    said = [process.communicate(timeout=240)[0] for process in running]
    return [text for process, text in zip(running, said, strict=True) if process.returncode != 0]


@pytest.fixture
def ending(tmp_path: Path) -> Path:
    """The document of a version that will end."""
    first, second = date(2026, 1, 15), date(2027, 3, 1)
    versions = (Version(1, first, deprecated=second, sunset=date(2028, 3, 1)), Version(2, second))
    path = tmp_path / "ending.json"
    path.write_text(
        as_text(compose([mail, identity, notes], versions=versions).openapi_of(versions[0])), encoding="utf-8"
    )
    return path


@pytest.mark.parametrize("name", ["document", "ending"])
def test_three_linters_have_nothing_to_say(node: Path, name: str, request: pytest.FixtureRequest) -> None:
    document: Path = request.getfixturevalue(name)
    read = b"".join(path.read_bytes() for path in (document, Path(__file__), *(HERE / name for name in RULES)))
    accepted = request.config.cache.mkdir("openapi-accepted") / hashlib.sha256(read).hexdigest()
    if not accepted.exists():
        found = complaints(node, document)
        assert found == [], "\n".join(found)
        accepted.touch()


def test_each_of_them_would_have(node: Path, tmp_path: Path) -> None:
    """Seen red: a document with an answer too few and a reference to nothing is refused by all three."""
    bad = {
        "openapi": "3.1.0",
        "info": {"title": "Bad", "version": "1"},
        "paths": {"/things": {"get": {"responses": {"200": {"$ref": "#/components/responses/Nothing"}}}}},
    }
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(bad))
    assert len(complaints(node, path)) == 3
