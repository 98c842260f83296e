"""The catalogue: what can be subscribed to."""

from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import bindparam, insert, select, update

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.money import Money
from nexuscore.modules.plans.errors import BadPlan, SkuTaken
from nexuscore.modules.plans.events import PlanChanged, PlanCreated
from nexuscore.modules.plans.periods import MONTHS
from nexuscore.modules.plans.schemas import NewPlan, PlanChange, PlanOut
from nexuscore.modules.plans.tables import Plan

ONE = select(Plan).where(Plan.id == bindparam("plan_id"))
_EVERY = select(Plan).order_by(Plan.display_order, Plan.created_at, Plan.sku)
_SHOWN = _EVERY.where(Plan.is_active, Plan.is_visible)
_SHOWN_ONE = _SHOWN.where(Plan.id == bindparam("plan_id"))
_BY_SKU = select(Plan).where(Plan.sku == bindparam("wanted"))
_SIBLING = select(Plan).where(Plan.sku == bindparam("wanted"), Plan.billing_period == "month")
_CREATE = insert(Plan).returning(Plan)
_CHANGE = update(Plan).where(Plan.id == bindparam("plan_id")).returning(Plan)
_STORED = [name for name in PlanOut.model_fields if hasattr(Plan, name)]


async def get(ctx: Ctx, plan_id: UUID) -> Plan:
    """One plan, whether it can be chosen or not."""
    return await ctx.db.one(ONE, plan_id=plan_id)


async def shown_one(ctx: Ctx, plan_id: UUID) -> PlanOut:
    """One plan everybody may see."""
    return await shown(ctx, await ctx.db.one(_SHOWN_ONE, plan_id=plan_id))


async def every(ctx: Ctx, *, hidden: bool = False) -> list[PlanOut]:
    """The plans everybody may see, in their order; with `hidden`, all of them."""
    plans = await ctx.db.all(_EVERY if hidden else _SHOWN)
    return [await shown(ctx, plan) for plan in plans]


async def named(ctx: Ctx, name: str) -> Plan:
    """The plan of a SKU or id, if it can be chosen."""
    found = await by_name(ctx, name)
    if found is None or not (found.is_active and found.is_visible):
        raise BadPlan(details={"plan": name})
    return found


async def by_name(ctx: Ctx, name: str) -> Plan | None:
    """The plan of a SKU or id."""
    try:
        return await ctx.db.first(ONE, plan_id=UUID(name))
    except ValueError:
        return await ctx.db.first(_BY_SKU, wanted=name)


async def create(ctx: Ctx, new: NewPlan) -> PlanOut:
    """Add a plan."""
    try:
        async with ctx.db.savepoint():
            plan = await ctx.db.one(_CREATE, **new.model_dump())
    except asyncpg.UniqueViolationError:
        raise SkuTaken from None
    async with ctx.across_orgs("the catalogue belongs to no organisation") as everywhere:
        everywhere.emit(PlanCreated(plan_id=plan.id, sku=plan.sku))
    return await shown(ctx, plan)


async def change(ctx: Ctx, plan: Plan, change: PlanChange) -> PlanOut:
    """Change the given fields. Limits and features hold for everybody on the plan at once."""
    given = change.model_dump(exclude_none=True)
    new = {name: value for name, value in given.items() if value != getattr(plan, name)}
    if not new:
        return await shown(ctx, plan)
    changed = await ctx.db.one(_CHANGE, plan_id=plan.id, **new)
    async with ctx.across_orgs("the catalogue belongs to no organisation") as everywhere:
        everywhere.emit(PlanChanged(plan_id=plan.id, sku=plan.sku, fields=sorted(new)))
    return await shown(ctx, changed)


async def shown(ctx: Ctx, plan: Plan) -> PlanOut:
    """A plan as it is answered, with what its price comes to."""
    yearly = plan.amount * 12 // MONTHS[plan.billing_period]
    return PlanOut(
        **{name: getattr(plan, name) for name in _STORED},
        formatted=Money(plan.amount, plan.currency).format(ctx.locale),
        monthly=Money(yearly, plan.currency).allocate([1] * 12)[0].minor,
        yearly=yearly,
        saving_percent=await _saving(ctx, plan, yearly),
    )


async def _saving(ctx: Ctx, plan: Plan, yearly: int) -> int | None:
    """What a year costs less than twelve months of the sibling, in whole per cent, rounded down."""
    stem, _, last = plan.sku.rpartition("-")
    if plan.billing_period != "year" or last != "year":
        return None
    monthly: Any = await ctx.db.first(_SIBLING, wanted=f"{stem}-month")
    if monthly is None or monthly.currency != plan.currency or monthly.amount * 12 <= yearly:
        return None
    return int((monthly.amount * 12 - yearly) * 100 // (monthly.amount * 12))
