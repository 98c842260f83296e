"""What goes over the wire."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from nexuscore.kernel.http import Schema

Url = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2048)]
Filter = Annotated[str, StringConstraints(pattern=r"^(\*|[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*(\.\*)?)$", max_length=200)]
ScheduleName = Literal["standard", "exponential-5", "three"]
ApiVersion = Literal["v1"]
State = Literal["pending", "delivered", "failed", "cancelled"]
_HEADER_NAME = StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")
_HEADER_VALUE = StringConstraints(pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$", max_length=1024)
_RESERVED = frozenset(
    (
        *("host", "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "expect", "via"),
        *("content-length", "content-type", "content-encoding", "accept-encoding", "user-agent", "date", "forwarded"),
    )
)
_RESERVED_FAMILIES = ("webhook-", "proxy-", "sec-", "x-forwarded-")


def _not_reserved(headers: dict[str, str]) -> dict[str, str]:
    for name in headers:
        if name.lower() in _RESERVED or name.lower().startswith(_RESERVED_FAMILIES):
            raise ValueError("This header is set by us or belongs to the connection.")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("A header is named twice.")
    return headers


Headers = Annotated[
    dict[Annotated[str, _HEADER_NAME], Annotated[str, _HEADER_VALUE]],
    Field(max_length=10),
    AfterValidator(_not_reserved),
]
Filters = Annotated[list[Filter], Field(min_length=1, max_length=50)]
Rate = Annotated[int, Field(ge=1, le=60_000)]
Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]


class NewEndpoint(Schema):
    """An endpoint to be added."""

    url: Url = Field(
        description="Public and https; in development also this machine.", examples=["https://example.com/hook"]
    )
    description: Description = ""
    filters: Filters = Field(description="Event types, families such as `invoice.*`, or `*`.", examples=[["note.*"]])
    headers: Headers = Field(default_factory=dict, description="Sent along; kept sealed and never shown again.")
    rate_per_minute: Rate | None = Field(None, description="Deliveries a minute at most; unbounded when left out.")
    schedule: ScheduleName = Field("standard", description="When failed deliveries are tried again.")
    api_version: ApiVersion = Field("v1", description="The form of the body.")


class EndpointChange(Schema):
    """What to change; what is left out stays. `rate_per_minute: 0` lifts the bound."""

    url: Url | None = None
    description: Description | None = None
    filters: Filters | None = None
    headers: Headers | None = None
    rate_per_minute: Annotated[int, Field(ge=0, le=60_000)] | None = None
    schedule: ScheduleName | None = None
    api_version: ApiVersion | None = None


class EndpointOut(Schema):
    """An endpoint as it is answered."""

    id: UUID
    url: str
    description: str
    filters: list[str]
    header_names: list[str]
    rate_per_minute: int | None
    schedule: str
    api_version: str
    state: Literal["enabled", "disabled"]
    disabled_reason: Literal["by_user", "gone", "failing"] | None
    disabled_at: datetime | None
    failing_since: datetime | None
    rest_until: datetime | None
    previous_until: datetime | None = Field(description="Until when the secret before the last rotation signs too.")
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime


class EndpointWithSecret(EndpointOut):
    """An endpoint with its secret, which is shown this once."""

    secret: str


class Rotation(Schema):
    """For how long the old secret signs beside the new one."""

    overlap_hours: int = Field(24, ge=0, le=168)


class NewTest(Schema):
    """Which event type to make up and send."""

    type: str = Field("webhook.test", max_length=200)


class Since(Schema):
    """From when on."""

    since: datetime


class Window(Schema):
    """Which time to go through; by default since the endpoint was last disabled, until now."""

    since: datetime | None = None
    until: datetime | None = None


class Recovered(Schema):
    """How many deliveries were begun anew."""

    deliveries: int


class Replaying(Schema):
    """The time that is gone through, in the background."""

    since: datetime
    until: datetime


class Stats(Schema):
    """How an endpoint fares, over the deliveries that are kept."""

    pending: int
    delivered: int
    failed: int
    cancelled: int
    success_rate: float | None = Field(description="Delivered among delivered and failed, 0 to 1.")
    last_delivered_at: datetime | None


class DeliveryOut(Schema):
    """A delivery as it is listed. `id` is the `webhook-id` it is sent with."""

    id: UUID
    endpoint_id: UUID
    event_id: UUID
    event_type: str
    is_test: bool
    state: State
    attempts: int
    next_try_at: datetime | None = Field(description="Null while a try is under way, and after the last.")
    last_status: int | None
    last_error: str | None
    delivered_at: datetime | None
    created_at: datetime


class DeliveryWithBody(DeliveryOut):
    """A delivery with what is sent."""

    body: str


class AttemptOut(Schema):
    """One try. `interrupted`: our worker was killed, the receiver may have heard it or not."""

    number: int
    state: Literal["running", "delivered", "failed", "interrupted"]
    started_at: datetime
    status: int | None
    duration_ms: int | None
    error: str | None
    answer: str | None = Field(description="The first 4 KB.")
    answer_headers: dict[str, str] | None
    next_try_at: datetime | None


class EventTypeOut(Schema):
    """An event type that can be asked for."""

    type: str
    version: int
    module: str
    description: str


class EventTypePreview(EventTypeOut):
    """An event type with what is sent for it."""

    schema_: dict[str, Any] = Field(alias="schema")
    example: dict[str, Any]
