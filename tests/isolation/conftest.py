"""Two organisations side by side, in the app whose modules a test file names."""

import pytest

from nexuscore.kernel.testing import House
from nexuscore.modules.identity.testing import QUICK, WAYS, with_identity
from nexuscore.modules.invoices.testing import SUPPLIER
from tests.isolation.neighbours import Neighbours, settle


@pytest.fixture
def settings() -> dict[str, str]:
    return {**QUICK, **WAYS, **SUPPLIER}


@pytest.fixture
async def neighbours(house: House) -> Neighbours:
    """Ours, theirs, and everybody else."""
    return await settle(with_identity(house))
