"""Finding pages and things by a few words."""

from collections.abc import Sequence

from nexuscore.console.navigation import navigation
from nexuscore.kernel.access import can
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http.auth import Identity
from nexuscore.kernel.http.pages import Finder, Found
from nexuscore.kernel.i18n import translate

_MOST = 20


async def find(ctx: Ctx, words: str) -> Sequence[Found]:
    """What these words mean to somebody: pages they may see, and things their permissions let them look for."""
    wanted = words.strip().casefold()
    if not wanted:
        return []
    found = [
        Found(title, translate(ctx.locale, "Page"), place.href)
        for group in navigation(ctx.app, Identity(ctx.actor, ctx.org), "")
        for place in group.places
        if wanted in (title := translate(ctx.locale, place.title)).casefold() or wanted in place.title.casefold()
    ]
    if len(wanted) > 1:
        for finder in ctx.app.fillers(Finder):  # type: ignore[type-abstract]  # asked for, not made
            if finder.permission is None or can(ctx, finder.permission):
                found += await finder.find(ctx, words.strip())
    return found[:_MOST]
