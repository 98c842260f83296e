"""What crosses modules is tested with the notes beside whatever is built in."""

import pytest

from examples.notes.module import module as notes
from nexuscore.kernel.module import Module
from tests.kernel.chores import module as chores


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [notes, chores]
