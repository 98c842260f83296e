"""Who may pass: every way an operation declares it, with and without a transaction of its own."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from nexuscore.kernel.access import ACCOUNT, Actor
from nexuscore.kernel.app import App
from nexuscore.kernel.http.auth import DevelopmentToken, Identity, development_token
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.module import Module
from nexuscore.kernel.tables import APP_ROLE
from nexuscore.kernel.testing import Client, Databases, House, Personas, RolledBack
from tests.kernel.doors import module as doors

pytestmark = pytest.mark.anyio
DOORS = ("raw", "fresh", "fresh-ctx", "mine", "all")


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    return [doors]


class Dressed(Personas):
    """The personas, each actor changed as a test wants."""

    def __init__(self, **changes: Any) -> None:
        super().__init__()
        self.changes = changes

    async def identify(self, app: App, exchange: Exchange) -> Identity:
        identity = await super().identify(app, exchange)
        return replace(identity, actor=replace(identity.actor, **self.changes)) if identity.actor.known else identity


async def passed(client: Client) -> dict[str, int]:
    return {door: (await client.post(f"/doors/{door}")).status_code for door in DOORS}


async def test_each_door_lets_in_whom_it_names(house: House, alice: Client, bob: Client, nobody: Client) -> None:
    """Seen red while an operation without a transaction looked at no permission at all."""
    assert await passed(alice) == {"raw": 200, "fresh": 401, "fresh-ctx": 401, "mine": 200, "all": 200}
    assert await passed(bob) == {"raw": 403, "fresh": 401, "fresh-ctx": 403, "mine": 200, "all": 200}
    assert await passed(nobody) == {"raw": 401, "fresh": 401, "fresh-ctx": 401, "mine": 401, "all": 200}
    house.app.authenticator = Dressed(fresh=True)
    assert await passed(alice) == {"raw": 200, "fresh": 200, "fresh-ctx": 200, "mine": 200, "all": 200}
    assert await passed(bob) == {"raw": 403, "fresh": 200, "fresh-ctx": 403, "mine": 200, "all": 200}


async def test_a_key_passes_where_it_was_made_for(house: House, alice: Client) -> None:
    key = Actor("key", uuid4(), frozenset({"doors.open"}))
    house.app.authenticator = Dressed(kind="key", permissions=key.permissions)
    assert await passed(alice) == {"raw": 200, "fresh": 403, "fresh-ctx": 401, "mine": 403, "all": 200}
    house.app.authenticator = Dressed(kind="key", permissions=frozenset({ACCOUNT}))
    assert await passed(alice) == {"raw": 403, "fresh": 401, "fresh-ctx": 403, "mine": 200, "all": 200}


async def test_the_development_token_stands_before_a_module_for_identity(composed: App, databases: Databases) -> None:
    behind = DevelopmentToken(behind=Personas())
    house = House(composed, "", "")
    composed.authenticator = behind
    await composed.start(database=RolledBack(databases.server.dsn(await databases.shared(composed), APP_ROLE)))
    try:
        token = development_token(composed)
        assert (await passed(house.client(token)))["raw"] == 200
        assert (await passed(house.client("alice")))["raw"] == 200
        assert (await passed(house.client(token + "x")))["raw"] == 401
        assert (await passed(house.client()))["raw"] == 401
    finally:
        await composed.stop()


async def test_a_token_that_is_over_does_not_close_a_public_door(house: House) -> None:
    assert await passed(house.client("long-gone")) == {
        "raw": 401,
        "fresh": 401,
        "fresh-ctx": 401,
        "mine": 401,
        "all": 200,
    }


async def test_a_refused_door_says_why(house: House, alice: Client, bob: Client) -> None:
    stale = (await alice.post("/doors/fresh")).json()
    assert stale["error_code"] == "reauthentication_required"
    denied = (await bob.post("/doors/raw")).json()
    assert (denied["error_code"], denied["details"]) == ("permission_denied", {"permission": "doors.open"})
