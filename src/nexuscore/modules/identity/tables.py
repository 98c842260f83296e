"""What is stored: people, their sessions, secrets that work once, and counts of attempts.

None of it belongs to an organisation: a person may be in many.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from nexuscore.kernel.tables import Id, IpAddress, Table, Timestamped

STATES = ("active", "unverified", "suspended", "deactivated")
ROLES = ("admin", "moderator", "user", "guest")


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class User(Timestamped, Table):
    """A person. `email`, `phone` and `telegram_id` are login names, stored in their normal form."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint(_one_of("state", STATES), name="state"),
        CheckConstraint(_one_of("platform_role", ROLES), name="platform_role"),
    )

    id: Mapped[Id]
    email: Mapped[str | None] = mapped_column(unique=True)
    email_verified_at: Mapped[datetime | None]
    phone: Mapped[str | None] = mapped_column(unique=True)
    phone_verified_at: Mapped[datetime | None]
    telegram_id: Mapped[int | None] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(server_default=text("''"))
    company: Mapped[str] = mapped_column(server_default=text("''"))
    locale: Mapped[str] = mapped_column(server_default=text("'en'"))
    time_zone: Mapped[str] = mapped_column(server_default=text("'UTC'"))
    preferences: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    state: Mapped[str] = mapped_column(server_default=text("'unverified'"))
    state_reason: Mapped[str | None]
    platform_role: Mapped[str] = mapped_column(server_default=text("'user'"), index=True)
    password_hash: Mapped[str | None]
    password_changed_at: Mapped[datetime | None]
    last_sign_in_at: Mapped[datetime | None]


class Session(Table):
    """One sign-in on one device. It ends by time, or when it is revoked; its tokens end with it."""

    __tablename__ = "sessions"

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    cookie_hash: Mapped[bytes | None] = mapped_column(unique=True)
    factors: Mapped[list[str]] = mapped_column(ARRAY(Text))
    device: Mapped[str]
    agent: Mapped[str]
    ip: Mapped[IpAddress | None]
    country: Mapped[str | None]
    org_id: Mapped[UUID | None] = mapped_column(Uuid)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    authenticated_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    revoked_at: Mapped[datetime | None]
    revoked_why: Mapped[str | None]


class RefreshToken(Table):
    """A token that buys the next access token, once. The session is its family."""

    __tablename__ = "refresh_tokens"

    id: Mapped[Id]
    session_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Secret(Table):
    """A secret that works once, for one purpose: a link's token, and perhaps a short code beside it.

    Neither is stored: `hash` is the token's SHA-256, `code_hash` the code under a key that is not in the database.
    """

    __tablename__ = "single_use_secrets"
    __table_args__ = (Index("ix_single_use_secrets_user_id_purpose", "user_id", "purpose"),)

    id: Mapped[Id]
    purpose: Mapped[str]
    user_id: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("users.id", ondelete="CASCADE"))
    hash: Mapped[bytes] = mapped_column(unique=True)
    code_hash: Mapped[str | None]
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    data: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    code_expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]


class AttemptCount(Table):
    """How often something was tried in the running window. The key is a hash: no name, no address."""

    __tablename__ = "attempt_counts"

    key: Mapped[bytes] = mapped_column(primary_key=True)
    count: Mapped[int]
    ends_at: Mapped[datetime] = mapped_column(index=True)


class Milestone(Table):
    """What happened once and must be remembered even when its traces are gone."""

    __tablename__ = "identity_milestones"

    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
