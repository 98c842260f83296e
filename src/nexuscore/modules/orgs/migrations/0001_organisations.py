"""organisations"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from nexuscore.kernel.migrate import org_owned
from nexuscore.kernel.tables import ACROSS_ROLE, APP_ROLE, SCOPE

revision = "orgs_0001"
down_revision = None
branch_labels = ("orgs",)
depends_on = None

# An organisation's row has no org_id: its own id is the scope that sees it.
CLOSED_BY_ITS_ID = (
    "ALTER TABLE organisations ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE organisations FORCE ROW LEVEL SECURITY",
    f"CREATE POLICY scoped ON organisations TO {APP_ROLE} USING (id = {SCOPE}) WITH CHECK (id = {SCOPE})",
    f"CREATE POLICY across ON organisations TO {ACROSS_ROLE} USING (true) WITH CHECK (true)",
)


def upgrade() -> None:
    op.create_table(
        "custom_roles",
        sa.Column(
            "org_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('nexus.org', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("permissions", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_custom_roles")),
        sa.UniqueConstraint("org_id", "id", name=op.f("uq_custom_roles_org_id_id")),
        sa.UniqueConstraint("org_id", "name", name=op.f("uq_custom_roles_org_id_name")),
    )
    op.create_index(op.f("ix_custom_roles_org_id"), "custom_roles", ["org_id"], unique=False)
    op.create_table(
        "organisation_slugs",
        sa.Column(
            "org_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('nexus.org', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("taken_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_organisation_slugs")),
    )
    op.create_index(op.f("ix_organisation_slugs_org_id"), "organisation_slugs", ["org_id"], unique=False)
    op.create_table(
        "organisations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("uen", sa.Text(), nullable=True),
        sa.Column("gst_registered", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("gst_number", sa.Text(), nullable=True),
        sa.Column("billing_email", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("address", postgresql.JSONB(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("settings", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("trial_ends_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("is_deleted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("deleted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("gst_number ~ '^[A-Z0-9]{9,10}$'", name=op.f("ck_organisations_gst_number")),
        sa.CheckConstraint("uen ~ '^[A-Z0-9]{9,10}$'", name=op.f("ck_organisations_uen")),
        sa.CheckConstraint("gst_registered = (gst_number IS NOT NULL)", name=op.f("ck_organisations_gst")),
        sa.CheckConstraint("trial_ends_at >= created_at", name=op.f("ck_organisations_trial")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisations")),
        sa.UniqueConstraint("slug", name=op.f("uq_organisations_slug")),
    )
    op.create_index("ix_organisations_name", "organisations", ["name"], unique=False)
    op.create_index(
        "uq_organisations_uen", "organisations", ["uen"], unique=True, postgresql_where=sa.text("NOT is_deleted")
    )
    op.create_table(
        "invitations",
        sa.Column(
            "org_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('nexus.org', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("custom_role_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("sent_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("invited_by", sa.Uuid(), nullable=True),
        sa.Column("answered_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(role = 'custom') = (custom_role_id IS NOT NULL)", name=op.f("ck_invitations_custom_role")),
        sa.CheckConstraint("role IN ('admin', 'member', 'viewer', 'custom')", name=op.f("ck_invitations_role")),
        sa.CheckConstraint(
            "state IN ('pending', 'accepted', 'declined', 'revoked', 'expired')", name=op.f("ck_invitations_state")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisations.id"], name=op.f("fk_invitations_org_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )
    op.create_index(
        "ix_invitations_email", "invitations", ["email"], unique=False, postgresql_where=sa.text("state = 'pending'")
    )
    op.create_index(op.f("ix_invitations_org_id"), "invitations", ["org_id"], unique=False)
    op.create_index(
        "uq_invitations_pending",
        "invitations",
        ["org_id", "email"],
        unique=True,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "memberships",
        sa.Column(
            "org_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('nexus.org', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("custom_role_id", sa.Uuid(), nullable=True),
        sa.Column("permissions", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("invited_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(role = 'custom') = (custom_role_id IS NOT NULL)", name=op.f("ck_memberships_custom_role")),
        sa.CheckConstraint(
            "role IN ('owner', 'admin', 'member', 'viewer', 'custom')", name=op.f("ck_memberships_role")
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "custom_role_id"],
            ["custom_roles.org_id", "custom_roles.id"],
            name=op.f("fk_memberships_org_id_custom_role_id"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisations.id"], name=op.f("fk_memberships_org_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_memberships_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_memberships")),
        sa.UniqueConstraint("org_id", "user_id", name=op.f("uq_memberships_org_id_user_id")),
    )
    op.create_index(op.f("ix_memberships_org_id"), "memberships", ["org_id"], unique=False)
    op.create_index(op.f("ix_memberships_user_id"), "memberships", ["user_id"], unique=False)
    op.create_table(
        "ownership_transfers",
        sa.Column(
            "org_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('nexus.org', true), '')::uuid"),
            nullable=False,
        ),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("from_user_id", sa.Uuid(), nullable=False),
        sa.Column("to_user_id", sa.Uuid(), nullable=False),
        sa.Column("step_down", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("answered_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state IN ('pending', 'accepted', 'declined', 'cancelled', 'expired')",
            name=op.f("ck_ownership_transfers_state"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organisations.id"], name=op.f("fk_ownership_transfers_org_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ownership_transfers")),
    )
    op.create_index(op.f("ix_ownership_transfers_org_id"), "ownership_transfers", ["org_id"], unique=False)
    op.create_index(
        "uq_ownership_transfers_pending",
        "ownership_transfers",
        ["org_id"],
        unique=True,
        postgresql_where=sa.text("state = 'pending'"),
    )
    for statement in CLOSED_BY_ITS_ID:
        op.execute(statement)
    org_owned("custom_roles")
    org_owned("organisation_slugs")
    org_owned("invitations")
    org_owned("memberships")
    org_owned("ownership_transfers")


def downgrade() -> None:
    op.drop_index(
        "uq_ownership_transfers_pending",
        table_name="ownership_transfers",
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.drop_index(op.f("ix_ownership_transfers_org_id"), table_name="ownership_transfers")
    op.drop_table("ownership_transfers")
    op.drop_index(op.f("ix_memberships_user_id"), table_name="memberships")
    op.drop_index(op.f("ix_memberships_org_id"), table_name="memberships")
    op.drop_table("memberships")
    op.drop_index("uq_invitations_pending", table_name="invitations", postgresql_where=sa.text("state = 'pending'"))
    op.drop_index(op.f("ix_invitations_org_id"), table_name="invitations")
    op.drop_index("ix_invitations_email", table_name="invitations", postgresql_where=sa.text("state = 'pending'"))
    op.drop_table("invitations")
    op.drop_index("uq_organisations_uen", table_name="organisations", postgresql_where=sa.text("NOT is_deleted"))
    op.drop_index("ix_organisations_name", table_name="organisations")
    op.drop_table("organisations")
    op.drop_index(op.f("ix_organisation_slugs_org_id"), table_name="organisation_slugs")
    op.drop_table("organisation_slugs")
    op.drop_index(op.f("ix_custom_roles_org_id"), table_name="custom_roles")
    op.drop_table("custom_roles")
