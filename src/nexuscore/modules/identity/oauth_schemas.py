"""What goes over the wire when a provider vouches for somebody."""

from datetime import datetime
from uuid import UUID

from pydantic import ConfigDict, Field

from nexuscore.kernel.http import Schema
from nexuscore.modules.identity.schemas import Carrier


class ProviderOut(Schema):
    """A provider as a button."""

    name: str
    label: str


class ProvidersOut(Schema):
    """The providers of this installation."""

    data: list[ProviderOut]


class FlowAsked(Schema):
    """How a flow is to end."""

    session: Carrier = "cookie"
    return_to: str = Field("/console", max_length=500, description="The path to return to, with a cookie.")


class LinkAsked(FlowAsked):
    """Which provider to link, and how the flow is to end."""

    provider: str = Field(min_length=1, max_length=31)


class FlowBegun(Schema):
    """Where to send the browser."""

    url: str


class LinkedOut(Schema):
    """A provider an account is linked with."""

    id: UUID
    provider: str
    issuer: str
    email: str | None
    created_at: datetime
    last_used_at: datetime | None


class Arrival(Schema):
    """What a provider sends the browser back with. Others it may add are ignored."""

    model_config = ConfigDict(extra="ignore")

    state: str = Field("", max_length=500)
    code: str = Field("", max_length=4000)
    error: str = Field("", max_length=500)
