"""Finding pages and things by a few words."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from nexuscore.console.navigation import navigation
from nexuscore.kernel.access import can
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http.auth import Identity
from nexuscore.kernel.http.pages import Finder, Found
from nexuscore.kernel.i18n import translate

LONGEST = 200
_FEWEST = 2  # letters before things are looked for
_MOST_OF_ONE = 6


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found: pages one can go to, and things that have one."""

    pages: Sequence[Found] = ()
    things: Sequence[Found] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.pages or self.things)


async def find(ctx: Ctx, words: str) -> Answer:
    """What these words mean to somebody: pages they may see, and things their permissions let them look for."""
    wanted = " ".join(words.split())[:LONGEST]
    if not wanted:
        return Answer()
    things: list[Found] = []
    if len(wanted) >= _FEWEST and "\0" not in wanted:
        for finder in ctx.app.fillers(Finder):  # type: ignore[type-abstract]  # asked for, not made
            if finder.permission is None or can(ctx, finder.permission):
                things += (await finder.find(ctx, wanted))[:_MOST_OF_ONE]
    return Answer(_pages(ctx, wanted.casefold()), sorted(things, key=lambda thing: _rank(thing, wanted.casefold())))


def _pages(ctx: Ctx, wanted: str) -> list[Found]:
    return [
        Found(title, translate(ctx.locale, group.name or "Page"), place.href)
        for group in navigation(ctx.app, Identity(ctx.actor, ctx.org), "")
        for place in group.places
        if wanted in (title := translate(ctx.locale, place.title)).casefold() or wanted in place.title.casefold()
    ]


def _rank(thing: Found, wanted: str) -> int:
    """What is called exactly so comes first, then what begins so; the rest as their modules found it."""
    names = (thing.name.casefold(), thing.about.casefold())
    return 0 if wanted in names else 1 if any(name.startswith(wanted) for name in names) else 2
