"""Where one can go, and where one is: the pages of every module, as far as the reader may see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from nexuscore.kernel.access import can
from nexuscore.kernel.app import App
from nexuscore.kernel.http.auth import Identity
from nexuscore.kernel.http.page_run import PageRoute
from nexuscore.kernel.http.pages import CONSOLE
from nexuscore.kernel.http.routes import Can, Public, SignedIn

GROUPS = ("", "People", "Build", "Billing", "Platform", "Develop", "You")


@dataclass(frozen=True, slots=True)
class Place:
    """A page one can go to."""

    title: str
    href: str
    icon: str = "dot"
    here: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Pages that belong together."""

    name: str
    places: list[Place]


def may_see(identity: Identity, route: PageRoute) -> bool:
    """Whether the page's own declaration lets somebody in: what the API would refuse is not offered either."""
    match route.admission:
        case Can() as admission:
            return can(identity, admission.name)
        case SignedIn():
            return identity.actor.known
        case Public():
            return not route.page.outdoors
        case _:
            return False


def pages_of(app: App) -> list[PageRoute]:
    """Every page one can look at."""
    return [route for route in app.routes if isinstance(route, PageRoute) and route.page.method == "GET"]


def navigation(app: App, identity: Identity, at: str) -> list[Group]:
    """The groups of pages somebody may see."""
    found: dict[str, list[tuple[int, str, Place]]] = {}
    best = ""
    listed = [route for route in pages_of(app) if route.page.nav is not None and may_see(identity, route)]
    for route in listed:
        is_above = at == route.path or at.startswith(f"{route.path}/")
        if is_above and route.path != CONSOLE and len(route.path) > len(best):
            best = route.path
    for route in listed:
        nav = route.page.nav
        assert nav is not None  # noqa: S101 - asked before
        here = route.path == (best or at)
        place = Place(route.page.title, route.path, nav.icon, here)
        found.setdefault(nav.group, []).append((nav.order, route.page.title, place))
    ranks = {name: rank for rank, name in enumerate(GROUPS)}
    names = sorted(found, key=lambda name: (ranks.get(name, len(ranks) - 2.5), name))
    return [Group(name, [place for *_, place in sorted(found[name], key=lambda each: each[:2])]) for name in names]


def crumbs(app: App, route: PageRoute, path: str) -> Sequence[Place]:
    """The pages above this one, from the first: those whose address this one's goes on from."""
    parts, pattern = path.split("/"), route.path.split("/")
    by_pattern = {each.path: each for each in pages_of(app)}
    found = []
    for length in range(3, len(pattern)):
        above = by_pattern.get("/".join(pattern[:length]))
        if above is not None and above.page.title:
            found.append(Place(above.page.title, quote("/".join(parts[:length]))))
    return found
