"""Every page there is, and an address of each: taken from the manifests, and from the links between pages."""

import http.client
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_type_hints
from urllib.parse import urlsplit

from examples.main import app
from nexuscore.console.navigation import pages_of
from nexuscore.kernel.http import Went
from nexuscore.kernel.http.page_run import PageRoute
from tests.browser.person import Person

DOOR = {  # what a mail or a form leads to
    "/console/bootstrap": "?token=nxs_nothing",
    "/console/confirm-email": "?token=nxs_nothing",
    "/console/reset-password": "?token=nxs_nothing",
    "/console/second-factor": "?challenge=0190c8a2-5b1e-7c3f-9d7a-2f6b1c4d8e90&factors=totp,passkey,recovery_code",
    "/console/search": "?q=a",
    "/console/billing/plan/choose": "?plan=starter-month",
}
FEW = 6
_LINK = re.compile(r'href="(/console[^"#]*)"')
_ASSET = re.compile(r'(?:href|src)="(/console/assets/[^"]+)"')
_CODERS = "gzip, deflate, br, zstd"  # as Chromium asks for


@dataclass(frozen=True, slots=True)
class Weighed:
    """A page as it came over the wire: its bytes there, what it holds, and whether it is a page at all."""

    path: str
    status: int
    size: int
    html: str
    is_page: bool


def patterns(*, outdoors: bool) -> dict[str, PageRoute]:
    """The pages for before or after one signs in, by the pattern of their address; not those that only lead on."""
    found = [route for route in pages_of(app) if route.page.outdoors == outdoors]
    return {route.path: route for route in found if get_type_hints(route.declared.endpoint)["return"] is not Went}


def weigh(person: Person, path: str, *, coded: bool = True) -> Weighed:
    """Ask for something as this browser does."""
    cookies = "; ".join(f"{each['name']}={each['value']}" for each in person.context.cookies())
    connection = http.client.HTTPConnection(urlsplit(person.address).netloc, timeout=30)
    headers = {"cookie": cookies, "accept": "text/html,*/*;q=0.8", "accept-encoding": _CODERS if coded else "identity"}
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    is_page = answer.status == 200 and answer.headers.get_content_type() == "text/html"
    return Weighed(path, answer.status, len(body), "" if coded else body.decode(errors="replace"), is_page)


def addresses(person: Person, *more: str) -> Iterator[tuple[str, Weighed | None]]:
    """A page at every pattern of an address one is let in to: those of their own address, those another page leads
    to, and those somebody was given; None where nothing leads.

    Of pages of one kind a few are looked at: a draft leads where what was sent does not.
    """
    known = patterns(outdoors=False)
    found = {pattern: [pattern + DOOR.get(pattern, "")] if "{" not in pattern else [] for pattern in known}
    for path in more:
        found[str(_pattern(list(known), path))].append(path)
    waiting = [path for paths in found.values() for path in paths]
    pages: dict[str, Weighed] = {}
    while waiting:
        page = weigh(person, waiting.pop(0), coded=False)
        pages[page.path] = page
        assert page.status in (200, 303), f"{page.path} answers {page.status}"  # 303: a paper, by its signed link
        for link in _LINK.findall(page.html):
            path = link.replace("&amp;", "&")
            pattern = _pattern(list(known), path)
            if pattern is not None and "{" in pattern and path not in found[pattern] and len(found[pattern]) < FEW:
                found[pattern].append(path)
                waiting.append(path)
    for pattern, paths in found.items():
        yield pattern, pages[paths[0]] if paths else None


def _pattern(known: Sequence[str], link: str) -> str | None:
    path = link.partition("?")[0]
    return next((each for each in known if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each), path)), None)


def assets(html: str) -> set[str]:
    """The styles, scripts and pictures a page asks for."""
    return set(_ASSET.findall(html))
