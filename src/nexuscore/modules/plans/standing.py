"""Where an organisation stands with its plan: everything the page about it shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.paging import PageQuery
from nexuscore.modules import invoices, payments
from nexuscore.modules.plans import billing, catalogue, changes, entitlements, store, use
from nexuscore.modules.plans.schemas import PlanOut
from nexuscore.modules.plans.tables import BilledPeriod, Plan, Subscription

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Charge:
    """What is charged next: `total` with GST as it is today."""

    at: datetime
    plan: str
    amount: int
    total: int
    currency: str


@dataclass(frozen=True, slots=True)
class Tier:
    """Plans that differ in the length of their period alone, side by side."""

    name: str
    plans: tuple[PlanOut, ...]

    @property
    def first(self) -> PlanOut:
        """The one whose words, limits and features stand for all of them."""
        return self.plans[0]


async def standing(ctx: Ctx) -> dict[str, Any]:
    """The subscription, what it allows, what is owed, what comes next, what was invoiced."""
    live = await store.live(ctx)
    held = await entitlements.entitlement(ctx)
    owed = [] if live is None else await store.owed(ctx, live)
    return {
        "live": live,
        "plan": None if live is None else await catalogue.get(ctx, live.plan_id),
        "coming": None if live is None or live.next_plan_id is None else await catalogue.get(ctx, live.next_plan_id),
        "held": held,
        "trial_plan": await _name_of(ctx, held.plan),
        "levels": await use.levels(ctx, held),
        "days_left": _days(ctx, live.trial_end if live is not None and live.state == "trialing" else held.until),
        "charge": None if live is None else await next_charge(ctx, live),
        "owed": owed,
        "card": await saved_card(ctx),
        "tiers": tiers(await catalogue.every(ctx)),
        "billed": [] if live is None else await _billed(ctx, live),
        "earlier": await store.page(ctx, PageQuery(limit=100)),
    }


async def beginning(ctx: Ctx, wanted: str) -> dict[str, Any]:
    """What it means to subscribe to a plan now: with the trial while there is one, or from the first payment on."""
    plan = await catalogue.named(ctx, wanted)
    held = await entitlements.entitlement(ctx)
    return {
        "live": await store.live(ctx),
        "plan": await catalogue.shown(ctx, plan),
        "trial_end": held.until if held.by == "trial" and not await store.had_trial(ctx) else None,
        "total": plan.amount + await changes.gst(ctx, plan.amount),
        "card": await saved_card(ctx),
    }


def tiers(plans: Sequence[PlanOut]) -> list[Tier]:
    """The catalogue by its tiers, each with its prices by the month and by the year."""
    return [Tier(found[0].name, tuple(found)) for _, group in groupby(plans, _stem) if (found := list(group))]


async def next_charge(ctx: Ctx, live: Subscription) -> Charge | None:
    """The next invoice, if the subscription goes on as it stands; None for one that will have none."""
    if live.cancel_at_period_end or live.state not in ("trialing", "active"):
        return None
    plan: Plan = await catalogue.get(ctx, live.next_plan_id or live.plan_id)
    amount = live.price if live.next_plan_id is None else plan.amount
    if not amount:
        return None
    total = amount + await changes.gst(ctx, amount)
    return Charge(live.current_period_end, plan.name, amount, total, live.currency)


async def saved_card(ctx: Ctx) -> payments.SavedMethod | None:
    """The card that renewals are taken from."""
    try:
        return await payments.default_method(ctx)
    except payments.NoSavedMethod:
        return None


async def first_owed(ctx: Ctx, subscription: Subscription) -> invoices.Invoice | None:
    """What somebody has to pay by hand before the plan holds: nothing where a saved card is charged."""
    owed = await store.owed(ctx, subscription)
    return owed[0] if owed and await saved_card(ctx) is None else None


async def _billed(ctx: Ctx, live: Subscription) -> list[dict[str, Any]]:
    """The periods and changes that were invoiced, the latest first."""
    numbers = {each.id: each for each in await invoices.of_source(ctx, store.SOURCE, live.id)}
    rows: list[BilledPeriod] = await billing.periods(ctx, live)
    return [_shown(row, numbers.get(row.invoice_id) if row.invoice_id else None) for row in reversed(rows)]


def _shown(row: BilledPeriod, invoice: invoices.Invoice | None) -> dict[str, Any]:
    names = ("id", "kind", "starts", "ends", "amount", "currency", "invoice_id")
    return {
        **{name: getattr(row, name) for name in names},
        "number": None if invoice is None else invoice.number,
        "total": None if invoice is None else invoice.total,
        "state": None if invoice is None else invoice.state,
    }


async def _name_of(ctx: Ctx, sku: str | None) -> str:
    plan = None if sku is None else await catalogue.by_name(ctx, sku)
    return "" if plan is None else plan.name


def _days(ctx: Ctx, until: datetime | None) -> int | None:
    return None if until is None else max(0, -((ctx.now - until) // _DAY))


def _stem(plan: PlanOut) -> str:
    stem, _, last = plan.sku.rpartition("-")
    return stem if last in ("month", "year") else plan.sku
