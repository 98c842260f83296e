"""The catalogue in the console, for who runs the platform: plans that are sold, hidden, or no longer chosen."""

from pydantic import Field

from nexuscore.kernel.http import Nav, Pages, Schema, View, Went, amount_of
from nexuscore.modules.plans import catalogue
from nexuscore.modules.plans.errors import SkuTaken
from nexuscore.modules.plans.routes import CanManagePlan, CanManagePlans
from nexuscore.modules.plans.schemas import (
    Currency,
    Features,
    Limits,
    NewPlan,
    PlanChange,
    Prose,
    Sku,
    Words,
)

HOME = "/console/billing/platform/plans"
pages = Pages("/billing/platform/plans", tag="Plans")


class PlanForm(Schema):
    """A plan as it is typed: its price as money, limits and features as JSON."""

    sku: Sku
    name: Words
    description: Prose = ""
    billing_period: str = Field(pattern=r"^(month|year)$")
    price: str
    currency: Currency = "SGD"
    limits: Limits = Field(default_factory=dict)
    features: Features = Field(default_factory=dict)
    is_visible: bool = False


@pages.get(title="Plans", nav=Nav("Platform", icon="layers", order=29))
async def plans_page(ctx: CanManagePlans) -> View:
    """Every plan there is."""
    return View("plans.html", plans=[plan.model_dump() for plan in await catalogue.every(ctx, hidden=True)])


@pages.get("/new", title="New plan")
async def new_plan_page(ctx: CanManagePlans) -> View:
    """A form for a plan."""
    return View("plan_form.html", plan=None)


@pages.post("/new", once=True, errors=(SkuTaken,))
async def create_plan_page(ctx: CanManagePlans, given: PlanForm) -> Went:
    """Add it to the catalogue."""
    amount = amount_of(given.price, given.currency, "price", least=0).minor
    made = await catalogue.create(
        ctx, NewPlan.model_validate({**given.model_dump(exclude={"price"}), "amount": amount})
    )
    return Went(f"{HOME}/{made.id}", say="The plan is in the catalogue.")


@pages.get("/{plan_id}", title="Plan")
async def one_plan_page(ctx: CanManagePlan) -> View:
    """One plan, and what can be changed of it: not its price."""
    return View("plan_form.html", title=ctx.row.name, plan=ctx.row)


@pages.post("/{plan_id}", once=True)
async def change_plan_page(ctx: CanManagePlan, change: PlanChange) -> Went:
    """Change it. Limits and features hold for everybody on it at once."""
    await catalogue.change(ctx, await catalogue.get(ctx, ctx.row.id), change)
    return Went(f"{HOME}/{ctx.row.id}", say="The plan is changed in the catalogue.")
