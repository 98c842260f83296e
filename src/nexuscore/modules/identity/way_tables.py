"""What is stored of API keys and invite codes. Neither keeps the secret itself."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from nexuscore.kernel.tables import Id, Table, Timestamped


class ApiKey(Timestamped, Table):
    """A key of a person (`user_id`) or of an organisation (`org_id`). `hash` is the key's SHA-256."""

    __tablename__ = "api_keys"
    __table_args__ = (CheckConstraint("num_nonnulls(user_id, org_id) = 1", name="one_owner"),)

    id: Mapped[Id]
    user_id: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    org_id: Mapped[UUID | None] = mapped_column(Uuid, index=True)
    created_by: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("users.id", ondelete="SET NULL"))
    name: Mapped[str]
    prefix: Mapped[str]
    hash: Mapped[bytes] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class InviteCode(Timestamped, Table):
    """A code that raises whoever redeems it to a platform role, so many times."""

    __tablename__ = "invite_codes"
    __table_args__ = (
        CheckConstraint("uses_left >= 0", name="uses_left"),
        CheckConstraint("role IN ('admin', 'moderator', 'user', 'guest')", name="role"),
    )

    id: Mapped[Id]
    hash: Mapped[bytes] = mapped_column(unique=True)
    role: Mapped[str]
    label: Mapped[str] = mapped_column(server_default=text("''"))
    uses_left: Mapped[int]
    expires_at: Mapped[datetime | None]
    created_by: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("users.id", ondelete="SET NULL"))
    first_used_by: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("users.id", ondelete="SET NULL"))
    first_used_at: Mapped[datetime | None]


class InviteCodeUse(Table):
    """Who redeemed which code; once each."""

    __tablename__ = "invite_code_uses"

    code_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("invite_codes.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    used_at: Mapped[datetime]


class TextMessage(Table):
    """A text message of the local sender, sealed: it may hold a code."""

    __tablename__ = "text_messages"

    id: Mapped[Id]
    sealed: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(index=True)


ALL = (ApiKey, InviteCode, InviteCodeUse, TextMessage)
