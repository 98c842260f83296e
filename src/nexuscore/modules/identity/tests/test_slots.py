"""What other modules fill in: who belongs to which organisation. And the country of an address."""

import struct
from pathlib import Path
from typing import Annotated, Any, ClassVar
from uuid import UUID

import pytest

from nexuscore.kernel.access import Permission, PermissionDenied
from nexuscore.kernel.app import App
from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http import Can, Routes
from nexuscore.kernel.module import Module
from nexuscore.kernel.testing import ORG_A, ORG_B, House
from nexuscore.modules.identity import Grants, Memberships, devices, switch_org
from nexuscore.modules.identity.module import module
from nexuscore.modules.identity.testing import QUICK, person, sign_in, visitor
from nexuscore.modules.mail.module import module as mail

pytestmark = pytest.mark.anyio
routes = Routes("/probe", tag="Probe")
PROBE = Permission("probe.see", "See the probe.", ("member", "platform:moderator"))
CanSee = Annotated[Ctx, Can(PROBE)]


@routes.get("", answer=dict[str, Any])
async def see_probe(ctx: CanSee) -> dict[str, Any]:
    """Where the caller is, and as what."""
    return {"org": str(ctx.org) if ctx.org else None, "role": ctx.actor.facts.get("org_role")}


@routes.post("/switch/{org}", status=204)
async def switch_probe(ctx: CanSee, org: UUID) -> None:
    """Go on in another organisation."""
    await switch_org(ctx, org)


class Book(Memberships):
    """Who belongs where, in memory."""

    members: ClassVar[dict[tuple[UUID, UUID], str]] = {}
    asked: ClassVar[int] = 0

    async def grants(self, app: App, user_id: UUID, org_id: UUID) -> Grants | None:
        type(self).asked += 1
        role = self.members.get((user_id, org_id))
        return None if role is None else Grants(frozenset({"probe.see"} if role == "member" else ()), role)

    async def key_grants(self, app: App, org_id: UUID, scopes: frozenset[str]) -> Grants | None:
        return None

    async def default_org(self, app: App, user_id: UUID) -> UUID | None:
        return next((org for user, org in self.members if user == user_id), None)


probe = Module(
    name="probe", package=None, routes=(routes,), permissions=(PROBE,), contributes=(Book(),), needs=("identity",)
)


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [mail, module, probe]


@pytest.fixture(autouse=True)
def _nobody_belongs_anywhere() -> None:
    Book.members, Book.asked = {}, 0


async def test_a_session_begins_where_its_owner_belongs(house: House) -> None:
    anna = await person(house, "anna@example.com")
    Book.members[anna.id, ORG_A] = "member"
    assert (await anna.client.get("/probe")).json() == {"org": str(ORG_A), "role": "member"}


async def test_the_header_names_another(house: House) -> None:
    anna = await person(house, "anna@example.com")
    Book.members.update({(anna.id, ORG_A): "member", (anna.id, ORG_B): "viewer"})
    assert (await anna.client.get("/probe", headers={"nexus-org": str(ORG_A)})).status_code == 200
    assert (await anna.client.get("/probe", headers={"nexus-org": str(ORG_B)})).status_code == 403
    broken = await anna.client.get("/probe", headers={"nexus-org": "x"})
    assert broken.status_code == 422


async def test_an_organisation_one_does_not_belong_to_is_not_there(house: House) -> None:
    anna = await person(house, "anna@example.com", platform_role="admin")
    async with house.expect_events(PermissionDenied) as facts:
        answer = await anna.client.get("/me", headers={"nexus-org": str(ORG_B)})
    assert (answer.status_code, answer.json()["error_code"]) == (404, "not_found")
    assert facts[0].body["id"] == str(ORG_B)
    assert facts[0].actor_id == anna.id


async def test_a_session_goes_on_in_another_organisation(house: House) -> None:
    anna = await person(house, "anna@example.com")
    Book.members.update({(anna.id, ORG_A): "member", (anna.id, ORG_B): "member"})
    assert (await anna.client.post(f"/probe/switch/{ORG_B}")).status_code == 204
    assert (await anna.client.get("/probe")).json()["org"] == str(ORG_B)


async def test_a_lost_membership_is_noticed_within_five_seconds(house: House, fake_clock: FakeClock) -> None:
    anna = await person(house, "anna@example.com")
    Book.members[anna.id, ORG_A] = "member"
    for _ in range(5):
        assert (await anna.client.get("/probe")).status_code == 200
    assert Book.asked == 1
    Book.members.clear()
    fake_clock.advance(seconds=3)
    assert (await anna.client.get("/probe")).status_code == 403
    named = await anna.client.get("/probe", headers={"nexus-org": str(ORG_A)})
    assert named.status_code == 404


async def test_platform_roles_hold_what_names_them(house: House) -> None:
    got = {}
    for role in ("admin", "moderator", "user", "guest"):
        one = await person(house, f"{role}@example.com", platform_role=role)
        got[role] = (await one.client.get("/probe")).status_code
    assert got == {"admin": 200, "moderator": 200, "user": 403, "guest": 403}


def country_database() -> bytes:
    """The smallest MaxMind database: 128.0.0.0/1 is Poland, the rest of the world is unknown."""

    def text(word: str) -> bytes:
        return bytes([0x40 | len(word)]) + word.encode()

    def number(value: int, kind: int = 5) -> bytes:
        raw = value.to_bytes(4, "big").lstrip(b"\0")
        return bytes([kind << 5 | len(raw)]) + raw

    nodes = struct.pack(">I", 1)[1:] + struct.pack(">I", 1 + 16)[1:]
    data = bytes([0xE1]) + text("country") + bytes([0xE1]) + text("iso_code") + text("PL")
    facts = {
        "node_count": number(1, 6),
        "record_size": number(24),
        "ip_version": number(4),
        "database_type": text("Country"),
        "languages": bytes([0x00, 0x04]),
        "binary_format_major_version": number(2),
        "binary_format_minor_version": number(0),
        "build_epoch": bytes([0x01, 0x02, 0x01]),
        "description": bytes([0xE0]),
    }
    meta = bytes([0xE0 | len(facts)]) + b"".join(text(name) + value for name, value in facts.items())
    return nodes + b"\0" * 16 + data + b"\xab\xcd\xefMaxMind.com" + meta


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    file = tmp_path / "countries.mmdb"
    file.write_bytes(country_database())
    return {**QUICK, "NEXUS_IDENTITY_GEOIP_FILE": str(file)}


async def test_a_session_shows_its_country(house: House) -> None:
    anna = await person(house, "anna@example.com", client=visitor(house, ip="203.0.113.7"))
    await sign_in(visitor(house, ip="100.64.0.1"), anna.email)
    listed = (await anna.client.get("/me/sessions")).json()["data"]
    assert [each["country"] for each in listed] == [None, "PL"]


@pytest.mark.parametrize("content", [b"this is no database", None])
def test_a_broken_database_of_countries_keeps_nobody_out(
    composed: App, settings: dict[str, str], content: bytes | None
) -> None:
    file = Path(settings["NEXUS_IDENTITY_GEOIP_FILE"])
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    assert devices.country(composed, "203.0.113.7") is None
