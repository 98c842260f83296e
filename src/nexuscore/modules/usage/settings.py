"""What the operator of an installation decides about usage."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from nexuscore.kernel.money import exponent
from nexuscore.kernel.settings import Settings


def _currency(value: str) -> str:
    exponent(value)
    return value


class UsageSettings(Settings, prefix="usage"):
    """Settings of usage, NEXUS_USAGE_*."""

    currency: Annotated[str, AfterValidator(_currency)] = Field(
        "SGD", description="What usage is counted and billed in."
    )
    hold_minutes: int = Field(
        15, ge=1, le=1440, description="How long a reservation holds what it reserved, while nobody settles it."
    )
    warn_below_micro: int = Field(
        1_000_000, ge=0, description="Below which credit an organisation is warned, in micro-units, unless it says."
    )
    snapshot_every: int = Field(
        500, ge=2, le=100_000, description="After how many entries the sum so far is written down, to add from there."
    )

    @property
    def hold(self) -> timedelta:
        """How long a reservation lives."""
        return timedelta(minutes=self.hold_minutes)
