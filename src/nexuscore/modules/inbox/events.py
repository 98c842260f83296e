"""Facts about what comes in. They carry ids and types, never a payload."""

from uuid import UUID

from nexuscore.kernel.events import Event


class InboundRefused(Event, type="inbox.refused", public=False):
    """A provider could not be heard: `no_secret`, `bad_signature`, or `unreadable` though its signature held."""

    provider: str
    reason: str


class InboundFailed(Event, type="inbox.failed", subject="message_id", public=False):
    """An event could not be processed in all its tries, and waits for a person."""

    message_id: UUID
    provider: str
    event_type: str


class InboundReplayed(Event, type="inbox.replayed", subject="message_id", public=False):
    """A person had an event processed again."""

    message_id: UUID


class InboundMarked(Event, type="inbox.marked", subject="message_id", public=False):
    """A person declared an event processed or failed."""

    message_id: UUID
    state: str
