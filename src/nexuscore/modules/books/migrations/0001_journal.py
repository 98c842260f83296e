"""the journal"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from nexuscore.kernel.tables import ACROSS_ROLE, APP_ROLE, SCOPE

revision = "books_0001"
down_revision = None
branch_labels = ("books",)
depends_on = None

TABLES = ("journal_entries", "journal_postings")

# Before the commit every new entry is added up. As the owner, for the scope may be another one by then; a policy of
# its own lets the owner look, and only look, although row-level security is forced.
BALANCED = """
CREATE FUNCTION books_balanced() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  entry uuid := CASE TG_TABLE_NAME WHEN 'journal_entries' THEN (to_jsonb(NEW)->>'id')::uuid
                ELSE (to_jsonb(NEW)->>'entry_id')::uuid END;
BEGIN
  IF NOT EXISTS (SELECT FROM journal_postings p WHERE p.entry_id = entry) THEN
    RAISE EXCEPTION 'the entry % moves nothing', entry USING ERRCODE = 'check_violation';
  END IF;
  IF EXISTS (SELECT FROM journal_postings p WHERE p.entry_id = entry GROUP BY p.currency HAVING sum(p.amount) <> 0) THEN
    RAISE EXCEPTION 'the entry % does not sum to zero', entry USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$
"""

REFUSE = """
CREATE FUNCTION books_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$
"""


def upgrade() -> None:
    op.create_table(
        "journal_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=True),
        sa.Column("posted_on", sa.Date(), nullable=False),
        sa.Column("posted_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("memo", sa.Text(), nullable=False),
        sa.Column("subject", sa.Uuid(), nullable=True),
        sa.Column("posted_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["org_id"], ["organisations.id"], name=op.f("fk_journal_entries_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_entries")),
    )
    op.create_index("ix_journal_entries_posted_on", "journal_entries", ["posted_on"])
    op.create_index("ix_journal_entries_subject", "journal_entries", ["subject"])
    op.create_index(
        "uq_journal_entries_reference",
        "journal_entries",
        ["org_id", "source", "reference"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "journal_postings",
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("org_id", sa.Uuid(), nullable=True),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_journal_postings_amount")),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_journal_postings_currency")),
        sa.ForeignKeyConstraint(["entry_id"], ["journal_entries.id"], name=op.f("fk_journal_postings_entry_id")),
        sa.PrimaryKeyConstraint("entry_id", "number", name=op.f("pk_journal_postings")),
    )
    op.create_index("ix_journal_postings_account", "journal_postings", ["account", "currency"])
    op.create_index("ix_journal_postings_org_id", "journal_postings", ["org_id"])
    op.execute(BALANCED)
    op.execute("REVOKE ALL ON FUNCTION books_balanced FROM PUBLIC")
    op.execute(REFUSE)
    for table in TABLES:
        _close(table)


def _close(table: str) -> None:
    """An organisation's rows are its own, the platform's are seen across; nothing changes, everything balances."""
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY scoped ON {table} TO {APP_ROLE} USING (org_id = {SCOPE}) WITH CHECK (org_id = {SCOPE})")
    op.execute(f"CREATE POLICY across ON {table} TO {ACROSS_ROLE} USING (true) WITH CHECK (true)")
    op.execute(f"CREATE POLICY adding_up ON {table} FOR SELECT TO CURRENT_USER USING (true)")
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {APP_ROLE}, {ACROSS_ROLE}")
    for name, when, each in (("change", "UPDATE OR DELETE", "ROW"), ("truncate", "TRUNCATE", "STATEMENT")):
        op.execute(
            f"CREATE TRIGGER refuse_{name} BEFORE {when} ON {table} FOR EACH {each} EXECUTE FUNCTION books_refuse()"
        )
    op.execute(
        f"CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION books_balanced()"
    )


def downgrade() -> None:
    op.drop_table("journal_postings")
    op.drop_table("journal_entries")
    op.execute("DROP FUNCTION books_balanced")
    op.execute("DROP FUNCTION books_refuse")
