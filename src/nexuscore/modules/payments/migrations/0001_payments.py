"""Payments, and triggers that refuse what the states do not know, what changes a payment's purpose, and removal."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from nexuscore.kernel.migrate import org_owned
from nexuscore.kernel.tables import ACROSS_ROLE, APP_ROLE

revision = "payments_0001"
down_revision = None
branch_labels = ("payments",)
depends_on = None

STEPS = {
    "payments": {
        "pending": ("requires_action", "processing", "succeeded", "failed", "canceled"),
        "requires_action": ("pending", "processing", "succeeded", "failed", "canceled"),
        "processing": ("requires_action", "succeeded", "failed", "canceled"),
        "failed": ("pending", "requires_action", "processing", "succeeded", "canceled"),
        "canceled": ("succeeded",),
        "succeeded": ("partially_refunded", "refunded", "disputed"),
        "partially_refunded": ("succeeded", "refunded", "disputed"),
        "refunded": ("succeeded", "partially_refunded", "disputed"),
        "disputed": ("succeeded", "partially_refunded", "refunded", "charged_back"),
    },
    "payment_refunds": {"pending": ("succeeded", "failed", "canceled"), "succeeded": ("failed",)},
    "payment_disputes": {"inquiry": ("open", "won", "lost", "closed"), "open": ("won", "lost", "closed")},
}
FIXED = {
    "payments": "id, org_id, invoice_id, amount, currency, kind, provider, reference, created_at, created_by",
    "payment_refunds": "id, org_id, payment_id, provider, amount, currency, from_applied, from_unapplied, created_at",
    "payment_disputes": "id, org_id, payment_id, provider, provider_id, amount, currency, created_at",
}
ONCE = {
    "payments": ("provider_id", "paid_at", "receipt"),
    "payment_refunds": ("provider_id", "done_at"),
    "payment_disputes": ("closed_at",),
}

STEP = """
CREATE FUNCTION payments_step() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM payment_transitions t
                 WHERE t.thing = TG_TABLE_NAME AND t.before = OLD.state AND t.after = NEW.state) THEN
    RAISE EXCEPTION 'a row of % does not go from % to %', TG_TABLE_NAME, OLD.state, NEW.state
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$
"""
REFUSE = """
CREATE FUNCTION payments_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'what a row of % is for never changes, and none is removed', TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$
"""


def guard(table: str) -> None:
    """Steps by the table of transitions; what it is for, and what came, is written once."""
    names = FIXED[table].split(", ")
    changed = [f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in names]
    changed += [f"(OLD.{name} IS NOT NULL AND OLD.{name} IS DISTINCT FROM NEW.{name})" for name in ONCE[table]]
    if table == "payments":
        sums = (f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in ("received", "applied", "unapplied"))
        changed.append(f"(OLD.paid_at IS NOT NULL AND ({' OR '.join(sums)}))")
    op.execute(
        f"CREATE TRIGGER step BEFORE UPDATE OF state ON {table} FOR EACH ROW"
        " WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION payments_step()"
    )
    op.execute(
        f"CREATE TRIGGER fixed BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({' OR '.join(changed)})"
        " EXECUTE FUNCTION payments_refuse()"
    )
    op.execute(f"CREATE TRIGGER kept BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION payments_refuse()")
    op.execute(f"CREATE TRIGGER whole BEFORE TRUNCATE ON {table} EXECUTE FUNCTION payments_refuse()")


def upgrade() -> None:
    op.create_table(
        "payment_transitions",
        sa.Column("thing", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("thing", "before", "after", name=op.f("pk_payment_transitions")),
    )
    for thing, steps in STEPS.items():
        for before, afters in steps.items():
            for after in afters:
                op.execute(f"INSERT INTO payment_transitions VALUES ('{thing}', '{before}', '{after}')")
    op.execute(f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON payment_transitions FROM {APP_ROLE}, {ACROSS_ROLE}")
    op.create_table(
        "payment_findings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("thing", sa.Text(), nullable=False),
        sa.Column("thing_id", sa.Text(), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=True),
        sa.Column("payment_id", sa.Uuid(), nullable=True),
        sa.Column("ours", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("theirs", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("found_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("settled_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("settled_by", sa.Uuid(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_findings")),
    )
    op.create_index(
        "uq_payment_findings_open",
        "payment_findings",
        ["kind", "thing", "thing_id"],
        unique=True,
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    op.create_table(
        "payment_methods",
        sa.Column(
            "org_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('nexus.org', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text(), nullable=True),
        sa.Column("last4", sa.Text(), nullable=True),
        sa.Column("exp_month", sa.BigInteger(), nullable=True),
        sa.Column("exp_year", sa.BigInteger(), nullable=True),
        sa.Column("is_default", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("removed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_methods")),
    )
    op.create_index(op.f("ix_payment_methods_org_id"), "payment_methods", ["org_id"], unique=False)
    op.create_index(
        "uq_payment_methods_default",
        "payment_methods",
        ["org_id", "provider"],
        unique=True,
        postgresql_where=sa.text("is_default AND removed_at IS NULL"),
    )
    op.create_index("uq_payment_methods_provider_id", "payment_methods", ["provider", "provider_id"], unique=True)
    op.create_table(
        "payment_payers",
        sa.Column(
            "org_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('nexus.org', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "provider", name=op.f("pk_payment_payers")),
        sa.UniqueConstraint("provider_id", name=op.f("uq_payment_payers_provider_id")),
    )
    op.create_table(
        "payment_receipts",
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_payment_receipts")),
    )
    op.create_table(
        "payment_reconciliations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("since", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("until", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("compared", sa.BigInteger(), nullable=False),
        sa.Column("differing", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_reconciliations")),
    )
    op.create_table(
        "payments",
        sa.Column(
            "org_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('nexus.org', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("request_key", sa.Text(), nullable=True),
        sa.Column("request_hash", sa.LargeBinary(), nullable=True),
        sa.Column("confirm_key", sa.Text(), nullable=True),
        sa.Column("action", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("failure_code", sa.Text(), nullable=True),
        sa.Column("failure_decline", sa.Text(), nullable=True),
        sa.Column("failure_message", sa.Text(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failed_attempt", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("off_session", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("keep_method", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("method_id", sa.Uuid(), nullable=True),
        sa.Column("brand", sa.Text(), nullable=True),
        sa.Column("last4", sa.Text(), nullable=True),
        sa.Column("received", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("applied", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("unapplied", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("refunded", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("refunding", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("paid_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('card', 'paynow', 'bank_transfer', 'cash', 'other')", name=op.f("ck_payments_kind")
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'requires_action', 'processing', 'failed', 'canceled', 'succeeded',"
            " 'partially_refunded', 'refunded', 'disputed', 'charged_back')",
            name=op.f("ck_payments_state"),
        ),
        sa.CheckConstraint("(receipt IS NULL) = (paid_at IS NULL)", name=op.f("ck_payments_receipt")),
        sa.CheckConstraint("(received > 0) = (paid_at IS NOT NULL)", name=op.f("ck_payments_paid")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payments_amount")),
        sa.CheckConstraint(
            "applied >= 0 AND unapplied >= 0 AND applied + unapplied = received", name=op.f("ck_payments_received")
        ),
        sa.CheckConstraint(
            "refunded >= 0 AND refunding >= 0 AND refunded + refunding <= received", name=op.f("ck_payments_refunded")
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_payments_invoice_id")),
        sa.ForeignKeyConstraint(["method_id"], ["payment_methods.id"], name=op.f("fk_payments_method_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("receipt", name=op.f("uq_payments_receipt")),
    )
    op.create_index("ix_payments_invoice_id", "payments", ["invoice_id"], unique=False)
    op.create_index(
        "ix_payments_open",
        "payments",
        ["updated_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('pending', 'requires_action', 'processing', 'failed')"),
    )
    op.create_index(op.f("ix_payments_org_id"), "payments", ["org_id"], unique=False)
    op.create_index(
        "uq_payments_live",
        "payments",
        ["invoice_id"],
        unique=True,
        postgresql_where=sa.text(
            "state IN ('pending', 'requires_action', 'processing', 'failed')"
            " AND provider NOT IN ('hand', 'stripe_invoice')"
        ),
    )
    op.create_index("uq_payments_provider_id", "payments", ["provider", "provider_id"], unique=True)
    op.create_index("uq_payments_request_key", "payments", ["org_id", "request_key"], unique=True)
    op.create_table(
        "payment_disputes",
        sa.Column(
            "org_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('nexus.org', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("held", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("lost_unapplied", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_by", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("closed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state IN ('inquiry', 'open', 'won', 'lost', 'closed')", name=op.f("ck_payment_disputes_state")
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_payment_disputes_amount")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_payment_disputes_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_disputes")),
    )
    op.create_index(op.f("ix_payment_disputes_org_id"), "payment_disputes", ["org_id"], unique=False)
    op.create_index("ix_payment_disputes_payment_id", "payment_disputes", ["payment_id"], unique=False)
    op.create_index("uq_payment_disputes_provider_id", "payment_disputes", ["provider", "provider_id"], unique=True)
    op.create_table(
        "payment_refunds",
        sa.Column(
            "org_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('nexus.org', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payment_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("from_applied", sa.BigInteger(), nullable=False),
        sa.Column("from_unapplied", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("done_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state IN ('pending', 'succeeded', 'failed', 'canceled')", name=op.f("ck_payment_refunds_state")
        ),
        sa.CheckConstraint(
            "amount > 0 AND from_applied + from_unapplied = amount", name=op.f("ck_payment_refunds_amount")
        ),
        sa.CheckConstraint("from_applied >= 0 AND from_unapplied >= 0", name=op.f("ck_payment_refunds_parts")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_payment_refunds_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_refunds")),
    )
    op.create_index(op.f("ix_payment_refunds_org_id"), "payment_refunds", ["org_id"], unique=False)
    op.create_index("ix_payment_refunds_payment_id", "payment_refunds", ["payment_id"], unique=False)
    op.create_index("uq_payment_refunds_provider_id", "payment_refunds", ["provider", "provider_id"], unique=True)
    org_owned("payment_methods")
    org_owned("payment_payers")
    org_owned("payments")
    org_owned("payment_disputes")
    org_owned("payment_refunds")
    op.execute(STEP)
    op.execute("REVOKE ALL ON FUNCTION payments_step FROM PUBLIC")
    op.execute(REFUSE)
    for table in STEPS:
        guard(table)


def downgrade() -> None:
    op.drop_index("uq_payment_refunds_provider_id", table_name="payment_refunds")
    op.drop_index("ix_payment_refunds_payment_id", table_name="payment_refunds")
    op.drop_index(op.f("ix_payment_refunds_org_id"), table_name="payment_refunds")
    op.drop_table("payment_refunds")
    op.drop_index("uq_payment_disputes_provider_id", table_name="payment_disputes")
    op.drop_index("ix_payment_disputes_payment_id", table_name="payment_disputes")
    op.drop_index(op.f("ix_payment_disputes_org_id"), table_name="payment_disputes")
    op.drop_table("payment_disputes")
    op.drop_index("uq_payments_request_key", table_name="payments")
    op.drop_index("uq_payments_provider_id", table_name="payments")
    op.drop_index(
        "uq_payments_live",
        table_name="payments",
        postgresql_where=sa.text(
            "state IN ('pending', 'requires_action', 'processing', 'failed')"
            " AND provider NOT IN ('hand', 'stripe_invoice')"
        ),
    )
    op.drop_index(op.f("ix_payments_org_id"), table_name="payments")
    op.drop_index(
        "ix_payments_open",
        table_name="payments",
        postgresql_where=sa.text("state IN ('pending', 'requires_action', 'processing', 'failed')"),
    )
    op.drop_index("ix_payments_invoice_id", table_name="payments")
    op.drop_table("payments")
    op.drop_table("payment_reconciliations")
    op.drop_table("payment_receipts")
    op.drop_table("payment_payers")
    op.drop_index("uq_payment_methods_provider_id", table_name="payment_methods")
    op.drop_index(
        "uq_payment_methods_default",
        table_name="payment_methods",
        postgresql_where=sa.text("is_default AND removed_at IS NULL"),
    )
    op.drop_index(op.f("ix_payment_methods_org_id"), table_name="payment_methods")
    op.drop_table("payment_methods")
    op.drop_index(
        "uq_payment_findings_open", table_name="payment_findings", postgresql_where=sa.text("settled_at IS NULL")
    )
    op.drop_table("payment_findings")
    op.execute("DROP FUNCTION payments_step")
    op.execute("DROP FUNCTION payments_refuse")
    op.drop_table("payment_transitions")
