"""Pages of who runs the platform: what came in from others."""

import pytest

from nexuscore.kernel.testing import House
from nexuscore.modules.identity.testing import QUICK, person
from nexuscore.modules.inbox.testing import post, signed_by_stripe
from tests.console.browsing import Browser
from tests.console.conftest import signed_in

pytestmark = pytest.mark.anyio
SECRET = "whsec_canary_of_the_shop_4711"


@pytest.fixture
def settings() -> dict[str, str]:
    return {**QUICK, "NEXUS_INBOX_STRIPE_SECRETS": SECRET}


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
