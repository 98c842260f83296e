"""What is stored. Every row belongs to one organisation; the organisation itself is closed by its own id."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from nexuscore.kernel.tables import Id, OrgOwned, SoftDeleted, Table, Timestamped

ROLES = ("owner", "admin", "member", "viewer")
CUSTOM = "custom"
_ROLE = "role IN ('owner', 'admin', 'member', 'viewer', 'custom')"
_CUSTOM_IFF_NAMED = "(role = 'custom') = (custom_role_id IS NOT NULL)"


class Organisation(SoftDeleted, Timestamped, Table):
    """A company, a team: whoever owns data here. Its id is the scope, so only its own scope sees the row."""

    __tablename__ = "organisations"
    __table_args__ = (
        CheckConstraint("gst_registered = (gst_number IS NOT NULL)", name="gst"),
        CheckConstraint("gst_number ~ '^[A-Z0-9]{9,10}$'", name="gst_number"),
        CheckConstraint("uen ~ '^[A-Z0-9]{9,10}$'", name="uen"),
        CheckConstraint("trial_ends_at >= created_at", name="trial"),
        Index("uq_organisations_uen", "uen", unique=True, postgresql_where=text("NOT is_deleted")),
        Index("ix_organisations_name", "name"),
    )

    id: Mapped[Id]
    name: Mapped[str]
    slug: Mapped[str] = mapped_column(unique=True)
    uen: Mapped[str | None]
    gst_registered: Mapped[bool] = mapped_column(server_default=text("false"))
    gst_number: Mapped[str | None]
    billing_email: Mapped[str]
    phone: Mapped[str | None]
    address: Mapped[dict[str, Any] | None]
    time_zone: Mapped[str]
    locale: Mapped[str]
    settings: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    trial_ends_at: Mapped[datetime | None]
    created_by: Mapped[UUID | None] = mapped_column(Uuid)


class Slug(OrgOwned, Table):
    """A slug an organisation has or once had; nobody else ever gets it, so old links stay true."""

    __tablename__ = "organisation_slugs"

    slug: Mapped[str] = mapped_column(Text, primary_key=True)
    taken_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class CustomRole(OrgOwned, Timestamped, Table):
    """A role an organisation made for itself: a name and the permissions it holds."""

    __tablename__ = "custom_roles"
    __table_args__ = (UniqueConstraint("org_id", "name"), UniqueConstraint("org_id", "id"))

    id: Mapped[Id]
    name: Mapped[str]
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_by: Mapped[UUID | None] = mapped_column(Uuid)


class Membership(OrgOwned, Timestamped, Table):
    """Somebody is in an organisation, with a role and perhaps permissions on top of it."""

    __tablename__ = "memberships"
    __table_args__ = (
        CheckConstraint(_ROLE, name="role"),
        CheckConstraint(_CUSTOM_IFF_NAMED, name="custom_role"),
        ForeignKeyConstraint(["org_id", "custom_role_id"], ["custom_roles.org_id", "custom_roles.id"]),
        ForeignKeyConstraint(["org_id"], ["organisations.id"], ondelete="CASCADE"),
        UniqueConstraint("org_id", "user_id"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    role: Mapped[str]
    custom_role_id: Mapped[UUID | None] = mapped_column(Uuid)
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    invited_by: Mapped[UUID | None] = mapped_column(Uuid)


class Invitation(OrgOwned, Timestamped, Table):
    """An offer of membership, mailed to an address. Only the hash of its secret is kept."""

    __tablename__ = "invitations"
    __table_args__ = (
        CheckConstraint("role IN ('admin', 'member', 'viewer', 'custom')", name="role"),
        CheckConstraint(_CUSTOM_IFF_NAMED, name="custom_role"),
        CheckConstraint("state IN ('pending', 'accepted', 'declined', 'revoked', 'expired')", name="state"),
        ForeignKeyConstraint(["org_id"], ["organisations.id"], ondelete="CASCADE"),
        Index("uq_invitations_pending", "org_id", "email", unique=True, postgresql_where=text("state = 'pending'")),
        Index("ix_invitations_email", "email", postgresql_where=text("state = 'pending'")),
    )

    id: Mapped[Id]
    email: Mapped[str]
    role: Mapped[str]
    custom_role_id: Mapped[UUID | None] = mapped_column(Uuid)
    state: Mapped[str] = mapped_column(server_default=text("'pending'"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    expires_at: Mapped[datetime]
    sent_at: Mapped[datetime]
    invited_by: Mapped[UUID | None] = mapped_column(Uuid)
    answered_at: Mapped[datetime | None]
    answered_by: Mapped[UUID | None] = mapped_column(Uuid)


class OwnershipTransfer(OrgOwned, Timestamped, Table):
    """An owner offers ownership to a member; nothing changes until the member accepts."""

    __tablename__ = "ownership_transfers"
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'accepted', 'declined', 'cancelled', 'expired')", name="state"),
        ForeignKeyConstraint(["org_id"], ["organisations.id"], ondelete="CASCADE"),
        Index("uq_ownership_transfers_pending", "org_id", unique=True, postgresql_where=text("state = 'pending'")),
    )

    id: Mapped[Id]
    from_user_id: Mapped[UUID] = mapped_column(Uuid)
    to_user_id: Mapped[UUID] = mapped_column(Uuid)
    step_down: Mapped[bool]
    state: Mapped[str] = mapped_column(server_default=text("'pending'"))
    expires_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
