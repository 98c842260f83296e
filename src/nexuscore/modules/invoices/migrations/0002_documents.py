"""documents"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from nexuscore.kernel.migrate import org_owned
from nexuscore.kernel.tables import SCOPE

revision = "invoices_0002"
down_revision = "invoices_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "invoice_documents",
        sa.Column("org_id", sa.Uuid(), server_default=sa.text(SCOPE), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("credit_note_id", sa.Uuid(), nullable=True),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ready_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("language IN ('en', 'he', 'pl')", name=op.f("ck_invoice_documents_language")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_invoice_documents_invoice_id")),
        sa.ForeignKeyConstraint(
            ["credit_note_id"], ["credit_notes.id"], name=op.f("fk_invoice_documents_credit_note_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_documents")),
    )
    op.create_index(op.f("ix_invoice_documents_org_id"), "invoice_documents", ["org_id"])
    op.create_index(
        "uq_invoice_documents_language",
        "invoice_documents",
        ["invoice_id", "credit_note_id", "language"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    org_owned("invoice_documents")


def downgrade() -> None:
    op.drop_table("invoice_documents")
