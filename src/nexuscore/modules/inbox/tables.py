"""What is stored. These rows belong to the platform: a provider does not know our organisations."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from nexuscore.kernel.tables import Id, Table


class Message(Table):
    """An event of a provider."""

    __tablename__ = "inbox_messages"
    __table_args__ = (
        Index("ix_inbox_messages_provider_event_id", "provider", "event_id"),
        Index("ix_inbox_messages_state_received_at", "state", "received_at"),
    )

    id: Mapped[Id]
    provider: Mapped[str]
    event_id: Mapped[str]
    type: Mapped[str]
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(server_default=text("'pending'"))
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    handlers: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    error: Mapped[str | None]
    received_at: Mapped[datetime]
    next_try_at: Mapped[datetime | None]
    processed_at: Mapped[datetime | None]


class RememberedId(Table):
    """An event that came once; kept longer than the event, longer than any provider repeats itself."""

    __tablename__ = "inbox_ids"

    provider: Mapped[str] = mapped_column(Text, primary_key=True)
    event_id: Mapped[str] = mapped_column(Text, primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(index=True)
