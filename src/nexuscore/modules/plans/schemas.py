"""What goes over the wire. Amounts are minor units, before GST."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from nexuscore.kernel.http import Schema
from nexuscore.kernel.money import exponent


def _currency(value: str) -> str:
    try:
        exponent(value)
    except ValueError:
        raise ValueError("This is not a currency code.") from None
    return value


Sku = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=50)]
PlanName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+$", min_length=1, max_length=50)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Prose = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=50)]
Amount = Annotated[int, Field(strict=True, ge=0, le=10**10)]
Limits = Annotated[dict[Name, Annotated[int, Field(strict=True, ge=0)] | None], Field(max_length=50)]
Features = Annotated[dict[Name, bool], Field(max_length=50)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), AfterValidator(_currency)]


class NewPlan(Schema):
    """A plan for the catalogue."""

    sku: Sku = Field(examples=["starter-month"])
    name: Words
    description: Prose = ""
    billing_period: Literal["month", "year"]
    amount: Amount = Field(description="For the whole period.")
    currency: Currency = "SGD"
    features: Features = Field(default_factory=dict)
    limits: Limits = Field(default_factory=dict, description="Null is no limit.")
    is_visible: bool = True
    is_featured: bool = False
    display_order: int = Field(0, ge=0, le=10_000)


class PlanChange(Schema):
    """What to change; what is left out stays. A price is not changed: add a plan, and hide this one."""

    name: Words | None = None
    description: Prose | None = None
    features: Features | None = None
    limits: Limits | None = None
    is_active: bool | None = Field(None, description="Whether it can be chosen. Who is on it stays on it.")
    is_visible: bool | None = None
    is_featured: bool | None = None
    display_order: int | None = Field(None, ge=0, le=10_000)


class PlanOut(Schema):
    """A plan. `yearly` and `monthly` are its price for a year and a month; it saves against its monthly sibling."""

    id: UUID
    sku: str
    name: str
    description: str
    billing_period: str
    amount: int
    currency: str
    formatted: str
    monthly: int
    yearly: int
    saving_percent: int | None
    features: dict[str, bool]
    limits: dict[str, int | None]
    is_active: bool
    is_visible: bool
    is_featured: bool
    display_order: int


class NewSubscription(Schema):
    """What to subscribe to."""

    plan: PlanName = Field(description="A plan's SKU or id.", examples=["professional-month"])
    trial: bool | None = Field(
        None, description="True insists on a trial, false goes without; left out, it is one while there is one."
    )


class SubscriptionOut(Schema):
    """A subscription. `is_active` says whether the plan's limits and features hold."""

    id: UUID
    plan: str
    plan_name: str
    next_plan: str | None
    state: str
    is_active: bool
    price: int
    currency: str
    unit: str
    current_period_start: datetime
    current_period_end: datetime
    trial_end: datetime | None
    cancel_at_period_end: bool
    canceled_at: datetime | None
    past_due_since: datetime | None
    next_try_at: datetime | None
    created_at: datetime


class Wanted(Schema):
    """The plan to change to."""

    plan: PlanName = Field(description="A plan's SKU or id.", examples=["enterprise-month"])


class PreviewOut(Schema):
    """What the change comes to. At once: `charge` for the new plan less `credit` for the unused part of the old one.

    Otherwise nothing is due now, and the plan changes at `effective_at`. `over` names limits that are exceeded then.
    """

    id: UUID
    plan: str
    at_once: bool
    effective_at: datetime
    credit: int
    charge: int
    due: int
    gst: int
    total: int
    currency: str
    expires_at: datetime
    over: list[dict[str, Any]]


class Purchase(Schema):
    """The preview to buy, as it was shown."""

    preview_id: UUID


class Cancelling(Schema):
    """When to end: with the period, or at once. What was paid is not paid back."""

    at_period_end: bool = True


class Entitlements(Schema):
    """What the organisation may use, and why: by a subscription, by its trial, or by neither."""

    by: Literal["subscription", "trial", "none"]
    plan: str | None
    until: datetime | None
    limits: dict[str, int | None]
    features: list[str]
