"""What is stored. Entries are never changed; what is summed up beside them can be made again from them.

An amount is in micro-units. `amount_micro` is what an entry does to the credits: more by a grant, less by spending.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from nexuscore.kernel.tables import SCOPE, Id, OrgOwned, Table, Timestamped

WHOLE = UUID(int=0)  # in place of a person: the whole organisation
KINDS = ("spend", "grant", "purchase", "taken_back")
STATES = ("open", "settled", "released", "expired")


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class UsageAccount(OrgOwned, Timestamped, Table):
    """An organisation's terms. Whoever changes anything of its usage holds this row, so changes come one by one."""

    __tablename__ = "usage_accounts"
    __table_args__ = (
        CheckConstraint("last_number >= 0 AND warn_below_micro >= 0", name="sane"),
        CheckConstraint("recognised_minor >= 0", name="recognised"),
        CheckConstraint("recognised_to BETWEEN 0 AND last_number", name="recognised_to"),
    )

    org_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=text(SCOPE), sort_order=-10)
    currency: Mapped[str]
    last_number: Mapped[int] = mapped_column(server_default=text("0"))
    is_postpaid: Mapped[bool] = mapped_column(server_default=text("false"))
    warn_below_micro: Mapped[int]
    recognised_minor: Mapped[int] = mapped_column(server_default=text("0"))  # bought, spent, and booked as revenue
    recognised_to: Mapped[int] = mapped_column(server_default=text("0"))  # the entries up to here are in these sums:
    spent_micro: Mapped[int] = mapped_column(server_default=text("0"))
    given_micro: Mapped[int] = mapped_column(server_default=text("0"))
    bought_micro: Mapped[int] = mapped_column(server_default=text("0"))  # less what was taken back


class UsageEntry(OrgOwned, Table):
    """One line of the ledger. The cost of spending is paid by credits, billed, or absorbed, to the last micro-unit."""

    __tablename__ = "usage_entries"
    __table_args__ = (
        UniqueConstraint("org_id", "number"),
        Index("uq_usage_entries_source", "org_id", "source", unique=True, postgresql_where=text("source IS NOT NULL")),
        Index("ix_usage_entries_org_id_at", "org_id", "at"),
        CheckConstraint(_one_of("kind", KINDS), name="kind"),
        CheckConstraint(
            "units >= 0 AND price_micro >= 0 AND billable_micro >= 0 AND absorbed_micro >= 0", name="signs"
        ),
        CheckConstraint(
            "cost_micro = CASE kind WHEN 'spend' THEN billable_micro + absorbed_micro - amount_micro ELSE 0 END",
            name="cost",
        ),
        CheckConstraint(
            "CASE WHEN kind IN ('spend', 'taken_back') THEN amount_micro <= 0 ELSE amount_micro > 0 END", name="amount"
        ),
    )

    org_id: Mapped[UUID] = mapped_column(Uuid, server_default=text(SCOPE), sort_order=-10)
    id: Mapped[Id]
    number: Mapped[int]
    at: Mapped[datetime]
    day: Mapped[date]
    user_id: Mapped[UUID | None] = mapped_column(Uuid)
    kind: Mapped[str]
    reason: Mapped[str]
    units: Mapped[int] = mapped_column(server_default=text("0"))
    price_micro: Mapped[int] = mapped_column(server_default=text("0"))
    cost_micro: Mapped[int] = mapped_column(server_default=text("0"))
    amount_micro: Mapped[int]
    billable_micro: Mapped[int] = mapped_column(server_default=text("0"))
    absorbed_micro: Mapped[int] = mapped_column(server_default=text("0"))
    reservation_id: Mapped[UUID | None] = mapped_column(Uuid)
    source: Mapped[str | None]


class UsageReservation(OrgOwned, Table):
    """What is held for something under way. `credits_micro` of it is credits; it counts on the `day` it was made."""

    __tablename__ = "usage_reservations"
    __table_args__ = (
        Index("ix_usage_reservations_open", "org_id", "expires_at", postgresql_where=text("state = 'open'")),
        Index("uq_usage_reservations_key", "org_id", "key", unique=True, postgresql_where=text("key IS NOT NULL")),
        CheckConstraint(_one_of("state", STATES), name="state"),
        CheckConstraint("amount_micro >= 0 AND credits_micro BETWEEN 0 AND amount_micro", name="amount"),
        CheckConstraint("(state = 'open') = (ended_at IS NULL)", name="ended"),
        CheckConstraint("(state = 'settled') = (entry_id IS NOT NULL)", name="entry"),
    )

    org_id: Mapped[UUID] = mapped_column(Uuid, server_default=text(SCOPE), sort_order=-10)
    id: Mapped[Id]
    user_id: Mapped[UUID | None] = mapped_column(Uuid)
    reason: Mapped[str]
    amount_micro: Mapped[int]
    credits_micro: Mapped[int]
    state: Mapped[str] = mapped_column(server_default=text("'open'"))
    day: Mapped[date]
    key: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    entry_id: Mapped[UUID | None] = mapped_column(ForeignKey("usage_entries.id"))


class UsageTotal(OrgOwned, Table):
    """What was spent and is reserved in one day or month, by the organisation or by one person in it."""

    __tablename__ = "usage_totals"
    __table_args__ = (
        CheckConstraint(_one_of("period", ("day", "month")), name="period"),
        CheckConstraint("spent_micro >= 0 AND reserved_micro >= 0", name="sane"),
    )

    org_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=text(SCOPE), sort_order=-10)
    user_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    period: Mapped[str] = mapped_column(Text, primary_key=True)
    starts: Mapped[date] = mapped_column(primary_key=True)
    spent_micro: Mapped[int]
    reserved_micro: Mapped[int]


class UsageCap(OrgOwned, Timestamped, Table):
    """How much may be spent in a day and in a month (UTC), by the organisation or by one person; null is no cap."""

    __tablename__ = "usage_caps"
    __table_args__ = (CheckConstraint("day_micro >= 0 AND month_micro >= 0", name="sane"),)

    org_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=text(SCOPE), sort_order=-10)
    user_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    day_micro: Mapped[int | None]
    month_micro: Mapped[int | None]


class UsageSnapshot(OrgOwned, Table):
    """The sum of all entries up to a number, so that a balance adds few."""

    __tablename__ = "usage_snapshots"

    org_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=text(SCOPE), sort_order=-10)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    balance_micro: Mapped[int]
    at: Mapped[datetime]


class UsageBill(OrgOwned, Table):
    """What was put on one bill: every billable entry up to a moment that was on none before."""

    __tablename__ = "usage_bills"
    __table_args__ = (UniqueConstraint("org_id", "key"),)

    org_id: Mapped[UUID] = mapped_column(Uuid, server_default=text(SCOPE), sort_order=-10)
    id: Mapped[Id]
    key: Mapped[str]
    until: Mapped[datetime]
    currency: Mapped[str]
    total_minor: Mapped[int]
    lines: Mapped[list[Any]]
    created_at: Mapped[datetime]


class UsageBilledEntry(OrgOwned, Table):
    """An entry that is on a bill: on one, once."""

    __tablename__ = "usage_billed_entries"

    org_id: Mapped[UUID] = mapped_column(Uuid, server_default=text(SCOPE), sort_order=-10)
    entry_id: Mapped[UUID] = mapped_column(ForeignKey("usage_entries.id"), primary_key=True)
    bill_id: Mapped[UUID] = mapped_column(ForeignKey("usage_bills.id"), index=True)


ALL = (
    UsageAccount,
    UsageEntry,
    UsageReservation,
    UsageTotal,
    UsageCap,
    UsageSnapshot,
    UsageBill,
    UsageBilledEntry,
)
