"""What goes over the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from nexuscore.kernel.http import Older, Schema

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Tag = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]


class NewNote(Schema):
    """A note to be written."""

    title: Title
    body: str = Field("", max_length=100_000)
    tags: list[Tag] = Field(default_factory=list, max_length=20)


class NoteChange(Schema):
    """What to change; what is left out stays."""

    title: Title | None = None
    body: str | None = Field(None, max_length=100_000)
    tags: list[Tag] | None = Field(None, max_length=20)


class NoteInBin(Schema):
    """A note that was moved to the bin, and when it is removed for good."""

    id: UUID
    title: str
    removed_at: datetime


# Until version 2 of the API a deletion was answered with nothing.
DELETED_1 = Older(until=1, status=204, answer=None, downgrade=lambda note: None)


class NoteOut(Schema):
    """A note as it is answered. `words` is counted a moment after the note was written."""

    id: UUID
    title: str
    body: str
    tags: list[str]
    words: int | None
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
