"""Tools for whoever develops, which production does not have: what to look at, and a house that is lived in."""

from typing import Annotated

from nexuscore.console.navigation import pages_of
from nexuscore.kernel import seeds
from nexuscore.kernel.access import Permission
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http import Can, Nav, Pages, View, Went

SOW = Permission("console.seed", "Fill the installation with examples, outside production.", ("platform:admin",))
pages = Pages("/develop", development=True)
CanSow = Annotated[Ctx, Can(SOW)]


@pages.get(title="Tools", nav=Nav("Develop", icon="code", order=10))
async def develop_page(ctx: CanSow) -> View:
    """What helps while developing."""
    served = {route.path for route in ctx.app.routes} | {route.path for route in pages_of(ctx.app)}
    return View("develop.html", served=served, password=seeds.PASSWORD)


@pages.post("/seed", shows=develop_page)
async def sow_page(ctx: CanSow) -> Went:
    """Put people, an organisation and examples of every module there; what is there already stays."""
    plot = await seeds.sow(ctx)
    return Went("/console/develop", say="Sown. {what}", what="; ".join(plot.said))
