"""Pages of who runs the platform: what came in from others, settings, the doctor.

A secret never stands in a page. The attack was made to succeed first: the last lines of
`test_no_secret_stands_in_a_page` weaken the mask, and every secret is there.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from nexuscore.kernel import process
from nexuscore.kernel.process import Urls
from nexuscore.kernel.settings import reading
from nexuscore.kernel.testing import House
from nexuscore.modules.identity.testing import QUICK, person
from nexuscore.modules.inbox.testing import post, signed_by_stripe
from tests.console.browsing import Browser
from tests.console.conftest import signed_in

pytestmark = pytest.mark.anyio
SECRET = "whsec_canary_of_the_shop_4711"
SECRETS = {
    "NEXUS_INBOX_STRIPE_SECRETS": SECRET,
    "NEXUS_SECRET_KEY": "canary-of-the-key-0123456789-abcdefghij",
    "NEXUS_METRICS_TOKEN": "canary-of-metrics-0123456789-abcdefghij",
    "NEXUS_ALERT_PAGERDUTY_KEY": "canary-of-the-pager",
}


@pytest.fixture
def settings() -> dict[str, str]:
    return {
        **QUICK,
        **SECRETS,
        "DATABASE_URL": "postgresql://nexus:canary-of-the-database@db.test/nexus",
        "NEXUS_REDIS_URL": "redis://:canary-of-redis@127.0.0.1:1/0",
    }


@pytest.fixture
async def root(door: House) -> Browser:
    """Who runs the platform, signed in."""
    return await signed_in(door, await person(door, "root@example.com", platform_role="admin"))


async def test_what_comes_in_is_seen_read_and_acted_upon(door: House, root: Browser) -> None:
    await root.open("/console/inbox")
    assert "Nothing has come in yet" in root.text
    assert "/hooks/generic -H" in root.html
    body = b'{"id": "evt_1", "type": "weather.changed", "data": {"email": "ada@example.com", "city": "<b>Oslo</b>"}}'
    for secret in (SECRET, "forged"):
        await post(door, "stripe", body, signed_by_stripe(secret, body))
    await root.open("/console/inbox?provider=stripe")
    assert {"weather.changed", "stripe", "waiting"} <= set(root.read.said)
    (page,) = {link for link in root.read.links if link.startswith("/console/inbox/0")}
    await root.open(page)
    assert "&lt;b&gt;Oslo" in root.html
    assert "ada@example.com" not in root.html, "personal data is masked"
    await root.send("/failed", error="")
    assert root.status == 422, "why it is given up must be said"
    await root.send("/failed", error="not for us")
    assert {"not for us", "failed"} <= set(root.read.said)
    await root.send("/replay")
    assert "It is processed again now." in root.read.said
    await door.drain()
    await root.open(page)
    assert {"processed", "Nobody handles this type; it is kept all the same."} <= set(root.read.said)
    await root.open("/console/search?q=evt_1")
    assert page in root.read.links
    await root.open("/console/inbox/sources")
    assert {"the signature did not hold", "NEXUS_INBOX_GENERIC_SECRETS", "Yes", "No"} <= set(root.read.said)
    assert SECRET not in root.html


@pytest.fixture
def known(door: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """The house, whose doctor looks at the database of this test."""

    @asynccontextmanager
    async def here(*_: Any, **__: Any) -> AsyncIterator[Urls]:
        yield Urls(door.dsn, door.owner_dsn)

    monkeypatch.setattr(process, "database", here)
    return door


async def test_settings_and_the_doctor_say_what_the_terminal_says(known: House, root: Browser) -> None:
    await root.open("/console/settings?q=pool_max")
    assert root.read.said.count("NEXUS_POOL_MAX") == 1
    assert "NEXUS_POOL_MIN" not in root.text
    await root.open("/console/settings?source=environment")
    assert {"NEXUS_REDIS_URL", "********", "environment"} <= set(root.read.said)
    assert "NEXUS_POOL_MAX" not in root.text
    await root.open("/console/doctor")
    assert {"All is well.", "row-level security is forced on every tenant's table", "none to run"} <= set(
        root.read.said
    )


async def test_no_secret_stands_in_a_page(known: House, root: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = ("/console/settings", "/console/settings?csv=settings", "/console/doctor", "/console/search?q=canary")
    for page in pages:
        answer = await root.http.get(page)
        assert answer.status_code == 200
        assert "canary" not in answer.text.replace("q=canary", "").replace('value="canary"', "").replace("“canary”", "")
    monkeypatch.setattr(reading, "_is_secret", lambda field: False)
    monkeypatch.setattr("pydantic.SecretStr.__str__", lambda secret: secret.get_secret_value())
    shown = (await root.open("/console/settings")).html
    for secret in ("canary-of-the-database", "canary-of-redis", "canary-of-metrics", "canary-of-the-pager", SECRET):
        assert secret in shown, "the weakened build shows it, so the test would see it"
