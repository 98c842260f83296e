"""drafts"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "console_0001"
down_revision = None
branch_labels = ("console",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "console_drafts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("browser", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_console_drafts")),
    )
    op.create_index("ix_console_drafts_browser", "console_drafts", ["browser"], unique=False)
    op.create_index("ix_console_drafts_expires_at", "console_drafts", ["expires_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_console_drafts_expires_at", table_name="console_drafts")
    op.drop_index("ix_console_drafts_browser", table_name="console_drafts")
    op.drop_table("console_drafts")
