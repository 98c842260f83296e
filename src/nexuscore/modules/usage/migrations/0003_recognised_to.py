"""recognised to: how far the ledger is summed for the books, so that a night reads the day's entries alone"""

import sqlalchemy as sa
from alembic import op

revision = "usage_0003"
down_revision = "usage_0002"
branch_labels = None
depends_on = None

COLUMNS = ("recognised_to", "spent_micro", "given_micro", "bought_micro")


def upgrade() -> None:
    for name in COLUMNS:
        op.add_column("usage_accounts", sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.create_check_constraint(
        op.f("ck_usage_accounts_recognised_to"), "usage_accounts", "recognised_to BETWEEN 0 AND last_number"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_usage_accounts_recognised_to"), "usage_accounts")
    for name in reversed(COLUMNS):
        op.drop_column("usage_accounts", name)
