"""Webhooks for whoever develops: an endpoint on this machine, where nobody may be listening yet."""

from sqlalchemy import func, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.seeds import Plot, Seed
from nexuscore.modules.webhooks import endpoints
from nexuscore.modules.webhooks.schemas import NewEndpoint
from nexuscore.modules.webhooks.tables import Endpoint

URL = "http://localhost:9000/hook"
_NUMBER = select(func.count()).select_from(Endpoint)


class EndpointSeed(Seed):
    """One endpoint."""

    async def sow(self, ctx: Ctx, plot: Plot) -> None:
        """Add it to an organisation that has none."""
        if plot.org is None:
            return
        async with plot.acting(ctx, "anna") as here:
            if await here.db.value(_NUMBER):
                return
            asked = ["invoice.*", "member.*"]
            await endpoints.create(here, NewEndpoint(url=URL, description="Our shop, on this machine", filters=asked))
        plot.said.append(f"webhooks: {URL} is told of {' and '.join(asked)}")
