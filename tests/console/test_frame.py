"""The frame: what somebody sees around every page, and what they see when something is wrong."""

import gzip
import re
from typing import Any

import pytest

from nexuscore.kernel.database import Database
from nexuscore.kernel.errors import DatabaseError
from nexuscore.kernel.testing import House
from nexuscore.modules.identity.testing import person
from tests.console.browsing import Browser
from tests.console.conftest import owner, signed_in

pytestmark = pytest.mark.anyio


async def test_whoever_is_not_in_is_led_to_the_door_and_back(door: House, guest: Browser) -> None:
    who = await owner(door, "anna@example.com")
    await guest.open("/console/notes?tag=shop")
    assert guest.at == "/console/sign-in"
    await guest.send("sign-in", email=who.email, password=who.password)
    assert guest.url.endswith("/console/notes?tag=shop")


@pytest.mark.parametrize("to", ["https://evil.test/", "//evil.test", "/\\evil.test", "javascript:alert(1)", "/a\nb"])
async def test_the_door_leads_nowhere_else(door: House, to: str) -> None:
    who = await person(door, "anna@example.com")
    guest = Browser(door)
    await guest.open("/console/sign-in")
    found = guest.form("sign-in")
    answer = await guest.http.post(
        "/console/sign-in",
        params={"return_to": to},
        data=dict(found.values(email=who.email, password=who.password)),
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")


async def test_one_is_offered_what_one_may_do(door: House, anna: Browser) -> None:
    await anna.open("/console/notes")
    assert "/console/notes/new" in anna.read.links
    drifter = await signed_in(door, await person(door, "drifter@example.com"))
    assert "/console/notes" not in drifter.read.links
    await drifter.open("/console/notes")
    assert drifter.status == 403
    assert "You do not have permission to do this." in drifter.text
    assert "/console" in drifter.read.links


async def test_a_row_of_another_organisation_is_a_page_that_is_not_there(door: House, anna: Browser) -> None:
    other = await owner(door, "other@example.com")
    note = (await other.client.post("/notes", {"title": "Theirs"})).json()
    await anna.open(f"/console/notes/{note['id']}")
    assert anna.status == 404
    assert "Theirs" not in anna.html


async def test_there_is_a_page_for_what_is_not_there(anna: Browser, guest: Browser) -> None:
    for browser in (anna, guest):
        await browser.open("/console/nowhere")
        assert browser.status == 404
        assert "We could not find what you asked for." in browser.text
    assert (await guest.http.get("/console/nowhere", headers={"accept": "*/*"})).json()["error_code"] == "not_found"


async def test_when_the_database_is_gone_a_page_says_so(anna: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any, **__: Any) -> None:
        raise DatabaseError

    await anna.open("/console/notes/new")
    values = anna.form("note").values(title="Milk")
    for place in (type(anna._house.app.database), Database):
        monkeypatch.setattr(place, "transaction", gone)
    anna.http.cookies.set("nexus_language", "pl")
    answer = await anna.http.get("/console/notes")
    assert answer.status_code == 503
    assert 'lang="pl"' in answer.text
    answer = await anna.post("/console/notes/new", values)
    assert answer.status_code == 503
    assert "<h1>" in answer.text


async def test_a_page_too_slow_says_so(anna: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: Any, **__: Any) -> None:
        raise TimeoutError

    monkeypatch.setattr(type(anna._house.app.database), "transaction", slow)
    await anna.open("/console/notes")
    assert anna.status == 504
    assert "This took too long and was stopped." in anna.text


@pytest.mark.parametrize(("language", "direction"), [("en", "ltr"), ("he", "rtl"), ("pl", "ltr")])
async def test_everybody_reads_as_they_like(door: House, guest: Browser, language: str, direction: str) -> None:
    await guest.open("/console/sign-in")
    await guest.send("/console/reading", language=language, theme="dark")
    assert guest.at == "/console/sign-in"
    assert f'<html lang="{language}" dir="{direction}" data-theme="dark">' in guest.html


async def test_a_list_is_sorted_chosen_and_taken_home_whole(door: House) -> None:
    who = await owner(door, "anna@example.com")
    for number in range(130):
        await who.client.post("/notes", {"title": f"={number}" if number == 7 else f"note {number}"})
    browser = await signed_in(door, who)
    await browser.open("/console/notes")
    assert "note 129" in browser.text
    assert "descending" not in browser.html
    await browser.open("/console/notes?sort=title&limit=3")
    assert re.findall(r'aria-sort="(\w+)"', browser.html) == ["ascending"]
    assert "note 1\n" in browser.text
    assert "note 129" not in browser.text
    await browser.open("/console/notes")
    further = next(link for link in browser.read.links if "cursor=" in link)
    await browser.open(further)
    assert "note 109" in browser.text
    await browser.open("/console/notes?notes.columns=title&notes.columns=words")
    assert "Written" not in re.findall(r'<th scope="col"[^>]*>(\w+)', browser.html)
    answer = await browser.http.get("/console/notes?csv=notes")
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert lines[0] == "Title,Tags,Words,Written,Changed"
    assert len(lines) == 131
    assert any(line.startswith("'=7,") for line in lines), "a spreadsheet would take it for a formula"


async def test_assets_are_kept_for_good_under_the_name_of_what_is_in_them(guest: Browser) -> None:
    await guest.open("/console/sign-in")
    styles = re.findall(r'(?:href|src)="(/console/assets/[^"]+)"', guest.html)
    assert len(styles) >= 5
    for path in styles:
        answer = await guest.http.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (await guest.http.get("/console/assets/app.css")).status_code == 404
    assert (await guest.http.get("/console/assets/..%2fmodule.py")).status_code == 404


async def test_no_page_holds_a_script_or_a_style_or_asks_another_host(anna: Browser) -> None:
    for path in ("/console", "/console/kit", "/console/notes/new", "/console/sign-in"):
        await anna.open(path)
        assert re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", anna.html) == []
        assert re.findall(r'(?:src|href|action)="(?:https?:)?//', anna.html) == []
        policy = anna.answer.headers["content-security-policy"] if anna.answer else ""
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert anna.read.broken == []


async def test_the_first_view_is_light_and_the_next_ones_lighter(anna: Browser) -> None:
    """What goes over the wire when it is compressed; HTML, styles and scripts."""
    await anna.open("/console/kit")
    html = len(gzip.compress(anna.html.encode(), 6))
    assets = re.findall(r'(?:href|src)="(/console/assets/[^"]+)"', anna.html)
    first = html + sum([len(gzip.compress((await anna.http.get(path)).content, 6)) for path in assets])
    assert first <= 100_000
    assert html <= 20_000


async def test_search_finds_pages_one_may_see(anna: Browser, door: House) -> None:
    await anna.open("/console/search?q=not")
    assert "/console/notes" in anna.read.links
    drifter = await signed_in(door, await person(door, "drifter@example.com"))
    await drifter.open("/console/search?q=notes")
    assert "/console/notes" not in drifter.read.links
