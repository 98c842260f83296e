"""Notes, as a user could have written them, beside webhooks both ways."""

from collections.abc import AsyncIterator

import pytest

from examples.notes.module import module as notes
from nexuscore.kernel.app import App
from nexuscore.kernel.module import Module
from nexuscore.modules.inbox.module import module as inbox
from nexuscore.modules.webhooks.module import module as webhooks
from nexuscore.modules.webhooks.testing import Receiver, receiving


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [webhooks, inbox, notes]


@pytest.fixture
async def receiver(composed: App, anyio_backend: str) -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found
