"""Facts about notes."""

from uuid import UUID

from nexuscore.kernel.events import Event


class NoteCreated(Event, type="note.created", subject="note_id"):
    """A note was written."""

    note_id: UUID
    title: str


class NoteChanged(Event, type="note.changed", subject="note_id"):
    """Some fields of a note were changed."""

    note_id: UUID
    fields: list[str]


class NoteDeleted(Event, type="note.deleted", subject="note_id"):
    """A note was moved to the bin."""

    note_id: UUID


class NoteRestored(Event, type="note.restored", subject="note_id"):
    """A note was taken out of the bin."""

    note_id: UUID
