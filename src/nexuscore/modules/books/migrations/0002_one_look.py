"""one look"""

from alembic import op

revision = "books_0002"
down_revision = "books_0001"
branch_labels = None
depends_on = None

# The same rule as before, with one query in place of two: this runs for every posting of every commit.
BALANCED = """
CREATE OR REPLACE FUNCTION books_balanced() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  entry uuid;
  balanced boolean;
BEGIN
  IF TG_TABLE_NAME = 'journal_entries' THEN
    entry := NEW.id;
  ELSE
    entry := NEW.entry_id;
  END IF;
  SELECT bool_and(each.off = 0) INTO balanced FROM (
    SELECT sum(p.amount) AS off FROM journal_postings p WHERE p.entry_id = entry GROUP BY p.currency) AS each;
  IF balanced IS NULL THEN
    RAISE EXCEPTION 'the entry % moves nothing', entry USING ERRCODE = 'check_violation';
  END IF;
  IF NOT balanced THEN
    RAISE EXCEPTION 'the entry % does not sum to zero', entry USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.execute(BALANCED)


def downgrade() -> None:
    """What the function did is the same; it may stay."""
