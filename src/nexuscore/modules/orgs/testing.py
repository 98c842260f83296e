"""For the tests of modules that need organisations with people in them.

anna = await person(house, "anna@example.com")
acme = await found(house, anna, "Acme")
ben = await acme.joined(await person(house, "ben@example.com"), "viewer")
assert (await ben.client.get(acme.path("/members"))).status_code == 200
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from nexuscore.kernel.testing import House
from nexuscore.modules.identity.testing import Person
from nexuscore.modules.orgs import people
from nexuscore.modules.orgs.access import held_by_role
from nexuscore.modules.orgs.roles import Role
from nexuscore.modules.orgs.tables import CUSTOM


@dataclass(slots=True)
class Org:
    """An organisation in a test, with its owner."""

    id: UUID
    owner: Person
    house: House

    def path(self, rest: str = "") -> str:
        """A path below the organisation's own."""
        return f"/organisations/{self.id}{rest}"

    async def joined(self, person: Person, role: str = "member", *, custom: UUID | None = None) -> Person:
        """`person`, now in the organisation, without the detour of an invitation; works here from now on."""
        app = self.house.app
        given = Role(CUSTOM, custom, frozenset()) if custom else Role(role, None, held_by_role(app, role))
        async with app.context(org=self.id) as ctx:
            await people.add(ctx, self.id, person.id, given)
        person.client.http.headers["nexus-org"] = str(self.id)
        return person


async def found(house: House, owner: Person, name: str = "Acme", **fields: Any) -> Org:
    """An organisation of `owner`, who works in it from now on."""
    answer = await owner.client.post("/organisations", {"name": name, **fields})
    assert answer.status_code == 201, answer.text
    org = Org(UUID(answer.json()["id"]), owner, house)
    await owner.client.post(org.path("/switch"))
    return org
