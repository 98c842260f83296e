"""price tables, quotes, versions"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from nexuscore.kernel.migrate import org_owned
from nexuscore.kernel.tables import ACROSS_ROLE, APP_ROLE, SCOPE

revision = "quotes_0001"
down_revision = None
branch_labels = ("quotes",)
depends_on = None

TIME = postgresql.TIMESTAMP(timezone=True)
STATES = "('draft', 'sent', 'accepted', 'invoiced', 'expired', 'withdrawn')"
REFUSE = """
CREATE FUNCTION quotes_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$
"""


def upgrade() -> None:
    op.create_table(
        "price_tables",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("prices", postgresql.JSONB(), nullable=False),
        sa.Column("rush_percent", sa.Numeric(6, 3), nullable=False),
        sa.Column("discount_cap", sa.Numeric(6, 3), nullable=False),
        sa.Column("published_at", TIME, nullable=False),
        sa.Column("published_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "rush_percent >= 0 AND discount_cap BETWEEN 0 AND 100", name=op.f("ck_price_tables_percents")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_tables")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_price_tables_name_version")),
    )
    op.create_table(
        "quote_counters",
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_quote_counters")),
    )
    _quotes()
    _versions()
    op.execute(REFUSE)
    for table in ("price_tables", "quote_versions"):
        op.execute(
            f"CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION quotes_refuse()"
        )
        op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {APP_ROLE}, {ACROSS_ROLE}")
    op.execute(f"REVOKE DELETE, TRUNCATE ON quotes FROM {APP_ROLE}, {ACROSS_ROLE}")


def _quotes() -> None:
    op.create_table(
        "quotes",
        sa.Column("org_id", sa.Uuid(), server_default=sa.text(SCOPE), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'draft'"), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("sent_at", TIME, nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("accepted_revision", sa.BigInteger(), nullable=True),
        sa.Column("accepted_at", TIME, nullable=True),
        sa.Column("accepted_by", sa.Uuid(), nullable=True),
        sa.Column("accepted_name", sa.Text(), nullable=True),
        sa.Column("accepted_ip", sa.Text(), nullable=True),
        sa.Column("accepted_agent", sa.Text(), nullable=True),
        sa.Column("invoice_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(f"state IN {STATES}", name=op.f("ck_quotes_state")),
        sa.CheckConstraint(
            "(state IN ('accepted', 'invoiced')) = (accepted_at IS NOT NULL AND accepted_by IS NOT NULL"
            " AND accepted_revision IS NOT NULL)",
            name=op.f("ck_quotes_accepted"),
        ),
        sa.CheckConstraint("(state = 'invoiced') = (invoice_id IS NOT NULL)", name=op.f("ck_quotes_invoiced")),
        sa.CheckConstraint("state <> 'sent' OR valid_until IS NOT NULL", name=op.f("ck_quotes_sent")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_quotes_invoice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quotes")),
        sa.UniqueConstraint("number", name=op.f("uq_quotes_number")),
    )
    op.create_index(op.f("ix_quotes_org_id"), "quotes", ["org_id"])
    op.create_index("ix_quotes_valid_until", "quotes", ["valid_until"], postgresql_where=sa.text("state = 'sent'"))
    org_owned("quotes")


def _versions() -> None:
    amounts = ("base", "rush", "discount", "subtotal", "tax", "total")
    op.create_table(
        "quote_versions",
        sa.Column("org_id", sa.Uuid(), server_default=sa.text(SCOPE), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("quote_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("table_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("lines", postgresql.JSONB(), nullable=False),
        sa.Column("discounts", postgresql.JSONB(), nullable=False),
        sa.Column("discount_percent", sa.Numeric(6, 3), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("tax_code", sa.Text(), nullable=False),
        sa.Column("tax_rate", sa.Numeric(6, 5), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in amounts),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "subtotal = base + rush - discount AND total = subtotal + tax", name=op.f("ck_quote_versions_sums")
        ),
        sa.CheckConstraint(
            "base >= 0 AND rush >= 0 AND discount >= 0 AND tax >= 0", name=op.f("ck_quote_versions_amounts")
        ),
        sa.ForeignKeyConstraint(["quote_id"], ["quotes.id"], name=op.f("fk_quote_versions_quote_id")),
        sa.ForeignKeyConstraint(["table_id"], ["price_tables.id"], name=op.f("fk_quote_versions_table_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quote_versions")),
        sa.UniqueConstraint("quote_id", "revision", name=op.f("uq_quote_versions_quote_id_revision")),
    )
    op.create_index(op.f("ix_quote_versions_org_id"), "quote_versions", ["org_id"])
    org_owned("quote_versions")


def downgrade() -> None:
    for table in ("quote_versions", "quotes", "quote_counters", "price_tables"):
        op.drop_table(table)
    op.execute("DROP FUNCTION quotes_refuse")
