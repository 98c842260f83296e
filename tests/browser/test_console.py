"""The console in Chromium, every page of it: nothing keeps anybody out, nothing is heavy, no browser complains.

The whole matrix (every page, three languages, two schemes, two widths) is for `make soak`; here each is seen once.
"""

import os
from collections.abc import Iterator
from itertools import product

import pytest
from playwright.sync_api import Browser

from tests.browser import axe
from tests.browser.furniture import SUPPLIER, furnish
from tests.browser.pages import DOOR, Weighed, addresses, assets, patterns, weigh
from tests.browser.person import Person, receiving, somebody
from tests.serving import Server, serving

SOAK = os.environ.get("NEXUS_SOAK") == "1"
LOOKS = list(product(("en", "he", "pl"), ("light", "dark"), (390, 1440)))
FIRST, LATER = 100_000, 20_000  # bytes: HTML, styles and scripts, compressed


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The whole app, in development: the tools of developers have pages too."""
    settings = {"NEXUS_ENV": "development", **SUPPLIER}
    with serving(tmp_path_factory.mktemp("console"), 0, "--app", "examples.main:app", **settings) as found:
        yield found


@pytest.fixture(scope="module")
def ada(house: Server, playing: Browser) -> Iterator[Person]:
    """The first admin, in an organisation of their own where something of everything is."""
    with receiving() as receiver, somebody(playing, house.address) as ada:
        ada.given = furnish(ada, house.first_link(), receiver)
        yield ada


@pytest.fixture(scope="module")
def stranger(house: Server, playing: Browser) -> Iterator[Person]:
    """Somebody who is not signed in."""
    with somebody(playing, house.address) as stranger:
        yield stranger


def barriers(person: Person, path: str, language: str, scheme: str, width: int) -> list[str]:
    """What is wrong with a page as somebody sees it: what axe finds, what does not fit, what the browser says."""
    page = person.page
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    person.context.add_cookies([{"name": "nexus_language", "value": language, "url": person.address}])
    person.goes(path)
    page.evaluate(axe.SCRIPT)
    runs = [axe.RUN] if path == "/console" else [axe.RUN_INSIDE, axe.RUN_AROUND]
    wrong = [each for run in runs for each in axe.told(page.evaluate(run))]
    if not page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"):
        wrong.append("is wider than the screen")
    wrong += person.complaints
    person.complaints.clear()
    return [f"{path} {language} {scheme} {width}: {each}" for each in wrong]


def seen_by(person: Person, paths: list[str]) -> list[str]:
    """What is wrong with these pages: each once, and every look of each in `make soak`."""
    return [
        each
        for number, path in enumerate(paths)
        for look in (LOOKS if SOAK else [LOOKS[number * 5 % len(LOOKS)]])
        for each in barriers(person, path, *look)
    ]


def too_heavy(person: Person, pages: list[Weighed]) -> list[str]:
    """The pages that weigh too much over the wire, at first and once the browser has what all pages share."""
    asked = {page.path: assets(page.html) for page in pages}
    sizes = {each: weigh(person, each).size for each in set().union(*asked.values())}
    weights = {path: weigh(person, path).size for path in asked}
    firsts = {path: weights[path] + sum(sizes[each] for each in asked[path]) for path in asked}
    heavy = [path for path in asked if firsts[path] > FIRST or weights[path] > LATER]
    return [f"{path}: {firsts[path]} bytes at first, {weights[path]} later" for path in heavy]


def test_every_page_is_for_everybody_and_light(ada: Person) -> None:
    """A page of a module is here by itself: its address is its own, or another page leads to it."""
    found = dict(addresses(ada, *ada.given))
    nowhere = sorted(pattern for pattern, page in found.items() if page is None)
    assert nowhere == [], "no page leads there; furnish the house with one"
    pages = [page for page in found.values() if page is not None and page.is_page]
    assert too_heavy(ada, pages) == []
    assert seen_by(ada, [page.path for page in pages]) == []


def test_the_door_is_open_to_everybody_and_light(stranger: Person) -> None:
    inside = {"/console/prove", "/console/invitation"}  # the story goes there
    paths = [path + DOOR.get(path, "") for path in patterns(outdoors=True) if path not in inside]
    assert too_heavy(stranger, [weigh(stranger, path, coded=False) for path in paths]) == []
    assert seen_by(stranger, paths) == []


def test_typed_text_is_not_lost_by_a_slip(ada: Person) -> None:
    ada.context.add_cookies([{"name": "nexus_language", "value": "en", "url": ada.address}])
    ada.goes("/console/notes/new")
    ada.fills("note", title="Precious")
    leaving = "() => { const event = new Event('beforeunload', {cancelable: true}); window.dispatchEvent(event)"
    asks = f"{leaving}; return event.defaultPrevented }}"  # a driver answers the question itself
    assert ada.page.evaluate(asks)
    ada.fills("note", title="")
    assert not ada.page.evaluate(asks), "the form is as it was shown"
    ada.fills("note", title="Precious")
    ada.sends("note")
    ada.sees("The note is written.")
