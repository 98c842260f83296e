"""What is stored: every mail and how it fares, addresses that get no more mail, and the local outbox."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, Uuid, func, text
from sqlalchemy.orm import Mapped, mapped_column

from nexuscore.kernel.tables import Id, Table, Timestamped

STATES = ("queued", "sent", "delivered", "bounced", "complained", "failed", "suppressed")


class Mail(Timestamped, Table):
    """A mail. `variables` is sealed and gone once the mail is on its way; `asked` names a sender that may have it."""

    __tablename__ = "mails"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        Index(
            "uq_mails_key",
            "org_id",
            "message",
            "address",
            "key",
            unique=True,
            postgresql_where=text("key IS NOT NULL"),
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_mails_provider_id", "provider_id", postgresql_where=text("provider_id IS NOT NULL")),
        Index("ix_mails_created_at", "created_at"),
    )

    id: Mapped[Id]
    org_id: Mapped[UUID | None] = mapped_column(Uuid)
    message: Mapped[str]
    locale: Mapped[str]
    address: Mapped[str]
    name: Mapped[str | None]
    key: Mapped[str | None]
    variables: Mapped[str | None]
    state: Mapped[str] = mapped_column(Text, server_default=text("'queued'"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    asked: Mapped[str | None]
    sender: Mapped[str | None]
    provider_id: Mapped[str | None]
    error: Mapped[str | None]
    sent_at: Mapped[datetime | None]


class Suppression(Table):
    """An address, in its normal form, that gets no more mail, and why."""

    __tablename__ = "mail_suppressions"

    address: Mapped[str] = mapped_column(Text, primary_key=True)
    reason: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class OutboxMail(Table):
    """A mail the local outbox took: its source, sealed, because sign-in links are in it."""

    __tablename__ = "mail_outbox"

    mail_id: Mapped[UUID] = mapped_column(ForeignKey("mails.id", ondelete="CASCADE"), primary_key=True)
    source: Mapped[str]
