"""The ground: roles, the event log, listeners' marks, schedules, and the job queue."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from nexuscore.kernel.tables import ACROSS_ROLE, APP_ROLE, SCOPE

revision = "kernel_0001"
down_revision = None
branch_labels = ("kernel",)
depends_on = None

QUEUE = Path(__file__).with_name("pgqueuer.sql")

ROLES = f"""
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{APP_ROLE}') THEN
    CREATE ROLE {APP_ROLE} LOGIN NOINHERIT;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ACROSS_ROLE}') THEN
    CREATE ROLE {ACROSS_ROLE} NOLOGIN;
  END IF;
END $$
"""

GRANTS = (
    f"GRANT {ACROSS_ROLE} TO {APP_ROLE}",
    f"GRANT {APP_ROLE}, {ACROSS_ROLE} TO CURRENT_USER",
    f"GRANT USAGE ON SCHEMA public TO {APP_ROLE}, {ACROSS_ROLE}",
    f"ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {APP_ROLE}, {ACROSS_ROLE}",
    f"ALTER DEFAULT PRIVILEGES GRANT USAGE, SELECT ON SEQUENCES TO {APP_ROLE}, {ACROSS_ROLE}",
)

PARTITIONS = f"""
CREATE FUNCTION nexus_event_partitions(ahead int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  first date := date_trunc('month', now() AT TIME ZONE 'UTC');
  month date;
  name text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('nexus_event_partitions'));
  FOR i IN 0..ahead LOOP
    month := first + make_interval(months => i);
    name := 'events_' || to_char(month, 'YYYY_MM');
    IF to_regclass(name) IS NULL
       AND NOT EXISTS (SELECT FROM events_default WHERE time >= month AND time < month + interval '1 month')
    THEN
      EXECUTE format('CREATE TABLE %I PARTITION OF events FOR VALUES FROM (%L) TO (%L)',
                     name, month::timestamp AT TIME ZONE 'UTC',
                     (month + interval '1 month')::timestamp AT TIME ZONE 'UTC');
      EXECUTE format('REVOKE ALL ON %I FROM {APP_ROLE}, {ACROSS_ROLE}', name);  -- its rows are not closed, events' are
    END IF;
  END LOOP;
END $$
"""

REFUSE = """
CREATE FUNCTION nexus_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the event log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$
"""


def upgrade() -> None:
    op.execute(ROLES)
    for grant in GRANTS:
        op.execute(grant)
    _events()
    op.create_table(
        "heard",
        sa.Column("listener", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column(
            "heard_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("listener", "event_id", name=op.f("pk_heard")),
    )
    op.create_index(op.f("ix_heard_heard_at"), "heard", ["heard_at"])
    op.create_table(
        "ticked",
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("due", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("schedule", name=op.f("pk_ticked")),
    )
    for statement in QUEUE.read_text().split("-- next"):
        op.execute(statement)


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("time", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("org_id", sa.Uuid()),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid()),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.Text()),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("ip", postgresql.INET()),
        sa.Column("xid", sa.Text(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.PrimaryKeyConstraint("id", "time", name=op.f("pk_events")),
        postgresql_partition_by="RANGE (time)",
    )
    op.execute("ALTER TABLE events ALTER xid DROP DEFAULT, ALTER xid TYPE xid8 USING xid::xid8")
    op.execute("ALTER TABLE events ALTER xid SET DEFAULT pg_current_xact_id()")
    op.create_index("ix_events_xid_id", "events", ["xid", "id"])
    op.create_index("ix_events_org_id_time", "events", ["org_id", "time"])
    op.create_index("ix_events_type_time", "events", ["type", "time"])
    op.create_index("ix_events_subject_time", "events", ["subject", "time"])
    op.execute("CREATE TABLE events_default PARTITION OF events DEFAULT")
    op.execute(f"REVOKE ALL ON events_default FROM {APP_ROLE}, {ACROSS_ROLE}")
    op.execute(PARTITIONS)
    op.execute("SELECT nexus_event_partitions(3)")
    op.execute(REFUSE)
    op.execute(
        "CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION nexus_refuse()"
    )
    op.execute(
        "CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION nexus_refuse()"
    )
    op.execute(f"REVOKE UPDATE, DELETE ON events FROM {APP_ROLE}, {ACROSS_ROLE}")
    op.execute("ALTER TABLE events ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE events FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY scoped ON events TO {APP_ROLE} USING (org_id = {SCOPE})"
        f" WITH CHECK (org_id IS NOT DISTINCT FROM {SCOPE})"
    )
    op.execute(f"CREATE POLICY across ON events TO {ACROSS_ROLE} USING (true) WITH CHECK (true)")


def downgrade() -> None:
    for table in ("pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics"):
        op.drop_table(table)
    op.execute("DROP FUNCTION fn_pgqueuer_changed")
    op.execute("DROP TYPE pgqueuer_status")
    op.drop_table("ticked")
    op.drop_table("heard")
    op.drop_table("events")
    op.execute("DROP FUNCTION nexus_event_partitions")
    op.execute("DROP FUNCTION nexus_refuse")
