"""The figures of the first page: what every module knows that its reader may see."""

from collections.abc import Sequence
from dataclasses import replace

from nexuscore.console.navigation import pages_of
from nexuscore.kernel.access import can
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http.pages import Figure, Figures


async def figures(ctx: Ctx) -> dict[str, Sequence[Figure]]:
    """The figures in their order, of the organisation and of the platform."""
    found: dict[str, list[Figure]] = {"organisation": [], "platform": []}
    for source in ctx.app.fillers(Figures):  # type: ignore[type-abstract]  # asked for, not made
        if source.permission is None or can(ctx, source.permission):
            found[source.of] += await source.figures(ctx)
    there = {route.path for route in pages_of(ctx.app)}
    return {
        whose: [_leading(each, there) for each in sorted(those, key=lambda figure: figure.order)]
        for whose, those in found.items()
    }


def _leading(figure: Figure, there: set[str]) -> Figure:
    """The same, without its link when the page of another module is not in this app."""
    known = figure.href is None or figure.href.partition("?")[0] in there
    return figure if known else replace(figure, href=None)
