"""What is stored: entries and their postings. Both are append-only; triggers refuse everything else."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from nexuscore.kernel.tables import Id, Table


class JournalEntry(Table):
    """One movement of money: an organisation's, or with no organisation the platform's own."""

    __tablename__ = "journal_entries"
    __table_args__ = (
        Index(
            "uq_journal_entries_reference",
            "org_id",
            "source",
            "reference",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_journal_entries_subject", "subject"),
        Index("ix_journal_entries_posted_on", "posted_on"),
    )

    id: Mapped[Id]
    org_id: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("organisations.id"))
    posted_on: Mapped[date]
    posted_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    source: Mapped[str]
    reference: Mapped[str]
    memo: Mapped[str]
    subject: Mapped[UUID | None] = mapped_column(Uuid)
    posted_by: Mapped[UUID | None] = mapped_column(Uuid)


class JournalPosting(Table):
    """An amount in minor units on an account: above zero a debit, below a credit."""

    __tablename__ = "journal_postings"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        Index("ix_journal_postings_account", "account", "currency"),
        Index("ix_journal_postings_org_id", "org_id"),
    )

    entry_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("journal_entries.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    org_id: Mapped[UUID | None] = mapped_column(Uuid)
    account: Mapped[str]
    currency: Mapped[str]
    amount: Mapped[int]
