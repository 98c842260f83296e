"""What is stored: the catalogue, subscriptions, the periods they were invoiced for, and previews of changes.

Triggers refuse a change of a plan's price and every step of a subscription's state that docs/plans.md does not draw.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from nexuscore.kernel.tables import Id, OrgOwned, Table, Timestamped

STATES = ("trialing", "active", "past_due", "unpaid", "paused", "canceled")
SERVED = ("trialing", "active", "past_due")  # those in which the plan's limits and features hold


class Plan(Timestamped, Table):
    """Something to subscribe to. A null limit is no limit. Prices are minor units for a whole period, before GST."""

    __tablename__ = "plans"
    __table_args__ = (
        CheckConstraint("billing_period IN ('month', 'year')", name="billing_period"),
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint("sku ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(sku) <= 50", name="sku"),
    )

    id: Mapped[Id]
    sku: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default=text("''"))
    billing_period: Mapped[str]
    amount: Mapped[int]
    currency: Mapped[str] = mapped_column(server_default=text("'SGD'"))
    features: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    limits: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    is_visible: Mapped[bool] = mapped_column(server_default=text("true"))
    is_featured: Mapped[bool] = mapped_column(server_default=text("false"))
    display_order: Mapped[int] = mapped_column(server_default=text("0"))


class Subscription(OrgOwned, Timestamped, Table):
    """An organisation's subscription. The current period ends `anchor_periods` periods after `anchor_at`.

    `price` and `unit` are those it was bought at. `stopped_at` is since when it is paused or unpaid: what was left of
    the period then is what is left when it goes on.
    """

    __tablename__ = "subscriptions"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint("unit IN ('month', 'year')", name="unit"),
        CheckConstraint("price >= 0", name="price"),
        CheckConstraint("current_period_end > current_period_start", name="period"),
        CheckConstraint("state <> 'trialing' OR trial_end IS NOT NULL", name="trial"),
        CheckConstraint("(state = 'canceled') = (canceled_at IS NOT NULL)", name="canceled"),
        CheckConstraint("(state IN ('paused', 'unpaid')) = (stopped_at IS NOT NULL)", name="stopped"),
        CheckConstraint("(state = 'past_due') = (next_try_at IS NOT NULL)", name="past_due"),
        Index("uq_subscriptions_live", "org_id", unique=True, postgresql_where=text("state <> 'canceled'")),
        Index("ix_subscriptions_state_end", "state", "current_period_end"),
        Index("ix_subscriptions_next_try_at", "next_try_at", postgresql_where=text("next_try_at IS NOT NULL")),
    )

    id: Mapped[Id]
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plans.id"))
    next_plan_id: Mapped[UUID | None] = mapped_column(ForeignKey("plans.id"))
    state: Mapped[str]
    price: Mapped[int]
    currency: Mapped[str]
    unit: Mapped[str]
    anchor_at: Mapped[datetime]
    anchor_periods: Mapped[int]
    current_period_start: Mapped[datetime]
    current_period_end: Mapped[datetime]
    trial_start: Mapped[datetime | None]
    trial_end: Mapped[datetime | None]
    trial_told_at: Mapped[datetime | None]
    cancel_at_period_end: Mapped[bool] = mapped_column(server_default=text("false"))
    canceled_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime | None]
    past_due_since: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    next_try_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_by: Mapped[UUID | None] = mapped_column(Uuid)


class BilledPeriod(OrgOwned, Table):
    """What a subscription was invoiced for: a period, once, or a change in the middle of one."""

    __tablename__ = "subscription_periods"
    __table_args__ = (
        CheckConstraint("kind IN ('period', 'change')", name="kind"),
        CheckConstraint("ends > starts AND amount >= 0", name="sane"),
        Index(
            "uq_subscription_periods_once",
            "subscription_id",
            "starts",
            unique=True,
            postgresql_where=text("kind = 'period'"),
        ),
        UniqueConstraint("preview_id"),
    )

    id: Mapped[Id]
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscriptions.id"))
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plans.id"))
    kind: Mapped[str]
    starts: Mapped[datetime]
    ends: Mapped[datetime]
    amount: Mapped[int]
    currency: Mapped[str]
    invoice_id: Mapped[UUID | None] = mapped_column(ForeignKey("invoices.id"))
    preview_id: Mapped[UUID | None] = mapped_column(ForeignKey("subscription_previews.id"))
    created_at: Mapped[datetime]


class Preview(OrgOwned, Table):
    """What a change would come to, as it was shown. It can be bought as shown, once, while `version` stays the same."""

    __tablename__ = "subscription_previews"
    __table_args__ = (
        CheckConstraint("due >= 0 AND credit >= 0 AND charge >= 0 AND due = charge - credit", name="sums"),
        Index("ix_subscription_previews_subscription_id", "subscription_id"),
    )

    id: Mapped[Id]
    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscriptions.id"))
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plans.id"))
    version: Mapped[int]
    at_once: Mapped[bool]
    restarts: Mapped[bool]
    effective_at: Mapped[datetime]
    credit: Mapped[int]
    charge: Mapped[int]
    due: Mapped[int]
    gst: Mapped[int]
    currency: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    bought_at: Mapped[datetime | None]


ALL = (Plan, Subscription, Preview, BilledPeriod)
