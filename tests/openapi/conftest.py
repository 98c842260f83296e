"""The document, and what reads it."""

from pathlib import Path

import pytest

from nexuscore.kernel.http.documents import as_text
from nexuscore.main import app
from tests.openapi import tools


@pytest.fixture(scope="session")
def node(request: pytest.FixtureRequest) -> Path:
    """npm's tools."""
    return tools.node_tools(request.config.cache.mkdir("openapi-node"))


@pytest.fixture(scope="session")
def python(request: pytest.FixtureRequest) -> Path:
    """A Python with PyPI's tools."""
    return tools.python_tools(request.config.cache.mkdir("openapi-python"))


@pytest.fixture(scope="session")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The document of the app as it ships, in a file."""
    path = tmp_path_factory.mktemp("openapi") / "openapi.json"
    path.write_text(as_text(app.openapi), encoding="utf-8")
    return path
