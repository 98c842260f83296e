"""Plans: what an organisation pays for, and what it may use for it.

    await plans.require_room(ctx, "leads_per_month", used)     # `limit_reached`, and what to do about it
    await plans.require_feature(ctx, "api_access")

Others may call the verbs re-exported here and listen to what `events` announces. A module that plans should not need
to know owns a slot as `orgs.MemberLimit` is, which this one fills. `docs/plans.md` tells the whole story.
"""

from nexuscore.modules.plans.entitlements import Entitlement, entitlement, limit, require_feature, require_room
from nexuscore.modules.plans.errors import FeatureNotInPlan
from nexuscore.modules.plans.periods import add_months, boundary, prorate
from nexuscore.modules.plans.store import live
from nexuscore.modules.plans.tables import Plan, Subscription
from nexuscore.modules.plans.use import Use

__all__ = [
    "Entitlement",
    "FeatureNotInPlan",
    "Plan",
    "Subscription",
    "Use",
    "add_months",
    "boundary",
    "entitlement",
    "limit",
    "live",
    "prorate",
    "require_feature",
    "require_room",
]
