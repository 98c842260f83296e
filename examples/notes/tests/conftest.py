"""The module under test."""

import pytest

from examples.notes.module import module
from nexuscore.kernel.module import Module


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [module]
