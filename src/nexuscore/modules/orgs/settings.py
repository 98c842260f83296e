"""What the operator of an installation decides for all organisations."""

from pydantic import Field

from nexuscore.kernel.settings import Settings


class OrgsSettings(Settings, prefix="orgs"):
    """Settings of organisations, NEXUS_ORGS_*."""

    require_uen: bool = Field(False, description="Whether an organisation must have a UEN.")
    trial_days: int = Field(14, ge=0, le=365, description="How long a new organisation is on trial; 0 for no trial.")
    invitation_days: int = Field(
        7, ge=1, le=30, description="How long an invitation is valid; an organisation may choose its own."
    )
    transfer_days: int = Field(7, ge=1, le=30, description="How long an offer of ownership is valid.")
    most_invitations: int = Field(
        200, ge=1, description="How many invitations of one organisation may be open at the same time."
    )
    resend_wait_s: int = Field(60, ge=0, description="How long to wait before an invitation is mailed again.")
