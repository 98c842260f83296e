"""Two organisations that must not see each other, and everybody who has no business in the first."""

from dataclasses import dataclass

from nexuscore.kernel.testing import House
from nexuscore.modules.identity.testing import Person, person
from nexuscore.modules.orgs import organisation_permissions
from nexuscore.modules.orgs.testing import Org, found


@dataclass(slots=True)
class Neighbours:
    """`owner` and `other` own an organisation each; `root` runs the platform."""

    house: House
    owner: Person
    other: Person
    root: Person
    ours: Org
    theirs: Org

    async def drifter(self) -> Person:
        """Somebody who is in no organisation."""
        return await person(self.house, "drifter@example.com")

    async def viewer(self) -> Person:
        """A member of ours who may only look."""
        return await self.ours.joined(await person(self.house, "viewer@example.com"), "viewer")

    async def suspended(self) -> Person:
        """An owner of ours whose account the platform has closed."""
        who = await self.ours.joined(await person(self.house, "suspended@example.com"), "owner")
        answer = await self.root.client.post(f"/users/{who.id}/suspend", {"reason": "probe"})
        assert answer.status_code == 200, answer.text
        return who

    async def lacking(self, permission: str) -> Person:
        """A member of ours who holds everything an organisation can give, but not this."""
        rest = sorted(organisation_permissions(self.house.app).keys() - {permission})
        role = await self.owner.client.post(self.ours.path("/roles"), {"name": "Almost all", "permissions": rest})
        assert role.status_code == 201, role.text
        who = await person(self.house, "lacking@example.com")
        return await self.ours.joined(who, custom=role.json()["custom_role_id"])


async def settle(house: House) -> Neighbours:
    """The two organisations, with their owners signed in."""
    root = await person(house, "root@example.com", platform_role="admin")
    owner, other = await person(house, "owner@example.com"), await person(house, "other@example.com")
    return Neighbours(house, owner, other, root, await found(house, owner, "Ours"), await found(house, other, "Theirs"))
