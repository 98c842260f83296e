"""usage: the ledger, reservations, caps and bills"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from nexuscore.kernel.migrate import org_owned
from nexuscore.kernel.tables import ACROSS_ROLE, APP_ROLE

revision = "usage_0001"
down_revision = None
branch_labels = ("usage",)
depends_on = None

KEEP = """
CREATE FUNCTION usage_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'insufficient_privilege';
END $$
"""

# open ends in any of the others; what expired may still be settled, late. All else is over.
MOVE = """
CREATE FUNCTION usage_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT (OLD.state = 'open' OR (OLD.state = 'expired' AND NEW.state = 'settled')) THEN
    RAISE EXCEPTION 'a reservation that is % stays so', OLD.state USING ERRCODE = 'check_violation';
  END IF;
  IF (OLD.id, OLD.org_id, OLD.amount_micro, OLD.day, OLD.user_id) IS DISTINCT FROM
     (NEW.id, NEW.org_id, NEW.amount_micro, NEW.day, NEW.user_id) THEN
    RAISE EXCEPTION 'what was reserved does not change' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$
"""
APPENDED = ("usage_entries", "usage_snapshots", "usage_bills", "usage_billed_entries")


def upgrade() -> None:
    op.create_table(
        "usage_accounts",
        sa.Column(
            "org_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('nexus.org', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("last_number", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_postpaid", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("warn_below_micro", sa.BigInteger(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("last_number >= 0 AND warn_below_micro >= 0", name=op.f("ck_usage_accounts_sane")),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_usage_accounts")),
    )
    op.create_table(
        "usage_bills",
        sa.Column(
            "org_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('nexus.org', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("until", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_bills")),
        sa.UniqueConstraint("org_id", "key", name=op.f("uq_usage_bills_org_id_key")),
    )
    op.create_table(
        "usage_caps",
        sa.Column(
            "org_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('nexus.org', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("day_micro", sa.BigInteger(), nullable=True),
        sa.Column("month_micro", sa.BigInteger(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("day_micro >= 0 AND month_micro >= 0", name=op.f("ck_usage_caps_sane")),
        sa.PrimaryKeyConstraint("org_id", "user_id", name=op.f("pk_usage_caps")),
    )
    op.create_table(
        "usage_entries",
        sa.Column(
            "org_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('nexus.org', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("units", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("price_micro", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cost_micro", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("amount_micro", sa.BigInteger(), nullable=False),
        sa.Column("billable_micro", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("absorbed_micro", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reservation_id", sa.Uuid(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "CASE WHEN kind IN ('spend', 'taken_back') THEN amount_micro <= 0 ELSE amount_micro > 0 END",
            name=op.f("ck_usage_entries_amount"),
        ),
        sa.CheckConstraint(
            "cost_micro = CASE kind WHEN 'spend' THEN billable_micro + absorbed_micro - amount_micro ELSE 0 END",
            name=op.f("ck_usage_entries_cost"),
        ),
        sa.CheckConstraint("kind IN ('spend', 'grant', 'purchase', 'taken_back')", name=op.f("ck_usage_entries_kind")),
        sa.CheckConstraint(
            "units >= 0 AND price_micro >= 0 AND billable_micro >= 0 AND absorbed_micro >= 0",
            name=op.f("ck_usage_entries_signs"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_entries")),
        sa.UniqueConstraint("org_id", "number", name=op.f("uq_usage_entries_org_id_number")),
    )
    op.create_index("ix_usage_entries_org_id_at", "usage_entries", ["org_id", "at"], unique=False)
    op.create_index(
        "uq_usage_entries_source",
        "usage_entries",
        ["org_id", "source"],
        unique=True,
        postgresql_where=sa.text("source IS NOT NULL"),
    )
    op.create_table(
        "usage_snapshots",
        sa.Column(
            "org_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('nexus.org', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("balance_micro", sa.BigInteger(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "number", name=op.f("pk_usage_snapshots")),
    )
    op.create_table(
        "usage_totals",
        sa.Column(
            "org_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('nexus.org', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("starts", sa.Date(), nullable=False),
        sa.Column("spent_micro", sa.BigInteger(), nullable=False),
        sa.Column("reserved_micro", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("period IN ('day', 'month')", name=op.f("ck_usage_totals_period")),
        sa.CheckConstraint("spent_micro >= 0 AND reserved_micro >= 0", name=op.f("ck_usage_totals_sane")),
        sa.PrimaryKeyConstraint("org_id", "user_id", "period", "starts", name=op.f("pk_usage_totals")),
    )
    op.create_table(
        "usage_billed_entries",
        sa.Column(
            "org_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('nexus.org', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("bill_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["bill_id"], ["usage_bills.id"], name=op.f("fk_usage_billed_entries_bill_id")),
        sa.ForeignKeyConstraint(["entry_id"], ["usage_entries.id"], name=op.f("fk_usage_billed_entries_entry_id")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_usage_billed_entries")),
    )
    op.create_index(op.f("ix_usage_billed_entries_bill_id"), "usage_billed_entries", ["bill_id"], unique=False)
    op.create_table(
        "usage_reservations",
        sa.Column(
            "org_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('nexus.org', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("amount_micro", sa.BigInteger(), nullable=False),
        sa.Column("credits_micro", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("entry_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("(state = 'open') = (ended_at IS NULL)", name=op.f("ck_usage_reservations_ended")),
        sa.CheckConstraint("(state = 'settled') = (entry_id IS NOT NULL)", name=op.f("ck_usage_reservations_entry")),
        sa.CheckConstraint(
            "state IN ('open', 'settled', 'released', 'expired')", name=op.f("ck_usage_reservations_state")
        ),
        sa.CheckConstraint(
            "amount_micro >= 0 AND credits_micro BETWEEN 0 AND amount_micro", name=op.f("ck_usage_reservations_amount")
        ),
        sa.ForeignKeyConstraint(["entry_id"], ["usage_entries.id"], name=op.f("fk_usage_reservations_entry_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_reservations")),
    )
    op.create_index(
        "ix_usage_reservations_open",
        "usage_reservations",
        ["org_id", "expires_at"],
        unique=False,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index(
        "uq_usage_reservations_key",
        "usage_reservations",
        ["org_id", "key"],
        unique=True,
        postgresql_where=sa.text("key IS NOT NULL"),
    )
    org_owned("usage_accounts")
    org_owned("usage_bills")
    org_owned("usage_caps")
    org_owned("usage_entries")
    org_owned("usage_snapshots")
    org_owned("usage_totals")
    org_owned("usage_billed_entries")
    org_owned("usage_reservations")

    op.execute(KEEP)
    op.execute(MOVE)
    for table in APPENDED:
        op.execute(
            f"CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION usage_keep()"
        )
        op.execute(
            f"CREATE TRIGGER keep_all BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION usage_keep()"
        )
        op.execute(f"REVOKE UPDATE, DELETE ON {table} FROM {APP_ROLE}, {ACROSS_ROLE}")
    op.execute("CREATE TRIGGER move BEFORE UPDATE ON usage_reservations FOR EACH ROW EXECUTE FUNCTION usage_move()")


def downgrade() -> None:
    op.drop_index(
        "uq_usage_reservations_key", table_name="usage_reservations", postgresql_where=sa.text("key IS NOT NULL")
    )
    op.drop_index(
        "ix_usage_reservations_open", table_name="usage_reservations", postgresql_where=sa.text("state = 'open'")
    )
    op.drop_table("usage_reservations")
    op.drop_index(op.f("ix_usage_billed_entries_bill_id"), table_name="usage_billed_entries")
    op.drop_table("usage_billed_entries")
    op.drop_table("usage_totals")
    op.drop_table("usage_snapshots")
    op.drop_index("uq_usage_entries_source", table_name="usage_entries", postgresql_where=sa.text("source IS NOT NULL"))
    op.drop_index("ix_usage_entries_org_id_at", table_name="usage_entries")
    op.drop_table("usage_entries")
    op.drop_table("usage_caps")
    op.drop_table("usage_bills")
    op.drop_table("usage_accounts")
    op.execute("DROP FUNCTION usage_move")
    op.execute("DROP FUNCTION usage_keep")
