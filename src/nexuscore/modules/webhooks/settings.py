"""What an operator may set."""

from pydantic import Field

from nexuscore.kernel.settings import CommaList, Settings


class WebhookSettings(Settings, prefix="webhooks"):
    """How webhooks are sent."""

    timeout_s: float = Field(15, gt=0, le=60, description="How long an endpoint may take, all in all.")
    in_flight: int = Field(16, ge=1, le=100, description="Calls to one endpoint at the same time.")
    disable_after_days: float = Field(5, gt=0, description="An endpoint that failed for so long is disabled.")
    keep_days: int = Field(30, ge=1, description="How long deliveries and their attempts are kept.")
    most_endpoints: int = Field(50, ge=1, description="Endpoints an organisation may have.")
    ports: CommaList[int] = Field(
        default_factory=lambda: [443, 8443], description="Ports endpoints may listen on; any, on the machine itself."
    )
