"""how much of the bought credits was spent and is booked as revenue"""

import sqlalchemy as sa
from alembic import op

revision = "usage_0002"
down_revision = "usage_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "usage_accounts", sa.Column("recognised_minor", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.create_check_constraint(op.f("ck_usage_accounts_recognised"), "usage_accounts", "recognised_minor >= 0")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_usage_accounts_recognised"), "usage_accounts", type_="check")
    op.drop_column("usage_accounts", "recognised_minor")
