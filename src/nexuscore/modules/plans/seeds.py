"""A subscription for whoever develops: on trial."""

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.seeds import Plot, Seed
from nexuscore.modules.plans import store, subscriptions
from nexuscore.modules.plans.schemas import NewSubscription
from nexuscore.modules.plans.settings import PlanSettings


class SubscriptionSeed(Seed):
    """The plan of trials."""

    async def sow(self, ctx: Ctx, plot: Plot) -> None:
        """Subscribe an organisation that has no plan."""
        if plot.org is None:
            return
        sku = ctx.app.settings[PlanSettings].trial_plan
        async with plot.acting(ctx, "anna") as here:
            if await store.live(here) is not None or await store.had_trial(here):
                return
            await subscriptions.start(here, NewSubscription(plan=sku))
        plot.said.append(f"plans: {sku}, on trial")
