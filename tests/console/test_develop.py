"""Tools for whoever develops: a house that is lived in, mails, facts as they happen; and none of it in production.

Seen red: with `group.development` left out of `page_routes` the pages were there in production, and with the look at
`env` left out of `sow` the command put Anna there, with a password that everybody knows.
"""

import pytest

from nexuscore.kernel import seeds
from nexuscore.kernel.app import compose
from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.module import Module
from nexuscore.kernel.settings import KernelSettings, Settings, load
from nexuscore.kernel.testing import House
from nexuscore.modules.identity.testing import person
from tests.console.browsing import Browser
from tests.console.conftest import signed_in

pytestmark = pytest.mark.anyio
PRODUCTION = {
    "NEXUS_ENV": "production",
    "NEXUS_SECRET_KEY": "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0fR",
    "NEXUS_PUBLIC_URL": "https://app.harbour.test",
    "NEXUS_MAIL_FROM_ADDRESS": "no-reply@harbour.sg",
    "NEXUS_MAIL_SMTP_HOST": "smtp.harbour.test",
    "NEXUS_INVOICES_SUPPLIER_NAME": "Harbour Pte. Ltd.",
    "NEXUS_INVOICES_GST_CHARGED_TO": "everyone",
}


@pytest.fixture
async def root(door: House) -> Browser:
    """Who runs the platform, signed in."""
    return await signed_in(door, await person(door, "root@example.com", platform_role="admin"))


async def test_the_house_is_filled_once_and_everybody_can_be_seen(door: House, root: Browser) -> None:
    await root.open("/console/develop")
    assert {"/console/develop/mail", "/console/develop/events", "/api/docs", "/console/kit"} <= set(root.read.links)
    await root.send("/seed")
    assert "people: 5 new of 5" in root.text
    tables = ("users", "organisations", "memberships", "invitations", "invoices", "webhook_endpoints", "subscriptions")
    counted = " UNION ALL ".join(f"SELECT count(*) FROM {table}" for table in tables)
    async with door.app.context() as ctx, ctx.across_orgs("a test") as everywhere:
        before = await everywhere.db.raw(counted)
    await root.send("/seed")
    assert "people: 0 new of 5" in root.text
    async with door.app.context() as ctx, ctx.across_orgs("a test") as everywhere:
        assert await everywhere.db.raw(counted) == before
    await door.drain()
    await root.open("/console/develop/mail")
    assert "farid@example.com" in root.read.said
    await root.open("/console/develop/events?type=invoice.*")
    assert {"invoice.opened", "invoice.paid"} <= set(root.read.said)
    assert "member.added" not in root.text
    ben = Browser(door)
    await ben.open("/console/sign-in")
    await ben.send("sign-in", email="ben@harbour.example.com", password=seeds.PASSWORD)
    assert {"Your organisation", "To pay", "What happened"} <= set(ben.read.said)
    await ben.open("/console/members")
    assert {"Anna Kowalska", "Chaya Levi", "root@example.com", "farid@example.com"} <= set(ben.read.said)
    await ben.open("/console/webhooks")
    assert "http://localhost:9000/hook" in ben.read.said
    await ben.open("/console/develop/events")
    assert ben.status == 403, "everybody's facts are for who runs the platform, here too"


async def test_production_has_none_of_it(modules: list[Module], door: House, monkeypatch: pytest.MonkeyPatch) -> None:
    classes: list[type[Settings]] = [KernelSettings, *(each for module in modules for each in module.settings)]
    app = compose(modules, settings=load(classes, environ=PRODUCTION, env_file=None))
    paths = {route.path for route in app.routes}
    assert "/console/settings" in paths
    assert [path for path in paths if path.startswith(("/console/develop", "/console/kit"))] == []
    monkeypatch.setattr(door.app, "kernel", door.app.kernel.model_copy(update={"env": "production"}))
    with pytest.raises(ConfigurationError, match="nothing is sown here"):
        async with door.app.context() as ctx:
            await seeds.sow(ctx)
    assert "Anna Kowalska" not in await door.dump()
