"""What is tried against one operation, and what must come of it."""

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import httpx2

from nexuscore.kernel.http.routes import Can
from nexuscore.kernel.http.run import CtxRoute
from nexuscore.kernel.testing import Client
from nexuscore.modules.orgs import held_by_role, organisation_permissions
from tests.isolation.neighbours import Neighbours
from tests.isolation.operations import Probe


@dataclass(frozen=True, slots=True)
class Call:
    """One operation with everything it needs."""

    route: CtxRoute
    parameters: dict[str, Any]
    body: Any
    empty: list[str] = field(default_factory=list)

    async def by(self, client: Client, **headers: str) -> httpx2.Response:
        """Send it as somebody."""
        path = self.route.path.format(**{name: self.parameters[name] for name in self.ids})
        query = {name: value for name, value in self.parameters.items() if name not in self.ids}
        headers["idempotency-key"] = uuid4().hex
        method = self.route.declared.method
        return await client.request(method, path, self.body, params=query, headers=headers)

    def swapped(self, name: str, stranger: "Call") -> "Call":
        """The same with one id, of the path or of the body, of the stranger's."""
        if name in self.parameters:
            return replace(self, parameters={**self.parameters, name: stranger.parameters[name]})
        return replace(self, body={**self.body, name: stranger.body[name]})

    @property
    def ids(self) -> list[str]:
        """The parameters of the path, which are what a stranger would guess."""
        return [name for name in self.parameters if "{" + name + "}" in self.route.path]

    @property
    def ids_in_body(self) -> list[str]:
        """The fields of the body that name something."""
        return [name for name in self.body if name.endswith("_id")] if isinstance(self.body, dict) else []

    @property
    def was_empty(self) -> bool:
        """Whether a stranger was answered with an empty list, which denies too, if ours is not empty."""
        return bool(self.empty)

    @property
    def permission(self) -> str | None:
        """What the operation asks for."""
        return self.route.admission.name if isinstance(self.route.admission, Can) else None


async def try_everybody(neighbours: Neighbours, route: CtxRoute, probe: Probe) -> None:
    """Everybody who must not, then somebody who may: so no denial is for another reason, and none had an effect."""
    house = neighbours.house
    permission = Call(route, {}, None).permission
    platform = permission is not None and permission not in organisation_permissions(house.app)
    us = neighbours.root if platform else neighbours.owner
    ours = Call(route, *await probe(house, us.client))
    await denied(ours, Client(house), 401)
    await denied(ours, (await neighbours.suspended()).client, 401, 403)
    if platform:
        await denied(ours, neighbours.owner.client, 403)
    else:
        await try_other_tenants(neighbours, ours, Call(route, *await probe(house, neighbours.other.client)))
        await try_lower_roles(neighbours, ours)
    answer = await ours.by(us.client)
    assert answer.status_code < 400, f"the control failed: {answer.status_code} {answer.text}"
    assert not ours.was_empty or answer.json()["data"], "the control failed: the list is empty for us too"


async def try_other_tenants(neighbours: Neighbours, ours: Call, theirs: Call) -> None:
    """The other organisation's owner, and somebody of none, with our ids; and our owner with each id of theirs.

    What is the same for both, such as the name of a type, is nobody's.
    """
    other, owner, drifter = neighbours.other.client, neighbours.owner.client, (await neighbours.drifter()).client
    asks = ours.permission is not None
    ids = [name for name in ours.ids if ours.parameters[name] != theirs.parameters[name]]
    if ids:
        await denied(ours, other, 404)
        await denied(ours, drifter, 403, 404)
    elif asks:
        await denied(ours, drifter, 403)
    if asks:
        await denied(ours, other, 404, **{"nexus-org": str(neighbours.ours.id)})
    for name in ids:
        await denied(ours.swapped(name, theirs), owner, 404)
    for name in ours.ids_in_body:
        await denied(ours.swapped(name, theirs), owner, 400, 403, 404, 409, 422)


async def try_lower_roles(neighbours: Neighbours, ours: Call) -> None:
    """Members of ours who hold everything but the permission; and viewers, if theirs is not the permission."""
    if ours.permission is None:
        return
    await denied(ours, (await neighbours.lacking(ours.permission)).client, 403)
    if ours.permission not in held_by_role(neighbours.house.app, "viewer"):
        await denied(ours, (await neighbours.viewer()).client, 403)


async def try_list(neighbours: Neighbours, route: CtxRoute, made_by: CtxRoute, probe: Probe) -> None:
    """What is added to our list stands in it, and not in the other organisation's."""
    made = await Call(made_by, *await probe(neighbours.house, neighbours.owner.client)).by(neighbours.owner.client)
    assert made.status_code < 400, made.text
    listed = Call(route, {}, None)
    assert made.json()["id"] in (await listed.by(neighbours.owner.client)).text, "the control failed: it is not listed"
    assert made.json()["id"] not in (await listed.by(neighbours.other.client)).text, "the other organisation lists it"


async def denied(call: Call, client: Client, *statuses: int, **headers: str) -> None:
    """The call is refused with one of these statuses; where something is not there, a list of it may be empty."""
    answer = await call.by(client, **headers)
    is_json = "json" in answer.headers.get("content-type", "")
    if answer.status_code == 200 and 404 in statuses and is_json and answer.json().get("data") == []:
        call.empty.append(answer.text)
        return
    assert answer.status_code in statuses, f"{answer.status_code} instead of {statuses}: {answer.text}"
    assert answer.json()["success"] is False
