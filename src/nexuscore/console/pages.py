"""The console's own pages: the first one, the search, and how somebody likes to read."""

from typing import Annotated, Literal

from nexuscore.console import cookies, overview, search
from nexuscore.console.frame import here_only
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http import Exchange, Nav, Pages, Public, Schema, SignedIn, View, Went

pages = Pages("")
Person = Annotated[Ctx, SignedIn()]
Anybody = Annotated[Exchange, Public("how a page reads is its reader's choice")]


class Reading(Schema):
    """How somebody wants to read."""

    language: Literal["en", "he", "pl"] | None = None
    theme: Literal["system", "light", "dark"] | None = None
    back: str = "/console"


@pages.get(title="Overview", nav=Nav("", icon="home", order=0))
async def overview_page(ctx: Person) -> View:
    """What is going on, in figures."""
    return View("overview.html", figures=await overview.figures(ctx))


@pages.get("/search", title="Search")
async def search_page(ctx: Person, q: str = "") -> View:
    """Pages and things by their names."""
    return View("search.html", words=q, found=await search.find(ctx, q))


@pages.post("/reading")
async def change_reading_page(exchange: Anybody, given: Reading) -> Went:
    """Another language, light or dark, in this browser."""
    went = Went(here_only(given.back))
    if given.language is not None:
        cookies.speak(exchange.app, went, given.language)
    if given.theme is not None:
        cookies.wear(exchange.app, went, given.theme)
    return went
