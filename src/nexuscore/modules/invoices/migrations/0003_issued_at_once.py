"""issued at once"""

from alembic import op

revision = "invoices_0003"
down_revision = "invoices_0002"
branch_labels = None
depends_on = None

# An invoice may begin open, or paid when it costs nothing: drafted and finalised in one statement. Nothing is paid yet.
BEFORE = """IF NEW.state <> 'draft' THEN
      RAISE EXCEPTION 'an invoice begins as a draft'"""
AFTER = """IF NEW.state NOT IN ('draft', 'open', 'paid')
        OR NEW.amount_paid + NEW.amount_refunded + NEW.amount_credited <> 0 THEN
      RAISE EXCEPTION 'an invoice begins with nothing paid'"""


def rewrite(before: str, after: str) -> None:
    """Change a few words of the guard that 0001 wrote; a guard without them is an error."""
    op.execute(
        f"""DO $do$
        DECLARE guard text := pg_get_functiondef('invoices_guard()'::regprocedure);
        BEGIN
          IF strpos(guard, $a${before}$a$) = 0 THEN RAISE EXCEPTION 'the guard of invoices is not as expected'; END IF;
          EXECUTE replace(guard, $a${before}$a$, $b${after}$b$);
        END $do$"""
    )


def upgrade() -> None:
    rewrite(BEFORE, AFTER)


def downgrade() -> None:
    rewrite(AFTER, BEFORE)
