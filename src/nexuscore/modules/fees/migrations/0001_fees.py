"""the platform's fee, and its history"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from nexuscore.kernel.tables import ACROSS_ROLE, APP_ROLE

revision = "fees_0001"
down_revision = None
branch_labels = ("fees",)
depends_on = None

KEEP = """
CREATE FUNCTION fees_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'what fees there were and are stays on record' USING ERRCODE = 'insufficient_privilege';
END $$
"""

# Times never run backwards: whoever waited for the row may have begun before the one who held it.
CHANGE = """
CREATE FUNCTION fees_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.fee_percentage, NEW.is_active, NEW.description) IS NOT DISTINCT FROM
     (OLD.fee_percentage, OLD.is_active, OLD.description) THEN
    NEW.version := OLD.version; NEW.updated_at := OLD.updated_at; NEW.reason := OLD.reason;
    NEW.changed_in := OLD.changed_in; NEW.created_at := OLD.created_at;
    RETURN NEW;
  END IF;
  IF NEW.updated_at = OLD.updated_at THEN NEW.updated_at := now(); END IF;
  NEW.updated_at := greatest(NEW.updated_at, OLD.updated_at + interval '1 microsecond');
  NEW.version := OLD.version + 1;
  NEW.changed_in := pg_current_xact_id()::text;
  NEW.created_at := OLD.created_at;
  RETURN NEW;
END $$
"""

RECORD = """
CREATE FUNCTION fees_record() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' OR NEW.version > OLD.version THEN
    INSERT INTO core_platform_fee_history
      (version, fee_percentage, is_active, description, reason, changed_by, effective_from)
    VALUES (NEW.version, NEW.fee_percentage, NEW.is_active, NEW.description, NEW.reason,
      NEW.updated_by, NEW.updated_at);
  END IF;
  RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "core_platform_fee_config",
        sa.Column("id", sa.BigInteger(), server_default=sa.text("1"), autoincrement=False, nullable=False),
        sa.Column("fee_percentage", sa.Numeric(precision=5, scale=2), server_default=sa.text("10.00"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("changed_in", sa.Text(), server_default=sa.text("pg_current_xact_id()::text"), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("fee_percentage BETWEEN 0 AND 100", name=op.f("ck_core_platform_fee_config_percentage")),
        sa.CheckConstraint("id = 1", name=op.f("ck_core_platform_fee_config_one_row")),
        sa.CheckConstraint("length(description) <= 500", name=op.f("ck_core_platform_fee_config_description")),
        sa.CheckConstraint("length(reason) BETWEEN 1 AND 500", name=op.f("ck_core_platform_fee_config_reason")),
        sa.ForeignKeyConstraint(
            ["updated_by"], ["users.id"], name=op.f("fk_core_platform_fee_config_updated_by"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_core_platform_fee_config")),
    )
    op.create_table(
        "core_platform_fee_history",
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fee_percentage", sa.Numeric(precision=5, scale=2), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.Column("effective_from", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_core_platform_fee_history")),
    )
    for function in (KEEP, CHANGE, RECORD):
        op.execute(function)
    _guard("core_platform_fee_config", "DELETE")
    _guard("core_platform_fee_history", "UPDATE OR DELETE")
    op.execute(
        "CREATE TRIGGER change BEFORE UPDATE ON core_platform_fee_config FOR EACH ROW EXECUTE FUNCTION fees_change()"
    )
    op.execute(
        "CREATE TRIGGER record AFTER INSERT OR UPDATE ON core_platform_fee_config"
        " FOR EACH ROW EXECUTE FUNCTION fees_record()"
    )
    for role in (APP_ROLE, ACROSS_ROLE):
        op.execute(f"REVOKE INSERT, UPDATE, DELETE ON core_platform_fee_history FROM {role}")
        op.execute(f"REVOKE INSERT, DELETE ON core_platform_fee_config FROM {role}")
    op.execute("INSERT INTO core_platform_fee_config (reason) VALUES ('What the platform begins with.')")


def _guard(table: str, what: str) -> None:
    op.execute(f"CREATE TRIGGER keep_rows BEFORE {what} ON {table} FOR EACH ROW EXECUTE FUNCTION fees_keep()")
    op.execute(f"CREATE TRIGGER keep_all BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION fees_keep()")


def downgrade() -> None:
    op.drop_table("core_platform_fee_history")
    op.drop_table("core_platform_fee_config")
    for function in ("fees_record", "fees_change", "fees_keep"):
        op.execute(f"DROP FUNCTION {function}")
