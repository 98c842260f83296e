"""The module under test, and one that uses it."""

import pytest

from nexuscore.kernel.module import Module
from nexuscore.modules.mail.module import module
from nexuscore.modules.mail.tests.probe import Script, first, probe, second


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [module, probe]


@pytest.fixture(autouse=True)
def _senders_forget() -> None:
    for sender in (first, second):
        sender.answers, sender.seen, sender.ready, sender.takes_s = [], [], False, 0.0


@pytest.fixture
def script() -> Script:
    """A sender that answers as told, in place of the outbox."""
    first.ready = True
    return first


@pytest.fixture
def fallback(script: Script) -> Script:
    """The one that is asked after it."""
    second.ready = True
    return second
