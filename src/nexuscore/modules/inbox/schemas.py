"""What goes over the wire."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from nexuscore.kernel.http import Schema

State = Literal["pending", "processed", "failed"]


class Receipt(Schema):
    """The event is stored; or it was before."""

    duplicate: bool


class ProviderOut(Schema):
    """A provider, and whether we could tell its events from forged ones."""

    name: str
    url: str
    configured: bool


class Source(ProviderOut):
    """The same with the setting that holds its secrets, for those of ours."""

    setting: str | None


class MessageOut(Schema):
    """An event as it is listed."""

    id: UUID
    provider: str
    event_id: str
    type: str
    state: State
    tries: int
    handlers: list[str] = Field(description="Who took it in.")
    error: str | None
    received_at: datetime
    next_try_at: datetime | None
    processed_at: datetime | None


class MessageWithPayload(MessageOut):
    """An event with what it says, less secrets and personal data."""

    payload: Any


class Failure(Schema):
    """Why an event is declared failed."""

    error: str = Field(min_length=1, max_length=500)
