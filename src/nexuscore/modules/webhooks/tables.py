"""What is stored: endpoints, the deliveries to them, and every attempt of each."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from nexuscore.kernel.tables import SCOPE, Id, OrgOwned, SoftDeleted, Table, Timestamped


class Endpoint(OrgOwned, SoftDeleted, Timestamped, Table):
    """An address of an organisation that is told of its events. Secrets and headers are sealed."""

    __tablename__ = "webhook_endpoints"

    id: Mapped[Id]
    url: Mapped[str]
    description: Mapped[str]
    filters: Mapped[list[str]] = mapped_column(ARRAY(Text))
    header_names: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    headers: Mapped[str | None]
    api_version: Mapped[str]
    schedule: Mapped[str]
    rate_per_minute: Mapped[int | None]
    secret: Mapped[str]
    previous_secret: Mapped[str | None]
    previous_until: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(server_default=text("'enabled'"))
    disabled_reason: Mapped[str | None]
    disabled_at: Mapped[datetime | None]  # of the last time, also when it is enabled again
    failing_since: Mapped[datetime | None]
    failed_in_row: Mapped[int] = mapped_column(server_default=text("0"))
    rests: Mapped[int] = mapped_column(server_default=text("0"))  # how often in a row it was given a rest
    rest_until: Mapped[datetime | None]
    free_at: Mapped[datetime | None]  # when its rate is used up to, see sending.allowance
    created_by: Mapped[UUID | None] = mapped_column(Uuid)


class Delivery(OrgOwned, Table):
    """One event on its way to one endpoint. `id` is the `webhook-id` of every attempt."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index("ix_webhook_deliveries_org_id_id", "org_id", "id"),
        Index("ix_webhook_deliveries_endpoint_id_id", "endpoint_id", "id"),
        Index("uq_webhook_deliveries_endpoint_id_event_id", "endpoint_id", "event_id", unique=True),
        Index(
            "ix_webhook_deliveries_due",
            "endpoint_id",
            "next_try_at",
            postgresql_where=text("state = 'pending'"),
        ),
        Index(
            "ix_webhook_deliveries_claimed",
            "endpoint_id",
            "claimed_by",
            postgresql_where=text("claimed_by IS NOT NULL"),
        ),
    )

    org_id: Mapped[UUID] = mapped_column(Uuid, server_default=text(SCOPE), sort_order=-10)
    id: Mapped[Id]
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoints.id"))
    event_id: Mapped[UUID] = mapped_column(Uuid)
    event_type: Mapped[str]
    body: Mapped[str]
    is_test: Mapped[bool] = mapped_column(server_default=text("false"))
    state: Mapped[str] = mapped_column(server_default=text("'pending'"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    step: Mapped[int] = mapped_column(server_default=text("0"))  # tries since it was last begun anew
    next_try_at: Mapped[datetime | None]  # while it is claimed: when others may take it over
    claimed_by: Mapped[UUID | None] = mapped_column(Uuid)
    last_status: Mapped[int | None]
    last_error: Mapped[str | None]
    delivered_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class Attempt(OrgOwned, Table):
    """One try of a delivery, written before the call and completed after it."""

    __tablename__ = "webhook_attempts"

    org_id: Mapped[UUID] = mapped_column(Uuid, server_default=text(SCOPE), sort_order=-10)
    delivery_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(server_default=text("'running'"))
    started_at: Mapped[datetime]
    status: Mapped[int | None]
    duration_ms: Mapped[int | None]
    error: Mapped[str | None]
    answer: Mapped[str | None]
    answer_headers: Mapped[dict[str, Any] | None]
    next_try_at: Mapped[datetime | None]
