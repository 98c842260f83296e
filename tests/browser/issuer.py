"""A real OpenID Connect provider: npm's oidc-provider, fetched when first needed and kept in pytest's cache."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fetched import alone

PACKAGE = "oidc-provider@9.13.3"
CLIENT_ID, SECRET = "nexus", "a-secret-of-the-browser-test"
SCRIPT = Path(__file__).with_name("oidc_provider.mjs")


def installed(folder: Path) -> Path:
    """The folder with the package in it. Where npm cannot get it: a failure in CI, elsewhere a skip."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        _missing("Node.js with npm is not here, so there is no real provider to sign in with.")
    else:
        with alone(folder):
            if not (folder / "done").exists():
                _install(npm, folder)
    return folder


def _install(npm: str, folder: Path) -> None:
    (folder / "package.json").write_text('{"private": true}\n')
    command = [npm, "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        _missing(f"npm cannot install {PACKAGE}: {done.stderr.strip()[-500:]}")
    (folder / "done").touch()


def _missing(why: str) -> None:
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)


@contextmanager
def serving(folder: Path, port: int, redirect_uri: str) -> Iterator[str]:
    """The provider, with one client whose people are sent back to `redirect_uri`. Yields its issuer."""
    command = [shutil.which("node") or "node", str(SCRIPT), str(folder), str(port), redirect_uri]
    provider = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert provider.stdout is not None
    try:
        assert provider.stdout.readline() == "ready\n", "oidc-provider did not start"
        yield f"http://127.0.0.1:{port}"
    finally:
        provider.terminate()
        provider.communicate(timeout=30)
