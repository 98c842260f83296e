"""What the operator of an installation decides about plans."""

from pydantic import Field

from nexuscore.kernel.settings import Settings


class PlanSettings(Settings, prefix="plans"):
    """Settings of plans and subscriptions, NEXUS_PLANS_*. How long a trial lasts is NEXUS_ORGS_TRIAL_DAYS."""

    trial_plan: str = Field(
        "professional-month", description="The plan (its SKU) whose limits hold for an organisation in its trial."
    )
    notice_days: int = Field(3, ge=1, le=30, description="How many days before a trial ends its owner is told.")
    free_limits: dict[str, int] = Field(
        {"members": 1, "leads_per_month": 0, "storage_gb": 0},
        description="The limits without a trial and without a subscription that is paid, as JSON.",
    )
    unpaid_days: int = Field(
        60,
        ge=0,
        le=365,
        description="How many days a subscription stays unpaid before it ends by itself; 0 waits for ever.",
    )
    preview_minutes: int = Field(30, ge=1, le=1440, description="How long a previewed change may be bought as shown.")
