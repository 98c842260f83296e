"""What verifying finds."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from nexuscore.modules.audit.rows import Entry

NAMED = 100  # events named when many are gone at once

Kind = Literal["changed", "removed", "inserted", "backdated", "seal", "file"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was sealed: in words, and for an event also its id, type and time."""

    kind: Kind
    what: str
    id: UUID | None = None
    type: str = ""
    time: str = ""

    def __str__(self) -> str:
        event = "" if self.id is None else f"{self.type} {self.id} of {self.time}: "
        return f"{self.kind:9}  {event}{self.what}"


def named(kind: Kind, entry: Entry, what: str) -> Finding:
    """A finding about one event."""
    return Finding(kind, what, entry.id, entry.type, entry.time)
