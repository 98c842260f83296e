"""the catalogue with its three tiers, subscriptions, and what they may become"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from nexuscore.kernel.migrate import org_owned

revision = "plans_0001"
down_revision = None
branch_labels = ("plans",)
depends_on = None

FIXED = """
CREATE FUNCTION plans_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.id, NEW.sku, NEW.amount, NEW.currency, NEW.billing_period) IS DISTINCT FROM
     (OLD.id, OLD.sku, OLD.amount, OLD.currency, OLD.billing_period) THEN
    RAISE EXCEPTION 'a plan keeps its price: add another and hide this one' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$
"""

# The states as docs/plans.md draws them.
STEPS = """
CREATE FUNCTION subscriptions_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state NOT IN ('trialing', 'active', 'unpaid') THEN
      RAISE EXCEPTION 'a subscription does not begin as %', NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.state = 'canceled' THEN
    RAISE EXCEPTION 'a subscription that is over stays as it is' USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
       ('trialing', 'active'), ('trialing', 'canceled'),
       ('active', 'past_due'), ('active', 'paused'), ('active', 'canceled'),
       ('past_due', 'active'), ('past_due', 'unpaid'), ('past_due', 'canceled'),
       ('unpaid', 'active'), ('unpaid', 'canceled'),
       ('paused', 'active'), ('paused', 'canceled')) THEN
    RAISE EXCEPTION 'a subscription does not go from % to %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$
"""

KEPT = """
CREATE FUNCTION subscriptions_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'what was subscribed and invoiced stays on record' USING ERRCODE = 'insufficient_privilege';
END $$
"""

SEED = """
INSERT INTO plans
  (id, sku, name, description, billing_period, amount, features, limits, is_featured, display_order)
SELECT gen_random_uuid(), tier.stem || '-' || price.period, tier.name, tier.description, price.period, price.amount,
       tier.features::jsonb, tier.limits::jsonb, tier.stem = 'professional', tier.place + price.place
  FROM (VALUES
    ('starter', 'Starter', 'For small teams that begin.', 10,
     '{"basic_analytics": true, "email_support": true, "gst_invoicing": true}',
     '{"members": 5, "leads_per_month": 1000, "storage_gb": 5}'),
    ('professional', 'Professional', 'For companies that grow.', 20,
     '{"basic_analytics": true, "email_support": true, "gst_invoicing": true, "advanced_analytics": true,
       "priority_support": true, "gst_reports": true, "api_access": true}',
     '{"members": 20, "leads_per_month": 10000, "storage_gb": 50}'),
    ('enterprise', 'Enterprise', 'For those who need all of it.', 30,
     '{"basic_analytics": true, "email_support": true, "gst_invoicing": true, "advanced_analytics": true,
       "priority_support": true, "gst_reports": true, "api_access": true, "custom_analytics": true,
       "dedicated_support": true, "pdpa_toolkit": true, "integrations": true, "sla": true}',
     '{"members": null, "leads_per_month": null, "storage_gb": 500}')
  ) tier (stem, name, description, place, features, limits)
  JOIN (VALUES
    ('starter', 'month', 4900, 0), ('starter', 'year', 46800, 1),
    ('professional', 'month', 9900, 0), ('professional', 'year', 94800, 1),
    ('enterprise', 'month', 24900, 0), ('enterprise', 'year', 238800, 1)
  ) price (stem, period, amount, place) ON price.stem = tier.stem
"""


def upgrade() -> None:
    op.create_table(
        "plans",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("billing_period", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), server_default=sa.text("'SGD'"), nullable=False),
        sa.Column("features", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("limits", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("is_visible", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("is_featured", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("display_order", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("billing_period IN ('month', 'year')", name=op.f("ck_plans_billing_period")),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_plans_currency")),
        sa.CheckConstraint("sku ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(sku) <= 50", name=op.f("ck_plans_sku")),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_plans_amount")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("sku", name=op.f("uq_plans_sku")),
    )
    op.create_table(
        "subscriptions",
        sa.Column(
            "org_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('nexus.org', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("next_plan_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("anchor_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("anchor_periods", sa.BigInteger(), nullable=False),
        sa.Column("current_period_start", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("current_period_end", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("trial_start", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("trial_end", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("trial_told_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("cancel_at_period_end", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("canceled_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("stopped_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("past_due_since", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("tries", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_try_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(state = 'canceled') = (canceled_at IS NOT NULL)", name=op.f("ck_subscriptions_canceled")),
        sa.CheckConstraint("(state = 'past_due') = (next_try_at IS NOT NULL)", name=op.f("ck_subscriptions_past_due")),
        sa.CheckConstraint(
            "(state IN ('paused', 'unpaid')) = (stopped_at IS NOT NULL)", name=op.f("ck_subscriptions_stopped")
        ),
        sa.CheckConstraint("state <> 'trialing' OR trial_end IS NOT NULL", name=op.f("ck_subscriptions_trial")),
        sa.CheckConstraint(
            "state IN ('trialing', 'active', 'past_due', 'unpaid', 'paused', 'canceled')",
            name=op.f("ck_subscriptions_state"),
        ),
        sa.CheckConstraint("unit IN ('month', 'year')", name=op.f("ck_subscriptions_unit")),
        sa.CheckConstraint("current_period_end > current_period_start", name=op.f("ck_subscriptions_period")),
        sa.CheckConstraint("price >= 0", name=op.f("ck_subscriptions_price")),
        sa.ForeignKeyConstraint(["next_plan_id"], ["plans.id"], name=op.f("fk_subscriptions_next_plan_id")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_subscriptions_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
    )
    op.create_index(
        "ix_subscriptions_next_try_at",
        "subscriptions",
        ["next_try_at"],
        unique=False,
        postgresql_where=sa.text("next_try_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_subscriptions_org_id"), "subscriptions", ["org_id"], unique=False)
    op.create_index("ix_subscriptions_state_end", "subscriptions", ["state", "current_period_end"], unique=False)
    op.create_index(
        "uq_subscriptions_live",
        "subscriptions",
        ["org_id"],
        unique=True,
        postgresql_where=sa.text("state <> 'canceled'"),
    )
    op.create_table(
        "subscription_previews",
        sa.Column(
            "org_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('nexus.org', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("at_once", sa.Boolean(), nullable=False),
        sa.Column("restarts", sa.Boolean(), nullable=False),
        sa.Column("effective_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("credit", sa.BigInteger(), nullable=False),
        sa.Column("charge", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("gst", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("bought_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "due >= 0 AND credit >= 0 AND charge >= 0 AND due = charge - credit",
            name=op.f("ck_subscription_previews_sums"),
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_subscription_previews_plan_id")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("fk_subscription_previews_subscription_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription_previews")),
    )
    op.create_index(op.f("ix_subscription_previews_org_id"), "subscription_previews", ["org_id"], unique=False)
    op.create_index(
        "ix_subscription_previews_subscription_id", "subscription_previews", ["subscription_id"], unique=False
    )
    op.create_table(
        "subscription_periods",
        sa.Column(
            "org_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('nexus.org', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("starts", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("ends", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=True),
        sa.Column("preview_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('period', 'change')", name=op.f("ck_subscription_periods_kind")),
        sa.CheckConstraint("ends > starts AND amount >= 0", name=op.f("ck_subscription_periods_sane")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_subscription_periods_invoice_id")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_subscription_periods_plan_id")),
        sa.ForeignKeyConstraint(
            ["preview_id"], ["subscription_previews.id"], name=op.f("fk_subscription_periods_preview_id")
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("fk_subscription_periods_subscription_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription_periods")),
        sa.UniqueConstraint("preview_id", name=op.f("uq_subscription_periods_preview_id")),
    )
    op.create_index(op.f("ix_subscription_periods_org_id"), "subscription_periods", ["org_id"], unique=False)
    op.create_index(
        "uq_subscription_periods_once",
        "subscription_periods",
        ["subscription_id", "starts"],
        unique=True,
        postgresql_where=sa.text("kind = 'period'"),
    )
    org_owned("subscriptions")
    org_owned("subscription_previews")
    org_owned("subscription_periods")

    for function in (FIXED, STEPS, KEPT):
        op.execute(function)
    op.execute("CREATE TRIGGER fixed BEFORE UPDATE ON plans FOR EACH ROW EXECUTE FUNCTION plans_fixed()")
    op.execute(
        "CREATE TRIGGER step BEFORE INSERT OR UPDATE ON subscriptions"
        " FOR EACH ROW EXECUTE FUNCTION subscriptions_step()"
    )
    for table in ("subscriptions", "subscription_periods"):
        op.execute(f"CREATE TRIGGER kept BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION subscriptions_kept()")
    op.execute(SEED)


def downgrade() -> None:
    op.drop_index(
        "uq_subscription_periods_once", table_name="subscription_periods", postgresql_where=sa.text("kind = 'period'")
    )
    op.drop_index(op.f("ix_subscription_periods_org_id"), table_name="subscription_periods")
    op.drop_table("subscription_periods")
    op.drop_index("ix_subscription_previews_subscription_id", table_name="subscription_previews")
    op.drop_index(op.f("ix_subscription_previews_org_id"), table_name="subscription_previews")
    op.drop_table("subscription_previews")
    op.drop_index("uq_subscriptions_live", table_name="subscriptions", postgresql_where=sa.text("state <> 'canceled'"))
    op.drop_index("ix_subscriptions_state_end", table_name="subscriptions")
    op.drop_index(op.f("ix_subscriptions_org_id"), table_name="subscriptions")
    op.drop_index(
        "ix_subscriptions_next_try_at", table_name="subscriptions", postgresql_where=sa.text("next_try_at IS NOT NULL")
    )
    op.drop_table("subscriptions")
    op.drop_table("plans")
    for function in ("subscriptions_kept", "subscriptions_step", "plans_fixed"):
        op.execute(f"DROP FUNCTION {function}")
