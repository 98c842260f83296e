"""What is stored of second factors: the secret an authenticator app shares, recovery codes, passkeys."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Text, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from nexuscore.kernel.tables import Id, Table, Timestamped


class TotpSecret(Table):
    """The secret of one person's authenticator app, sealed. It counts once `confirmed_at` is set."""

    __tablename__ = "totp_secrets"

    user_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    sealed: Mapped[str]
    last_step: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]


class RecoveryCode(Table):
    """One of the codes that stand in for a lost second factor; 80 random bits, so its hash tells nothing."""

    __tablename__ = "recovery_codes"
    __table_args__ = (UniqueConstraint("user_id", "hash"),)

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("users.id", ondelete="CASCADE"))
    hash: Mapped[bytes]
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Passkey(Timestamped, Table):
    """The public half of a passkey. `sign_count` is the highest its authenticator has shown."""

    __tablename__ = "passkeys"

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    credential_id: Mapped[bytes] = mapped_column(unique=True)
    public_key: Mapped[bytes]
    sign_count: Mapped[int]
    transports: Mapped[list[str]] = mapped_column(ARRAY(Text))
    name: Mapped[str]
    aaguid: Mapped[UUID] = mapped_column(Uuid)
    backed_up: Mapped[bool]
    last_used_at: Mapped[datetime | None]
    suspect_at: Mapped[datetime | None]
