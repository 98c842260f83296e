"""The module under test, beside a shop that announces things."""

from collections.abc import AsyncIterator

import pytest

from nexuscore.kernel.module import Module
from nexuscore.modules.webhooks.module import module
from nexuscore.modules.webhooks.testing import Receiver, receiving
from nexuscore.modules.webhooks.tests.shop import shop


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [shop, module]


@pytest.fixture
async def receiver(anyio_backend: str) -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found
