"""Usage in the console: credits, the ledger, caps with what is left of them, and buying more."""

from typing import Annotated, Any
from uuid import UUID

from nexuscore.kernel.access import can
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http import Nav, PageQuery, Pages, Query, Schema, View, Went, amount_of
from nexuscore.modules import identity, orgs
from nexuscore.modules.usage import answers, caps, purchases
from nexuscore.modules.usage.routes import CanBuy, CanCap, CanRead, CanReadOwn
from nexuscore.modules.usage.schemas import LEAST
from nexuscore.modules.usage.settings import UsageSettings
from nexuscore.modules.usage.tables import WHOLE
from nexuscore.modules.usage.written import ledger, typed

HOME = "/console/billing/usage"
pages = Pages("/billing/usage", tag="Usage")


class OrderForm(Schema):
    """For how much credits are wanted, as it is typed."""

    amount: str


class CapForm(Schema):
    """Caps of the organisation or of one member, as they are typed; nothing is no cap."""

    user_id: UUID | None = None
    day: str | None = None
    month: str | None = None


@pages.get(title="Usage", nav=Nav("Billing", icon="coins", order=35))
async def usage_page(ctx: CanRead) -> View:
    """Where the organisation stands, day by day, what is under way, and its caps."""
    found = await answers.standing(ctx)
    return View(
        "usage.html",
        **found,
        days=await answers.by_day(ctx),
        under_way=await answers.under_way(ctx),
        caps=[cap for cap in await caps.every_cap(ctx) if cap.user_id != WHOLE],
        whole=next((cap for cap in await caps.every_cap(ctx) if cap.user_id == WHOLE), None),
        people=await _people(ctx),
    )


@pages.get("/entries", title="Ledger", listing=answers.ENTRIES)
async def usage_entries_page(ctx: CanRead, query: Annotated[PageQuery, Query()]) -> View:
    """Every entry, the latest first."""
    people = await _people(ctx)
    return View("entries.html", entries=ledger(ctx, await answers.entries(ctx, query), people), people=people)


@pages.get("/mine", title="My usage", nav=Nav("You", icon="coins", order=60))
async def my_usage_page(ctx: CanReadOwn) -> View:
    """What is spent and left for whoever looks."""
    return View("mine.html", **await answers.own(ctx))


@pages.post("/orders", shows=usage_page, once=True)
async def order_credits_page(ctx: CanBuy, given: OrderForm) -> Went:
    """Make the invoice; the credits are there once it is paid."""
    money = amount_of(given.amount, ctx.app.settings[UsageSettings].currency, least=LEAST)
    invoice = await purchases.order(ctx, money.minor)
    return Went(f"/console/billing/invoices/{invoice.id}", say="The credits are there once this is paid.")


@pages.post("/caps", shows=usage_page, once=True)
async def set_usage_cap_page(ctx: CanCap, given: CapForm) -> Went:
    """Set both caps of the organisation, or of one member."""
    await caps.set_cap(ctx, given.user_id, typed(ctx, given.day, "day"), typed(ctx, given.month, "month"))
    return Went(HOME, say="The caps are set.")


async def _people(ctx: Ctx) -> dict[str, Any]:
    """The names of the members, for those who may see them."""
    if not can(ctx, "members.read"):
        return {}
    ids = [member.user_id for member in await orgs.members(ctx)]
    return {str(user.id): user.name or user.email or "" for user in await identity.users(ctx, ids)}
