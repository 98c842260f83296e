"""What the books announce."""

from uuid import UUID

from nexuscore.kernel.events import Event


class EntryPosted(Event, type="ledger.entry_posted", subject="entry_id", public=False):
    """Money moved from account to account."""

    entry_id: UUID
    source: str
    reference: str
