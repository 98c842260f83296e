"""What is stored: the fee, in the one row there can be, and every fee there has been.

A trigger copies each change into the history, whoever makes it; another refuses to change or remove what is there.
"""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Numeric, Text, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from nexuscore.kernel.tables import Table, Timestamped


class PlatformFee(Timestamped, Table):
    """The platform's fee. `changed_in` is the transaction that wrote it, by which a reader knows its own."""

    __tablename__ = "core_platform_fee_config"
    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        CheckConstraint("fee_percentage BETWEEN 0 AND 100", name="percentage"),
        CheckConstraint("length(description) <= 500", name="description"),
        CheckConstraint("length(reason) BETWEEN 1 AND 500", name="reason"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, server_default=text("1"))
    fee_percentage: Mapped[Decimal] = mapped_column(Numeric(5, 2), server_default=text("10.00"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    description: Mapped[str] = mapped_column(server_default=text("''"))
    reason: Mapped[str]
    updated_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    changed_in: Mapped[str] = mapped_column(Text, server_default=text("pg_current_xact_id()::text"))


class FeeChange(Table):
    """A fee there was, from when and by whom. It held until the next version came."""

    __tablename__ = "core_platform_fee_history"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    fee_percentage: Mapped[Decimal] = mapped_column(Numeric(5, 2))
    is_active: Mapped[bool]
    description: Mapped[str]
    reason: Mapped[str]
    changed_by: Mapped[UUID | None] = mapped_column(Uuid)  # no foreign key: this row outlives the account
    effective_from: Mapped[datetime]
