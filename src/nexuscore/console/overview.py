"""The figures of the first page: what every module knows that its reader may see."""

from collections.abc import Sequence

from nexuscore.kernel.access import can
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http.pages import Figure, Figures


async def figures(ctx: Ctx) -> Sequence[Figure]:
    """The figures, in their order."""
    found: list[Figure] = []
    for source in ctx.app.fillers(Figures):  # type: ignore[type-abstract]  # asked for, not made
        if source.permission is None or can(ctx, source.permission):
            found += await source.figures(ctx)
    return sorted(found, key=lambda figure: figure.order)
