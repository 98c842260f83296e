"""The search: what it finds, for whom, and that it tells nobody what their pages would not.

Seen red: with `can` taken out of `search.find` the viewer and the stranger found what is not theirs; with
members looked for across organisations in `MemberFinder` Eve found Anna.
"""

import pytest

from nexuscore.kernel.http.pages import Finder
from nexuscore.kernel.testing import House
from nexuscore.modules.identity.testing import person
from nexuscore.modules.orgs.testing import found
from tests.console.browsing import Browser
from tests.console.conftest import owner, signed_in

pytestmark = pytest.mark.anyio


async def links(browser: Browser, words: str) -> set[str]:
    """Where the search leads, the page's own links left out."""
    answer = await browser.http.get("/console/search", params={"q": words})
    assert answer.status_code == 200, answer.text
    browser.answer = answer
    nothing = await browser.http.get("/console/search", params={"q": ""})
    return {link for link in browser.read.links if link not in nothing.text}


async def test_each_finds_their_own_things_and_nobody_elses(door: House) -> None:
    anna = await person(door, "anna@example.com", name="Anna Kowalska")
    org = await found(door, anna, "Harbour Trading")
    viewer = await org.joined(await person(door, "victor@example.com"), "viewer")
    note = (await anna.client.post("/notes", {"title": "50% off_season"})).json()["id"]
    made = await anna.client.post("/webhooks/endpoints", {"url": "https://hooks.example.com/in", "filters": ["*"]})
    endpoint = made.json()["id"]
    fact = (await anna.client.get("/events?type=note.created")).json()["data"][0]
    ours = {
        "0% OFF_S": f"/console/notes/{note}",
        "hooks.example": f"/console/webhooks/{endpoint}",
        endpoint: f"/console/webhooks/{endpoint}",
        "kowal": f"/console/members?user_id={anna.id}",
        fact["id"]: f"/console/audit/{fact['id']}",
        fact["request_id"]: f"/console/audit?request_id={fact['request_id']}",
    }
    hers, his = await signed_in(door, anna), await signed_in(door, viewer)
    eves = await signed_in(door, await owner(door, "eve@example.com"))
    for words, href in ours.items():
        assert href in await links(hers, words), words
        assert href not in await links(eves, words), words
        theirs = await links(his, words)
        assert (href in theirs) == ((await his.http.get(href)).status_code == 200), words
    assert "harbour-trading" in (await hers.open("/console/search?q=harbour+tr")).read.said
    assert "harbour-trading" not in (await eves.open("/console/search?q=harbour+tr")).html
    assert f"/console/notes/{note}" not in await links(hers, "50_ off"), "_ is a letter"
    assert await links(hers, "\0 or 1=1 --") == set()


async def test_who_runs_the_platform_finds_accounts_and_requests_of_all(door: House) -> None:
    anna = await owner(door, "anna@example.com")
    answer = await anna.client.post("/notes", {"title": "Milk"})
    request = answer.headers["x-request-id"]
    root = await signed_in(door, await person(door, "root@example.com", platform_role="admin"))
    assert f"/console/people/{anna.id}" in await links(root, "anna@")
    assert await links(root, str(anna.id)) == {f"/console/people/{anna.id}"}
    assert f"/console/audit/everywhere?request_id={request}" in await links(root, request)
    hers = await signed_in(door, anna)
    assert f"/console/people/{anna.id}" not in await links(hers, "anna@")


def test_every_finder_says_who_may_ask_it(house: House) -> None:
    finders = house.app.fillers(Finder)  # type: ignore[type-abstract]  # asked for, not made
    known = {permission.name for module in house.app.modules for permission in module.permissions}
    assert len(finders) >= 6
    assert {each.permission for each in finders} - known <= {None}
    assert [type(each).__name__ for each in finders if each.permission is None] == ["OwnOrganisationFinder"]
