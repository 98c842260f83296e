"""The organisation's plan in the console: where it stands, what it may use, and every change with its price first."""

from typing import Annotated

from pydantic import Field

from nexuscore.kernel.ctx import RowCtx
from nexuscore.kernel.http import Can, Nav, Pages, Query, Schema, View, Went
from nexuscore.modules.plans import catalogue, changes, standing, store, subscriptions
from nexuscore.modules.plans.permissions import MANAGE
from nexuscore.modules.plans.routes import CanManage, CanManageOne, CanRead
from nexuscore.modules.plans.schemas import Cancelling, NewSubscription, PlanName, Wanted
from nexuscore.modules.plans.tables import Preview

HOME = "/console/billing/plan"
PAY = "/console/billing/payments/pay"  # of payments
pages = Pages("/billing/plan", tag="Subscriptions")


CanBuy = Annotated[RowCtx[Preview], Can(MANAGE, row=changes.previewed)]


class Chosen(Schema):
    """A plan somebody looks at."""

    plan: PlanName = Field("", validate_default=False)


@pages.get(title="Plan", nav=Nav("Billing", icon="layers", order=10))
async def plan_page(ctx: CanRead) -> View:
    """The organisation's plan, and what there is to choose from."""
    return View("plan.html", **await standing.standing(ctx))


# --- beginning --------------------------------------------------------------------------------------


@pages.get("/choose", title="Choose a plan")
async def choose_plan_page(ctx: CanManage, query: Annotated[Chosen, Query()]) -> View:
    """What a plan comes to, before anybody subscribes to it."""
    return View("choose.html", **await standing.beginning(ctx, query.plan))


@pages.post("/choose", once=True)
async def subscribe_page(ctx: CanManage, new: NewSubscription) -> Went:
    """Subscribe; without a trial and without a saved card, the first invoice is paid next."""
    made = await subscriptions.start(ctx, new)
    owed = await standing.first_owed(ctx, made)
    if owed is not None:
        return Went(f"{PAY}/{owed.id}", say="Pay the first invoice, and the plan holds.")
    return Went(HOME, say="You are subscribed.")


# --- another plan -----------------------------------------------------------------------------------


@pages.post("/{subscription_id}/preview", shows=plan_page)
async def preview_change_page(ctx: CanManageOne, wanted: Wanted) -> Went:
    """Work out what another plan comes to, and show it."""
    made = await changes.preview(ctx, ctx.row.id, wanted.plan)
    return Went(f"{HOME}/{ctx.row.id}/changes/{made['id']}")


@pages.get("/{subscription_id}/changes/{preview_id}", title="Change of plan")
async def change_of_plan_page(ctx: CanBuy) -> View:
    """What the change comes to, to the cent, and the button that buys it."""
    live = await store.get(ctx, ctx.row.subscription_id)
    old, new = await catalogue.get(ctx, live.plan_id), await catalogue.get(ctx, ctx.row.plan_id)
    return View(
        "change.html",
        live=live,
        old=old,
        new=new,
        preview=await changes.shown(ctx, ctx.row, new),
        holds=ctx.row.bought_at is None and ctx.row.version == live.version and ctx.row.expires_at > ctx.now,
    )


@pages.post("/{subscription_id}/changes/{preview_id}", once=True)
async def buy_change_page(ctx: CanBuy) -> Went:
    """Change the plan, exactly as it was shown."""
    changed = await changes.buy(ctx, ctx.row.subscription_id, ctx.row.id)
    owed = await standing.first_owed(ctx, changed) if ctx.row.at_once else None
    if owed is not None:
        return Went(f"{PAY}/{owed.id}", say="The plan is changed. This is the invoice for it.")
    if ctx.row.at_once:
        return Went(HOME, say="The plan is changed.")
    return Went(HOME, say="The plan changes at the end of the period.")


# --- ending, standing still -------------------------------------------------------------------------


@pages.post("/{subscription_id}/cancel", shows=plan_page, once=True)
async def cancel_plan_page(ctx: CanManageOne, cancelling: Cancelling) -> Went:
    """End it with its period, or at once."""
    changed = await subscriptions.cancel(ctx, ctx.row.id, at_period_end=cancelling.at_period_end)
    if changed.state == "canceled":
        return Went(HOME, say="The subscription is over.", kind="warning")
    return Went(HOME, say="The subscription ends with its period.", kind="warning")


@pages.post("/{subscription_id}/reactivate", shows=plan_page, once=True)
async def reactivate_plan_page(ctx: CanManageOne) -> Went:
    """Take a cancellation back."""
    await subscriptions.reactivate(ctx, ctx.row.id)
    return Went(HOME, say="The subscription goes on.")


@pages.post("/{subscription_id}/pause", shows=plan_page, once=True)
async def pause_plan_page(ctx: CanManageOne) -> Went:
    """Let it stand still."""
    await subscriptions.pause(ctx, ctx.row.id)
    return Went(HOME, say="The subscription stands still.", kind="warning")


@pages.post("/{subscription_id}/resume", shows=plan_page, once=True)
async def resume_plan_page(ctx: CanManageOne) -> Went:
    """Let it go on."""
    await subscriptions.resume(ctx, ctx.row.id)
    return Went(HOME, say="The subscription goes on.")
