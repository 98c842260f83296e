"""seals, archived parts, exports"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from nexuscore.kernel.tables import ACROSS_ROLE, APP_ROLE, SCOPE

revision = "audit_0001"
down_revision = None
branch_labels = ("audit",)
depends_on = None

REFUSE = """
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$
"""

# The app owns no tables, so this is how an archived month leaves. It believes nothing it can see for itself: the month
# is a partition, old, its rows are as many as were archived, and every one of them was sealed. Only the last two
# statements lock the log, for a moment; who cannot have that moment at once tries again later.
DROP_MONTH = """
CREATE FUNCTION audit_drop_month(month date, archived bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE
  name text := 'events_' || to_char(month, 'YYYY_MM');
  found bigint;
  loose bigint;
BEGIN
  IF month <> date_trunc('month', month) OR month + interval '3 months' > now() THEN
    RAISE EXCEPTION 'the month % is too young to leave the log', month;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass(name) AND inhparent = 'events'::regclass) THEN
    RAISE EXCEPTION 'the log has no month %', month;
  END IF;
  EXECUTE format('LOCK TABLE %I IN SHARE ROW EXCLUSIVE MODE', name);
  EXECUTE format('SELECT count(*) FROM %I', name) INTO found;
  EXECUTE format('SELECT count(*) FROM %I e WHERE (e.xid, e.id) > (SELECT s.last_xid::text::xid8, s.last_id'
    ' FROM audit_seals s ORDER BY s.number DESC LIMIT 1)', name) INTO loose;
  IF found <> archived OR loose > 0 OR (found > 0 AND NOT EXISTS (SELECT FROM audit_seals)) THEN
    RAISE EXCEPTION 'the month % has % rows, % were archived, % are not sealed', month, found, archived, loose;
  END IF;
  IF archived > 0 AND NOT EXISTS (SELECT FROM audit_archived_parts p WHERE p.month = audit_drop_month.month) THEN
    RAISE EXCEPTION 'the month % is not in the archive', month;
  END IF;
  EXECUTE format('ALTER TABLE events DETACH PARTITION %I', name);
  EXECUTE format('DROP TABLE %I', name);
END $$
"""


def upgrade() -> None:
    op.create_table(
        "audit_seals",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sealed_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("last_xid", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.Uuid(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("entries", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_seals")),
    )
    op.create_index("ix_audit_seals_last_xid_last_id", "audit_seals", ["last_xid", "last_id"])
    op.create_table(
        "audit_archived_parts",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("part", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("types", postgresql.JSONB(), nullable=False),
        sa.Column("written_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("month", "part", "version", name=op.f("pk_audit_archived_parts")),
    )
    op.create_table(
        "audit_exports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=True),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("filters", postgresql.JSONB(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'waiting'"), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=True),
        sa.Column("parts", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("ready_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_exports")),
    )
    op.create_index(op.f("ix_audit_exports_org_id"), "audit_exports", ["org_id"])
    op.create_index(op.f("ix_audit_exports_expires_at"), "audit_exports", ["expires_at"])
    _close_exports()
    op.execute(REFUSE)
    for table in ("audit_seals", "audit_archived_parts"):
        _append_only(table)
    op.execute(DROP_MONTH)
    op.execute("REVOKE ALL ON FUNCTION audit_drop_month FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION audit_drop_month TO {ACROSS_ROLE}")


def _close_exports() -> None:
    """As `org_owned`, but the platform's own exports have no organisation: only `across` sees those."""
    op.execute("ALTER TABLE audit_exports ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE audit_exports FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY scoped ON audit_exports TO {APP_ROLE} USING (org_id = {SCOPE}) WITH CHECK (org_id = {SCOPE})"
    )
    op.execute(f"CREATE POLICY across ON audit_exports TO {ACROSS_ROLE} USING (true) WITH CHECK (true)")


def _append_only(table: str) -> None:
    """Nobody changes a row of it, and no organisation's request sees one."""
    op.execute(f"REVOKE ALL ON {table} FROM {APP_ROLE}")
    op.execute(f"REVOKE UPDATE, DELETE ON {table} FROM {ACROSS_ROLE}")
    for name, when in (("change", "UPDATE OR DELETE"), ("truncate", "TRUNCATE")):
        op.execute(
            f"CREATE TRIGGER refuse_{name} BEFORE {when} ON {table}"
            f" FOR EACH {'ROW' if name == 'change' else 'STATEMENT'} EXECUTE FUNCTION audit_refuse()"
        )


def downgrade() -> None:
    op.execute("DROP FUNCTION audit_drop_month")
    for table in ("audit_exports", "audit_archived_parts", "audit_seals"):
        op.drop_table(table)
    op.execute("DROP FUNCTION audit_refuse")
