"""Notes, as a user could have written them, beside the audit."""

import pytest

from examples.notes.module import module as notes
from nexuscore.kernel.module import Module
from nexuscore.modules.audit.module import module as audit


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [audit, notes]
