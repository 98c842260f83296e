"""issued at once"""

from alembic import op

revision = "invoices_0003"
down_revision = "invoices_0002"
branch_labels = None
depends_on = None

# An invoice may begin open, or paid when it costs nothing: drafted and finalised in one statement. Nothing is paid yet.
GUARD = """
CREATE OR REPLACE FUNCTION invoices_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state NOT IN ('draft', 'open', 'paid')
        OR NEW.amount_paid + NEW.amount_refunded + NEW.amount_credited <> 0 THEN
      RAISE EXCEPTION 'an invoice begins with nothing paid' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'invoices are never removed' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF (NEW.id, NEW.org_id, NEW.created_by, NEW.created_at)
      IS DISTINCT FROM (OLD.id, OLD.org_id, OLD.created_by, OLD.created_at) THEN
    RAISE EXCEPTION 'an invoice stays whose it is' USING ERRCODE = 'check_violation';
  END IF;
  IF OLD.state <> 'draft' AND
      (NEW.number, NEW.currency, NEW.lines, NEW.gst_code, NEW.gst_rate, NEW.due_days, NEW.issued_on, NEW.due_on,
       NEW.supplier, NEW.customer, NEW.source, NEW.source_id, NEW.customer_reference, NEW.memo) IS DISTINCT FROM
      (OLD.number, OLD.currency, OLD.lines, OLD.gst_code, OLD.gst_rate, OLD.due_days, OLD.issued_on, OLD.due_on,
       OLD.supplier, OLD.customer, OLD.source, OLD.source_id, OLD.customer_reference, OLD.memo) THEN
    RAISE EXCEPTION 'invoice % is no longer a draft: it says what it says', OLD.number
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.state <> OLD.state AND OLD.state || ' ' || NEW.state NOT IN (
      'draft open', 'draft paid', 'draft void',
      'open partly_paid', 'open paid', 'open credited', 'open void', 'open uncollectible',
      'partly_paid paid', 'partly_paid open', 'partly_paid uncollectible',
      'paid partly_paid', 'paid open',
      'uncollectible paid', 'uncollectible credited') THEN
    RAISE EXCEPTION 'an invoice that is % does not become %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$
"""
BEFORE = GUARD.replace(
    "NEW.state NOT IN ('draft', 'open', 'paid')\n"
    "        OR NEW.amount_paid + NEW.amount_refunded + NEW.amount_credited <> 0",
    "NEW.state <> 'draft'",
)


def upgrade() -> None:
    op.execute(GUARD)


def downgrade() -> None:
    op.execute(BEFORE)
