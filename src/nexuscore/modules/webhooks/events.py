"""Facts about webhooks. They name the endpoint and no more: an address may hold a secret."""

from uuid import UUID

from nexuscore.kernel.events import Event


class EndpointCreated(Event, type="webhook.endpoint_created", subject="endpoint_id"):
    """An endpoint was added."""

    endpoint_id: UUID
    filters: list[str]


class EndpointChanged(Event, type="webhook.endpoint_changed", subject="endpoint_id"):
    """Some fields of an endpoint were changed."""

    endpoint_id: UUID
    fields: list[str]


class EndpointDeleted(Event, type="webhook.endpoint_deleted", subject="endpoint_id"):
    """An endpoint was removed."""

    endpoint_id: UUID


class SecretRotated(Event, type="webhook.secret_rotated", subject="endpoint_id"):
    """An endpoint has a new secret; both sign until the overlap ends."""

    endpoint_id: UUID
    overlap_hours: int


class WebhookEnabled(Event, type="webhook.enabled", subject="endpoint_id"):
    """An endpoint is told of events again."""

    endpoint_id: UUID


class WebhookDisabled(Event, type="webhook.disabled", subject="endpoint_id"):
    """An endpoint is told of nothing any more, and why: `by_user`, `gone` or `failing`."""

    endpoint_id: UUID
    reason: str


class WebhookTest(Event, type="webhook.test", subject="endpoint_id"):
    """Sent to one endpoint when somebody asks for a test. It is never in the log."""

    endpoint_id: UUID
