"""What reads OpenAPI documents besides us: npm's and PyPI's tools, fetched when needed and kept in pytest's cache."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from tests.fetched import alone

NODE = (
    "@redocly/cli@2.77.0",
    "@stoplight/spectral-cli@6.16.3",
    "@readme/openapi-parser@9.0.0",
    "openapi-typescript@7.13.0",
    "openapi-fetch@0.17.0",
    "typescript@5.9.3",
    "@types/node@20.19.0",
)
PYTHON = ("openapi-python-client==0.29.1",)


def node_tools(folder: Path) -> Path:
    """The folder with npm's. Where npm cannot get them: a failure in CI, elsewhere a skip."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        missing("Node.js with npm is not here, so nothing of it can read the document.")
    with alone(folder):
        if not _is_done(folder, NODE):
            (folder / "package.json").write_text('{"private": true, "type": "module"}\n')
            options = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts"]
            _fetch([npm, "install", *options, *NODE], folder, NODE)
    return folder


def python_tools(folder: Path) -> Path:
    """The Python with PyPI's, which want other versions of what we use."""
    python = folder / "bin" / "python"
    with alone(folder):
        if not _is_done(folder, PYTHON):
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            _fetch([*pip, *PYTHON], folder, PYTHON)
    return python


def _is_done(folder: Path, wanted: tuple[str, ...]) -> bool:
    done = folder / "done"
    return done.is_file() and done.read_text() == " ".join(wanted)


def _fetch(command: list[str], folder: Path, wanted: tuple[str, ...]) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        missing(f"{Path(command[0]).name} cannot install {' '.join(wanted)}: {done.stderr.strip()[-500:]}")
    (folder / "done").write_text(" ".join(wanted))


def missing(why: str) -> NoReturn:
    """In CI a failure, elsewhere a skip."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)
