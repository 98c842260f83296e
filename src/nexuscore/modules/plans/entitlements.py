"""What the organisation may use: the limits and features of the plan it pays for, or of its trial, or of neither."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import bindparam, or_, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.modules import orgs
from nexuscore.modules.orgs import LimitReached
from nexuscore.modules.plans.errors import FeatureNotInPlan
from nexuscore.modules.plans.settings import PlanSettings
from nexuscore.modules.plans.tables import SERVED, Plan, Subscription

_SUBSCRIBED = (
    select(Plan.sku, Plan.limits, Plan.features, Subscription.current_period_end)
    .join(Subscription, Subscription.plan_id == Plan.id)
    .where(or_(*(Subscription.state == state for state in SERVED)))
)
_STOPPED = select(Subscription.id).where(Subscription.state != "canceled").limit(1)
_OF_TRIAL = select(Plan.sku, Plan.limits, Plan.features).where(Plan.sku == bindparam("wanted"))


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What holds for an organisation, and why. A limit of None, or one that is not named, is no limit."""

    by: Literal["subscription", "trial", "none"]
    plan: str | None
    until: datetime | None
    limits: dict[str, Any]
    features: frozenset[str]


async def entitlement(ctx: Ctx) -> Entitlement:
    """What holds for the context's organisation at this moment."""
    found = await ctx.db.first(_SUBSCRIBED)
    if found is not None:
        return Entitlement("subscription", found.sku, found.current_period_end, found.limits, _on(found.features))
    settings = ctx.app.settings[PlanSettings]
    if ctx.org is not None and await ctx.db.first(_STOPPED) is None:
        ends = (await orgs.organisation(ctx, ctx.org)).trial_ends_at
        tried = await ctx.db.first(_OF_TRIAL, wanted=settings.trial_plan)
        if ends is not None and ends > ctx.now and tried is not None:
            return Entitlement("trial", tried.sku, ends, tried.limits, _on(tried.features))
    return Entitlement("none", None, None, dict(settings.free_limits), frozenset())


async def limit(ctx: Ctx, name: str) -> int | None:
    """The most the organisation may have of something; None for no limit."""
    found: int | None = (await entitlement(ctx)).limits.get(name)
    return found


async def require_room(ctx: Ctx, name: str, used: int) -> None:
    """Stop here when one more would be too many, and say what to do."""
    most = await limit(ctx, name)
    if most is not None and used >= most:
        raise LimitReached(
            "Your plan allows {limit} of these. Remove some, or choose a larger plan.",
            details={"what": name, "limit": most, "used": used},
            limit=most,
        )


async def require_feature(ctx: Ctx, name: str) -> None:
    """Stop here unless the organisation's plan includes a feature."""
    held = await entitlement(ctx)
    if name not in held.features:
        raise FeatureNotInPlan(details={"feature": name, "plan": held.plan})


class PlanMembers(orgs.MemberLimit):
    """What the plan says about members, for the module that adds them."""

    async def limit(self, ctx: Ctx) -> int | None:
        """The most members of the context's organisation."""
        return await limit(ctx, "members")


def _on(features: dict[str, Any]) -> frozenset[str]:
    return frozenset(name for name, on in features.items() if on)
