"""The slot for how many members an organisation may have, filled as a plan would fill it."""

import pytest

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.module import Module
from nexuscore.kernel.testing import House
from nexuscore.modules.identity.module import module as identity
from nexuscore.modules.identity.testing import Person, person
from nexuscore.modules.mail.module import module as mail
from nexuscore.modules.orgs import MemberLimit
from nexuscore.modules.orgs.module import module
from nexuscore.modules.orgs.testing import Org

pytestmark = pytest.mark.anyio


class Three(MemberLimit):
    async def limit(self, ctx: Ctx) -> int | None:
        return 3


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [mail, identity, module, Module(name="plans", package=None, contributes=(Three(),))]


async def test_the_limit_counts_open_invitations_and_says_what_to_do(house: House, acme: Org, ben: Person) -> None:
    anna = acme.owner.client
    first = await anna.post(acme.path("/invitations"), {"email": "ben@example.com"})
    assert first.status_code == 201
    assert (await anna.post(acme.path("/invitations"), {"email": "x@example.com"})).status_code == 201
    full = await anna.post(acme.path("/invitations"), {"email": "y@example.com"})
    assert (full.status_code, full.json()["error_code"]) == (400, "limit_reached")
    assert full.json()["details"] == {"what": "members", "limit": 3, "used": 3}
    assert "choose a larger plan" in full.json()["detail"]


async def test_the_limit_holds_when_an_invitation_is_accepted_late(house: House, acme: Org, ben: Person) -> None:
    invited = await acme.owner.client.post(acme.path("/invitations"), {"email": "ben@example.com"})
    for name in ("carl", "dora"):
        await acme.joined(await person(house, f"{name}@example.com"))
    late = await ben.client.post(f"/invitations/{invited.json()['id']}/accept")
    assert (late.status_code, late.json()["error_code"]) == (400, "limit_reached")
    assert [offer["id"] for offer in (await ben.client.get("/invitations")).json()] == [invited.json()["id"]]
