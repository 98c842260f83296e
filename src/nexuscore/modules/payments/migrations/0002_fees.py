"""fees: what the provider keeps for itself"""

import sqlalchemy as sa
from alembic import op

revision = "payments_0002"
down_revision = "payments_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payments", sa.Column("fee", sa.BigInteger(), nullable=True))
    op.add_column("payments", sa.Column("fee_currency", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_payments_fee"),
        "payments",
        "(fee IS NULL) = (fee_currency IS NULL) AND (fee IS NULL OR paid_at IS NOT NULL)",
    )
    op.add_column("payment_disputes", sa.Column("fee", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("payment_disputes", sa.Column("fee_currency", sa.Text(), nullable=True))
    op.execute(
        "CREATE TRIGGER fee_stays BEFORE UPDATE ON payments FOR EACH ROW WHEN (OLD.fee IS NOT NULL"
        " AND (OLD.fee, OLD.fee_currency) IS DISTINCT FROM (NEW.fee, NEW.fee_currency))"
        " EXECUTE FUNCTION payments_refuse()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER fee_stays ON payments")
    op.drop_column("payment_disputes", "fee_currency")
    op.drop_column("payment_disputes", "fee")
    op.drop_constraint(op.f("ck_payments_fee"), "payments")
    op.drop_column("payments", "fee_currency")
    op.drop_column("payments", "fee")
