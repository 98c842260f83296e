"""`nexus access`, as somebody types it."""

import asyncio
from collections.abc import Sequence

import pytest
from typer.testing import CliRunner, Result

from nexuscore.kernel.app import App, compose
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.module import Module
from nexuscore.kernel.settings import KernelSettings, Settings, load
from nexuscore.kernel.testing import House
from nexuscore.modules.identity.testing import account, person
from nexuscore.modules.orgs.commands import commands
from nexuscore.modules.orgs.module import module
from nexuscore.modules.orgs.testing import found

pytestmark = pytest.mark.anyio


def beside(house: House, modules: Sequence[Module]) -> App:
    """The same app once more, as a command of its own process would load it."""
    environ = {
        "NEXUS_ENV": "test",
        "NEXUS_DATA": str(house.app.kernel.data),
        "DATABASE_URL": house.dsn,
        "DATABASE_OWNER_URL": house.owner_dsn,
    }
    classes: list[type[Settings]] = [KernelSettings, *(cls for each in modules for cls in each.settings)]
    return compose(modules, settings=load(classes, environ=environ, env_file=None))


async def test_access_is_explained(committed_house: House, modules: list[Module]) -> None:
    house = committed_house
    anna = await person(house, "anna@example.com")
    acme = await found(house, anna, "Acme")
    ben = await account(house, "ben@example.com")

    async def nexus_access(*words: str) -> Result:
        result = await asyncio.to_thread(CliRunner().invoke, commands, words, obj=beside(house, modules))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    told = await nexus_access("explain", "Anna@example.com", "members.invite")
    assert told.exit_code == 0
    assert told.output.splitlines() == [
        "Yes: Anna@example.com may members.invite.",
        "- They are in Acme with the role Owner.",
        "- An owner holds every permission of the organisation.",
    ]
    for org in ("acme", str(acme.id)):
        told = await nexus_access("explain", str(ben.id), "members.invite", "--org", org)
        assert told.exit_code == 1
        assert told.output.splitlines() == [
            f"No: {ben.id} may not members.invite.",
            "- They are not a member of Acme.",
        ]
    alone = await nexus_access("explain", "ben@example.com", "members.invite")
    assert "- No organisation was asked about." in alone.output
    for who in ("nobody@example.com", "nobody", "00000000-0000-7000-8000-000000000000"):
        with pytest.raises(NotFoundError, match="There is nobody called"):
            await nexus_access("explain", who, "members.invite")
    with pytest.raises(NotFoundError, match="There is no organisation globex"):
        await nexus_access("explain", "ben@example.com", "members.invite", "--org", "globex")


def test_the_command_has_a_name_of_its_own() -> None:
    assert module.command == "access"
