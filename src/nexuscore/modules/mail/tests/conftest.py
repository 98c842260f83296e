"""The module under test."""

import pytest

from nexuscore.kernel.module import Module
from nexuscore.modules.mail.module import module


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [module]
