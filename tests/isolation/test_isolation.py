"""Every operation, called by everybody who must not: another tenant, nobody, a suspended person, a lower role.

Generated from the app: a new module's operations are probed by being there. Each denial is paired with the same
call by somebody who may, made last, so that no denial is for another reason and nothing denied had an effect.
"""

import pytest

from examples.notes.module import module as notes
from nexuscore.kernel.module import Module
from nexuscore.main import DEFAULT_MODULES
from nexuscore.modules.identity.module import module as identity
from nexuscore.modules.mail.module import module as mail
from nexuscore.modules.orgs.module import module as orgs
from tests.isolation.neighbours import Neighbours
from tests.isolation.operations import operations_of
from tests.isolation.probing import try_everybody, try_list

pytestmark = pytest.mark.anyio
# The neighbours need people and organisations, whatever ships; the notes stand where a user's module would.
MODULES = list({module.name: module for module in (*DEFAULT_MODULES, mail, identity, orgs, notes)}.values())
HOUSE = operations_of(MODULES)
PROBED = [name for name in HOUSE.closed if HOUSE.probe(name) is not None]
LISTS = [name for name in PROBED if HOUSE.maker(name)]


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return MODULES


@pytest.mark.parametrize("name", HOUSE.closed)
def test_every_operation_has_a_probe(name: str) -> None:
    missing = HOUSE.missing(name)
    assert missing is None, missing


def test_no_probe_is_left_over() -> None:
    assert sorted(HOUSE.probes.keys() - set(HOUSE.closed)) == []


@pytest.mark.parametrize(("name", "reason"), sorted(HOUSE.public.items()))
def test_what_is_public_says_why(name: str, reason: str) -> None:
    assert len(reason.split()) >= 3, f"{name} is open to everybody: say why in Public(...)"


@pytest.mark.parametrize("name", PROBED)
async def test_strangers_are_denied_and_members_are_not(neighbours: Neighbours, name: str) -> None:
    probe = HOUSE.probe(name)
    assert probe is not None
    await try_everybody(neighbours, HOUSE.routes[name], probe)


@pytest.mark.parametrize("name", LISTS)
async def test_a_list_shows_ones_own(neighbours: Neighbours, name: str) -> None:
    maker = HOUSE.maker(name) or ""
    probe = HOUSE.probe(maker)
    assert probe is not None
    await try_list(neighbours, HOUSE.routes[name], HOUSE.routes[maker], probe)
