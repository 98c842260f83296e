"""What is stored: the seals, where archived months are, and the exports people asked for."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Date, Index, LargeBinary, Uuid, func, text
from sqlalchemy.orm import Mapped, mapped_column

from nexuscore.kernel.tables import Id, Table, Timestamped


class Seal(Table):
    """A batch of committed events, sealed. `entries` is the compressed list of them, `root` its hash.

    `hash` covers all that and the hash of the seal before; `signature` proves that this app made it. Append-only.
    """

    __tablename__ = "audit_seals"
    __table_args__ = (Index("ix_audit_seals_last_xid_last_id", "last_xid", "last_id"),)

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    sealed_at: Mapped[datetime]
    events: Mapped[int]
    last_xid: Mapped[int]
    last_id: Mapped[UUID] = mapped_column(Uuid)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    previous: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    signature: Mapped[str]
    entries: Mapped[bytes] = mapped_column(LargeBinary)


class ArchivedPart(Table):
    """A file of an archived month. A part that was pruned has a new version; the highest counts. Append-only."""

    __tablename__ = "audit_archived_parts"

    month: Mapped[date] = mapped_column(Date, primary_key=True)
    part: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    file: Mapped[str]
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    events: Mapped[int]
    types: Mapped[dict[str, Any]]
    written_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Export(Timestamped, Table):
    """Facts as files. Without an organisation it is one of the whole platform, visible across organisations only."""

    __tablename__ = "audit_exports"

    id: Mapped[Id]
    org_id: Mapped[UUID | None] = mapped_column(Uuid, index=True)
    requested_by: Mapped[UUID | None] = mapped_column(Uuid)
    format: Mapped[str]
    filters: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(server_default=text("'waiting'"))
    events: Mapped[int | None]
    parts: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    ready_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None] = mapped_column(index=True)
