"""What goes over the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from nexuscore.kernel.cursors import LONGEST
from nexuscore.kernel.http import Schema

EventType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*(\.\*)?$", max_length=200)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Filters(Schema):
    """Which facts; all that are given must hold."""

    type: EventType | None = Field(None, description="A type such as `invoice.paid`, or a family: `invoice.*`.")
    actor: UUID | Literal["user", "key", "system", "anonymous"] | None = Field(
        None, description="Who did it: an id, or a kind of actor."
    )
    subject: Word | None = Field(None, description="What it happened to.")
    request_id: Word | None = Field(None, description="The request it happened in.")
    since: AwareDatetime | None = Field(None, description="At this moment or later.")
    until: AwareDatetime | None = Field(None, description="Before this moment.")
    text: Word | None = Field(None, description="A text in the fact's data, in capitals or not.")

    def used(self) -> list[str]:
        """The names of the filters that are given, without their values."""
        return sorted(set(Filters.model_fields) & self.model_dump(exclude_none=True).keys())


class EventQuery(Filters):
    """The query parameters of a search. There is no offset: a cursor goes through the whole log at the same cost."""

    limit: int = Field(20, ge=1, le=100, description="How many facts, at most 100.")
    cursor: str | None = Field(None, max_length=LONGEST, description="`next_cursor` of the page before.")


class EverywhereQuery(EventQuery):
    """The query parameters of a search over all organisations."""

    org: UUID | Literal["none"] | None = Field(
        None, description="One organisation, or `none` for facts of the platform itself."
    )


class HistoryQuery(Schema):
    """The query parameters of one subject's history."""

    limit: int = Field(20, ge=1, le=100, description="How many facts, at most 100.")
    cursor: str | None = Field(None, max_length=LONGEST, description="`next_cursor` of the page before.")


class EventOut(Schema):
    """A fact as it stands in the log. `version` is that of its data."""

    id: UUID
    time: datetime
    type: str
    version: int
    subject: str | None
    org_id: UUID | None
    actor_kind: str
    actor_id: UUID | None
    request_id: str
    ip: str | None
    data: dict[str, Any]


class NewExport(Filters):
    """Facts wanted as files, those of archived months too."""

    format: Literal["csv", "jsonl"] = "jsonl"


class PartOut(Schema):
    """A file of an export. The link needs no sign-in, so it is as secret as what is in the file."""

    number: int
    events: int
    bytes: int
    link: str


class ExportSummary(Schema):
    """An export in a list."""

    id: UUID
    format: str
    state: Literal["waiting", "ready", "expired"]
    events: int | None
    requested_by: UUID | None
    created_at: datetime
    ready_at: datetime | None
    expires_at: datetime | None


class ExportOut(ExportSummary):
    """An export; when it is ready, with the links to its files."""

    filters: dict[str, Any]
    parts: list[PartOut]


class SealOut(Schema):
    """The newest seal of the log. Kept elsewhere, `nexus audit verify --against` holds the log against it."""

    seal: str
    sealed_at: datetime
