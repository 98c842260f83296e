"""What is stored."""

from uuid import UUID

from sqlalchemy import Index, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from nexuscore.kernel.tables import Id, OrgOwned, SoftDeleted, Table, Timestamped


class Note(OrgOwned, SoftDeleted, Timestamped, Table):
    """A note of an organisation, with tags."""

    __tablename__ = "notes"
    __table_args__ = (Index("ix_notes_tags", "tags", postgresql_using="gin"),)

    id: Mapped[Id]
    title: Mapped[str]
    body: Mapped[str]
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    words: Mapped[int | None]
    created_by: Mapped[UUID | None] = mapped_column(Uuid)
