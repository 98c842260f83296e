"""What strangers may do at the door is bounded: how often they try to get in, and what they make us store meanwhile.

Seen to succeed on the build before: of 12 forms of 200 kB a stranger sent, 12 were stored; and of passwords
tried by the sign-in page from one address, each on another account, every one was looked at.
"""

import httpx2
import pytest
from sqlalchemy import func, select

from nexuscore.console.tables import Draft
from nexuscore.kernel.testing import House
from nexuscore.modules.identity.testing import QUICK
from tests.console.browsing import ACCEPT, Browser
from tests.console.conftest import owner, signed_in

pytestmark = pytest.mark.anyio
STORED = select(func.count()).select_from(Draft)


@pytest.fixture
def settings() -> dict[str, str]:
    return {**QUICK, "NEXUS_LIMITS": "off, drafts=6/h, sign_in=5/min", "NEXUS_CONSOLE_DRAFTS": "9"}


async def knock(door: House, ip: str, times: int, size: int = 1000) -> int:
    """Forms of a stranger without cookies; how many drafts there are then."""
    for _ in range(times):
        transport = httpx2.ASGITransport(app=door.app, client=(ip, 40_000))
        async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as stranger:
            answer = await stranger.post(
                "/console/notes/new", data={"title": "x", "body": "y" * size}, headers={"accept": ACCEPT}
            )
        assert (answer.status_code, answer.headers["location"][:16]) == (303, "/console/sign-in")
    async with door.context() as ctx:
        return int(await ctx.db.value(STORED))


async def test_a_stranger_cannot_fill_the_database(door: House) -> None:
    who = await owner(door, "anna@example.com")
    browser = await signed_in(door, who)
    await browser.open("/console/notes/new")
    del browser.http.cookies["nexus_session"]
    assert await knock(door, "203.0.113.77", 2, size=200_000) == 0, "longer than anybody types"
    assert await knock(door, "203.0.113.77", 12) == 6, "an address has a number of them"
    await browser.send("note", title="Milk", body="an hour of typing")
    assert await knock(door, "203.0.113.78", 2) == 9
    assert await knock(door, "203.0.113.79", 6) == 9, "all together have one: the oldest went"
    await browser.send("sign-in", email=who.email, password=who.password)
    assert browser.at == "/console/notes/new"
    assert dict(browser.form("note").fields)["body"] == "an hour of typing"


async def test_one_address_tries_few_passwords_by_the_page_and_the_api_together(door: House) -> None:
    browser = await Browser(door).open("/console/sign-in")
    found = []
    for number in range(6):
        values = browser.form("sign-in").values(email=f"victim{number}@example.com", password="Summer-2026")
        found.append((await browser.post("/console/sign-in", values)).status_code)
    assert found == [401] * 5 + [429]
    given = {"email": "victim7@example.com", "password": "Summer-2026"}
    assert (await browser.http.post("/api/v1/auth/sign-in", json=given)).status_code == 429
