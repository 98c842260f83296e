"""`nexus mail`, as somebody types it."""

import asyncio
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from nexuscore.kernel.app import App, compose
from nexuscore.kernel.errors import NotFoundError, ValidationError
from nexuscore.kernel.settings import KernelSettings, load
from nexuscore.kernel.testing import House
from nexuscore.modules import mail
from nexuscore.modules.mail.commands import commands
from nexuscore.modules.mail.module import module
from nexuscore.modules.mail.settings import MailSettings
from nexuscore.modules.mail.tests.probe import Hello, Script, probe

pytestmark = pytest.mark.anyio


def beside(house: House, **more: str) -> App:
    """The same app once more, as a command of its own process would load it."""
    environ = {
        "NEXUS_ENV": "test",
        "NEXUS_DATA": str(house.app.kernel.data),
        "DATABASE_URL": house.dsn,
        "DATABASE_OWNER_URL": house.owner_dsn,
        **more,
    }
    return compose([module, probe], settings=load([KernelSettings, MailSettings], environ=environ, env_file=None))


async def nexus_mail(house: House, *words: str, **settings: str) -> Result:
    result = await asyncio.to_thread(CliRunner().invoke, commands, words, obj=beside(house, **settings))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


async def test_the_first_mail(committed_house: House) -> None:
    house = committed_house
    assert (await nexus_mail(house, "list")).output == "No mail yet. Send one: nexus mail test ADDRESS\n"
    tried = await nexus_mail(house, "test", "you@example.com", "--locale", "he")
    assert tried.exit_code == 0
    assert "mail.trial (he) to you@example.com\nState: sent, by outbox, tries: 1\n" in tried.output
    assert "Subject: הדואר של NexusCore פועל" in tried.output
    [line] = (await nexus_mail(house, "list")).output.splitlines()
    mail_id = line.split()[0]
    assert "sent" in line
    assert "you@example.com" in line
    assert "הדואר פועל" in (await nexus_mail(house, "show", mail_id, "--html")).output
    assert (await nexus_mail(house, "show", mail_id, "--source")).output.startswith("From: NexusCore")
    assert (await nexus_mail(house, "show", mail_id)).output == tried.output


async def test_a_trial_that_fails_says_why(committed_house: House, script: Script) -> None:
    script.answers = [mail.Refused("403 the domain is not verified")]
    tried = await nexus_mail(committed_house, "test", "you@example.com")
    assert tried.exit_code == 1
    assert "State: failed, by script, tries: 1\nError: 403 the domain is not verified" in tried.output
    mail_id = (await nexus_mail(committed_house, "list")).output.split()[0]
    assert "Queued again" in (await nexus_mail(committed_house, "retry", mail_id)).output
    await committed_house.drain()
    assert "State: sent, by script" in (await nexus_mail(committed_house, "show", mail_id)).output


async def test_an_address_is_let_through_again(committed_house: House, script: Script) -> None:
    script.answers = [mail.Refused("550 gone", bounced=True)]
    assert (await nexus_mail(committed_house, "test", "you@example.com")).exit_code == 1
    stopped = await nexus_mail(committed_house, "test", "You@example.com")
    assert "State: suppressed" in stopped.output
    assert "gets mail again" in (await nexus_mail(committed_house, "allow", "YOU@example.com")).output
    assert "was not stopped" in (await nexus_mail(committed_house, "allow", "you@example.com")).output
    assert (await nexus_mail(committed_house, "test", "you@example.com")).exit_code == 0


async def test_mistakes_are_named(committed_house: House) -> None:
    with pytest.raises(ValidationError, match="you is not an e-mail address"):
        await nexus_mail(committed_house, "test", "you")
    with pytest.raises(NotFoundError, match="There is no mail"):
        await nexus_mail(committed_house, "show", str(uuid4()))
    with pytest.raises(NotFoundError, match="has failed"):
        await nexus_mail(committed_house, "retry", str(uuid4()))
    assert (await nexus_mail(committed_house, "show", "7")).exit_code == 2


async def test_only_so_many_are_listed(committed_house: House) -> None:
    async with committed_house.context() as ctx:
        for number in range(3):
            await mail.send(ctx, Hello(name="x"), to=f"p{number}@example.com", locale="en")
    lines = (await nexus_mail(committed_house, "list", "--limit", "2")).output.splitlines()
    assert [line.split()[-1] for line in lines] == ["p2@example.com", "p1@example.com"]
