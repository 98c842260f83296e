"""What is stored of providers that vouch for people. Their tokens are not kept: nothing here needs them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from nexuscore.kernel.tables import Id, Table, Timestamped


class LinkedAccount(Timestamped, Table):
    """An account at a provider that stands for a person here. `email` is what it said, for people to read."""

    __tablename__ = "linked_accounts"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    provider: Mapped[str]
    issuer: Mapped[str]
    subject: Mapped[str]
    email: Mapped[str | None]
    last_used_at: Mapped[datetime | None]
