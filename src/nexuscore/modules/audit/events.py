"""Facts about the log itself. What was searched for is not repeated: it may be somebody's personal data."""

from datetime import date
from uuid import UUID

from nexuscore.kernel.events import Event


class SearchedEverywhere(Event, type="audit.searched_everywhere", public=False):
    """Somebody looked at the log across organisations. Stands in the log of the organisation looked at, if it was one.

    `filters` are the names of the filters used.
    """

    filters: list[str]
    event_type: str | None
    looked_for: UUID | None


class ExportRequested(Event, type="audit.export_requested", subject="export_id"):
    """Somebody asked for facts as a file."""

    export_id: UUID
    format: str
    filters: list[str]


class ExportReady(Event, type="audit.export_ready", subject="export_id"):
    """The file is there."""

    export_id: UUID
    events: int


class ExportDownloaded(Event, type="audit.export_downloaded", subject="export_id"):
    """Somebody with a link downloaded a part of an export."""

    export_id: UUID
    part: int


class MonthArchived(Event, type="audit.month_archived", public=False):
    """A month of the log moved to the archive. `let_go` are the types whose time was over, with how many there were."""

    month: date
    events: int
    parts: int
    let_go: dict[str, int]


class ArchivePruned(Event, type="audit.archive_pruned", public=False):
    """Facts whose time was over were taken out of an archived month."""

    month: date
    let_go: dict[str, int]
