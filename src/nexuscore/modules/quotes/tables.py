"""What is stored: price tables by version, quotes, and what each version of a quote offered. Versions never change."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, Text, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from nexuscore.kernel.tables import Id, OrgOwned, Table, Timestamped

STATES = ("draft", "sent", "accepted", "invoiced", "expired", "withdrawn")


class PriceTable(Table):
    """The prices of a kind of work. A change is a new version."""

    __tablename__ = "price_tables"
    __table_args__ = (
        UniqueConstraint("name", "version"),
        CheckConstraint("rush_percent >= 0 AND discount_cap BETWEEN 0 AND 100", name="percents"),
    )

    id: Mapped[Id]
    name: Mapped[str]
    version: Mapped[int]
    currency: Mapped[str]
    prices: Mapped[list[Any]] = mapped_column(JSONB)
    rush_percent: Mapped[Decimal] = mapped_column(Numeric(6, 3))
    discount_cap: Mapped[Decimal] = mapped_column(Numeric(6, 3))
    published_at: Mapped[datetime]
    published_by: Mapped[UUID | None] = mapped_column(Uuid)


class QuoteCounter(Table):
    """The last number of a month."""

    __tablename__ = "quote_counters"

    month: Mapped[str] = mapped_column(Text, primary_key=True)
    last: Mapped[int]


class Quote(OrgOwned, Timestamped, Table):
    """An offer to an organisation; `accepted_*` says who took it, when, and from where."""

    __tablename__ = "quotes"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint(
            "(state IN ('accepted', 'invoiced')) = (accepted_at IS NOT NULL AND accepted_by IS NOT NULL"
            " AND accepted_revision IS NOT NULL)",
            name="accepted",
        ),
        CheckConstraint("(state = 'invoiced') = (invoice_id IS NOT NULL)", name="invoiced"),
        CheckConstraint("state <> 'sent' OR valid_until IS NOT NULL", name="sent"),
        Index("ix_quotes_valid_until", "valid_until", postgresql_where=text("state = 'sent'")),
    )

    id: Mapped[Id]
    number: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(server_default=text("'draft'"))
    revision: Mapped[int] = mapped_column(server_default=text("1"))
    sent_at: Mapped[datetime | None]
    valid_until: Mapped[date | None]
    accepted_revision: Mapped[int | None]
    accepted_at: Mapped[datetime | None]
    accepted_by: Mapped[UUID | None] = mapped_column(Uuid)
    accepted_name: Mapped[str | None]
    accepted_ip: Mapped[str | None]
    accepted_agent: Mapped[str | None]
    invoice_id: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("invoices.id"))
    reason: Mapped[str | None]
    created_by: Mapped[UUID | None] = mapped_column(Uuid)


class QuoteVersion(OrgOwned, Table):
    """What one version of a quote offers. Amounts are minor units."""

    __tablename__ = "quote_versions"
    __table_args__ = (
        UniqueConstraint("quote_id", "revision"),
        CheckConstraint("subtotal = base + rush - discount AND total = subtotal + tax", name="sums"),
        CheckConstraint("base >= 0 AND rush >= 0 AND discount >= 0 AND tax >= 0", name="amounts"),
    )

    id: Mapped[Id]
    quote_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("quotes.id"))
    revision: Mapped[int]
    table_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("price_tables.id"))
    currency: Mapped[str]
    lines: Mapped[list[Any]] = mapped_column(JSONB)
    discounts: Mapped[list[Any]] = mapped_column(JSONB)
    discount_percent: Mapped[Decimal] = mapped_column(Numeric(6, 3))
    place: Mapped[str]
    tax_code: Mapped[str]
    tax_rate: Mapped[Decimal] = mapped_column(Numeric(6, 5))
    base: Mapped[int]
    rush: Mapped[int]
    discount: Mapped[int]
    subtotal: Mapped[int]
    tax: Mapped[int]
    total: Mapped[int]
    note: Mapped[str | None]
    created_at: Mapped[datetime]
    created_by: Mapped[UUID | None] = mapped_column(Uuid)
