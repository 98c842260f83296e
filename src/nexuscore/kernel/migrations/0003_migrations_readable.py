"""kernel: the app may read which migrations there are, to say when one is missing."""

from alembic import op

from nexuscore.kernel.tables import ACROSS_ROLE, APP_ROLE

revision = "kernel_0003"
down_revision = "kernel_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(f"GRANT SELECT ON nexus_migrations TO {APP_ROLE}, {ACROSS_ROLE}")


def downgrade() -> None:
    op.execute(f"REVOKE SELECT ON nexus_migrations FROM {APP_ROLE}, {ACROSS_ROLE}")
