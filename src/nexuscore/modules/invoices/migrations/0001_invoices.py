"""invoices, payments, credit notes"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from nexuscore.kernel.migrate import org_owned
from nexuscore.kernel.tables import ACROSS_ROLE, APP_ROLE, SCOPE

revision = "invoices_0001"
down_revision = None
branch_labels = ("invoices",)
depends_on = None

_LINES = "jsonb_array_elements(lines) AS line"
_SUM = f"(SELECT coalesce(sum((line->>'amount')::bigint), 0)::bigint FROM {_LINES}"
_RIGHT = (
    "(line->>'amount')::bigint = round((line->>'quantity')::numeric * (line->>'unit_price')::bigint)"
    " AND line->>'code' IN ('SR', 'ZR', 'ES', 'OS')"
)
_MONEY = "state text, lines jsonb, gst_rate numeric, paid bigint, refunded bigint, credited bigint"
_OWED = "invoice_total(lines, gst_rate) - credited - paid + refunded"

# What the generated columns compute. PostgreSQL rounds numerics half away from zero; nothing here is a float.
FUNCTIONS = (
    ("invoice_subtotal", "lines jsonb", "bigint", f"{_SUM})"),
    ("invoice_taxable", "lines jsonb", "bigint", f"{_SUM} WHERE line->>'code' = 'SR')"),
    ("invoice_gst", "lines jsonb, gst_rate numeric", "bigint", "round(invoice_taxable(lines) * gst_rate)::bigint"),
    (
        *("invoice_total", "lines jsonb, gst_rate numeric", "bigint"),
        "invoice_subtotal(lines) + invoice_gst(lines, gst_rate)",
    ),
    ("invoice_due", _MONEY, "bigint", f"CASE WHEN state = 'void' THEN 0 ELSE greatest({_OWED}, 0) END"),
    ("invoice_credit_balance", _MONEY, "bigint", f"CASE WHEN state = 'void' THEN 0 ELSE greatest(-({_OWED}), 0) END"),
    (
        *("invoice_lines_add_up", "lines jsonb", "boolean"),
        f"(SELECT coalesce(bool_and({_RIGHT}), false) FROM {_LINES})",
    ),
    (
        *("credit_note_sum", "lines jsonb, part text", "bigint"),
        f"(SELECT coalesce(sum((line->>part)::bigint), 0)::bigint FROM {_LINES})",
    ),
    ("credit_note_total", "lines jsonb", "bigint", "credit_note_sum(lines, 'net') + credit_note_sum(lines, 'gst')"),
)

GUARD = """
CREATE FUNCTION invoices_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'draft' THEN
      RAISE EXCEPTION 'an invoice begins as a draft' USING ERRCODE = 'check_violation';
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

NEXT_ONLY = """
CREATE FUNCTION invoice_counters_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' AND NEW.last = 1 THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'UPDATE' AND NEW.last = OLD.last + 1 AND (NEW.series, NEW.month) = (OLD.series, OLD.month) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'numbers are given one after the other' USING ERRCODE = 'check_violation';
END $$
"""

REFUSE = """
CREATE FUNCTION invoices_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$
"""


def _amount(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)


def _computed(name: str, how: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), sa.Computed(how, persisted=True), nullable=False)


def _org_id() -> sa.Column[object]:
    return sa.Column("org_id", sa.Uuid(), server_default=sa.text(SCOPE), nullable=False)


def upgrade() -> None:
    for name, parameters, returns, body in FUNCTIONS:
        op.execute(
            f"CREATE FUNCTION {name}({parameters}) RETURNS {returns} LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE"
            f" RETURN {body}"
        )
    op.create_table(
        "invoice_counters",
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("series", "month", name=op.f("pk_invoice_counters")),
    )
    _invoices()
    _payments()
    _credit_notes()
    for function in (GUARD, NEXT_ONLY, REFUSE):
        op.execute(function)
    op.execute(
        "CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON invoices"
        " FOR EACH ROW EXECUTE FUNCTION invoices_guard()"
    )
    op.execute(
        "CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON invoice_counters"
        " FOR EACH ROW EXECUTE FUNCTION invoice_counters_guard()"
    )
    for table in ("invoice_payments", "credit_notes"):
        op.execute(
            f"CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION invoices_refuse()"
        )
        op.execute(f"REVOKE UPDATE, DELETE ON {table} FROM {APP_ROLE}, {ACROSS_ROLE}")
    for table in ("invoices", "invoice_payments", "credit_notes", "invoice_counters"):
        op.execute(
            f"CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION invoices_refuse()"
        )
        op.execute(f"REVOKE DELETE, TRUNCATE ON {table} FROM {APP_ROLE}, {ACROSS_ROLE}")


def _invoices() -> None:
    sums = "state, lines, gst_rate, amount_paid, amount_refunded, amount_credited"
    states = "('draft', 'open', 'partly_paid', 'paid', 'credited', 'void', 'uncollectible')"
    op.create_table(
        "invoices",
        _org_id(),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default=sa.text("'draft'"), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("lines", postgresql.JSONB(), nullable=False),
        sa.Column("gst_code", sa.Text(), nullable=False),
        sa.Column("gst_rate", sa.Numeric(5, 4), nullable=False),
        _computed("subtotal", "invoice_subtotal(lines)"),
        _computed("taxable", "invoice_taxable(lines)"),
        _computed("gst_amount", "invoice_gst(lines, gst_rate)"),
        _computed("total", "invoice_total(lines, gst_rate)"),
        _amount("amount_paid"),
        _amount("amount_refunded"),
        _amount("amount_credited"),
        _computed("amount_due", f"invoice_due({sums})"),
        _computed("credit_balance", f"invoice_credit_balance({sums})"),
        sa.Column("due_days", sa.BigInteger(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("paid_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("voided_on", sa.Date(), nullable=True),
        sa.Column("overdue_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        _amount("written_off"),
        sa.Column("supplier", postgresql.JSONB(), nullable=True),
        sa.Column("customer", postgresql.JSONB(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("source_id", sa.Uuid(), nullable=True),
        sa.Column("customer_reference", sa.Text(), nullable=True),
        sa.Column("memo", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        *(
            sa.CheckConstraint(rule, name=op.f(f"ck_invoices_{name}"))
            for name, rule in (
                ("state", f"state IN {states}"),
                ("gst_code", "gst_code IN ('SR', 'ZR', 'ES', 'OS')"),
                ("gst_rate", "gst_rate >= 0 AND gst_rate < 1"),
                ("currency", "currency ~ '^[A-Z]{3}$'"),
                ("gst_in_sgd", "gst_amount = 0 OR currency = 'SGD'"),
                ("lines", "invoice_lines_add_up(lines)"),
                ("subtotal", "subtotal >= 0 AND taxable >= 0"),
                ("amount_paid", "amount_paid >= 0 AND amount_paid <= total"),
                ("amount_refunded", "amount_refunded >= 0 AND amount_refunded <= amount_paid"),
                ("amount_credited", "amount_credited >= 0 AND amount_credited <= total"),
                ("paid", "state <> 'paid' OR (paid_at IS NOT NULL AND amount_due = 0)"),
                ("issued", "(number IS NULL) = (issued_on IS NULL)"),
                ("due", "(number IS NULL) = (due_on IS NULL)"),
                ("number", "state = 'void' OR (number IS NULL) = (state = 'draft')"),
                ("parties", "number IS NULL OR (supplier IS NOT NULL AND customer IS NOT NULL)"),
            )
        ),
        sa.ForeignKeyConstraint(["org_id"], ["organisations.id"], name=op.f("fk_invoices_org_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices")),
        sa.UniqueConstraint("number", name=op.f("uq_invoices_number")),
    )
    op.create_index("ix_invoices_org_id_state", "invoices", ["org_id", "state"])
    op.create_index("ix_invoices_issued_on", "invoices", ["issued_on"])
    op.create_index("ix_invoices_source", "invoices", ["source_id", "source"])
    op.create_index(
        "ix_invoices_due_on", "invoices", ["due_on"], postgresql_where=sa.text("state IN ('open', 'partly_paid')")
    )
    org_owned("invoices")


def _payments() -> None:
    op.create_table(
        "invoice_payments",
        _org_id(),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("kind IN ('payment', 'refund', 'reversal')", name=op.f("ck_invoice_payments_kind")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_invoice_payments_amount")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_invoice_payments_invoice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_payments")),
    )
    op.create_index(op.f("ix_invoice_payments_org_id"), "invoice_payments", ["org_id"])
    op.create_index("ix_invoice_payments_invoice_id", "invoice_payments", ["invoice_id"])
    op.create_index("uq_invoice_payments_reference", "invoice_payments", ["org_id", "kind", "reference"], unique=True)
    org_owned("invoice_payments")


def _credit_notes() -> None:
    op.create_table(
        "credit_notes",
        _org_id(),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("lines", postgresql.JSONB(), nullable=False),
        sa.Column("gst_rate", sa.Numeric(5, 4), nullable=False),
        _computed("subtotal", "credit_note_sum(lines, 'net'::text)"),
        _computed("gst_amount", "credit_note_sum(lines, 'gst'::text)"),
        _computed("total", "credit_note_total(lines)"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("subtotal >= 0 AND gst_amount >= 0 AND total > 0", name=op.f("ck_credit_notes_amounts")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_credit_notes_invoice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_notes")),
        sa.UniqueConstraint("number", name=op.f("uq_credit_notes_number")),
    )
    op.create_index(op.f("ix_credit_notes_org_id"), "credit_notes", ["org_id"])
    op.create_index("ix_credit_notes_invoice_id", "credit_notes", ["invoice_id"])
    op.create_index("ix_credit_notes_issued_on", "credit_notes", ["issued_on"])
    org_owned("credit_notes")


def downgrade() -> None:
    for table in ("credit_notes", "invoice_payments", "invoices", "invoice_counters"):
        op.drop_table(table)
    for name, *_ in reversed(FUNCTIONS):
        op.execute(f"DROP FUNCTION {name}")
    for name in ("invoices_guard", "invoice_counters_guard", "invoices_refuse"):
        op.execute(f"DROP FUNCTION {name}")
