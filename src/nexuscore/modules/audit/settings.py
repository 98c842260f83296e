"""Settings of the audit module: how long facts are kept, and where."""

from pathlib import Path

from pydantic import Field

from nexuscore.kernel.settings import Settings

SEVEN_YEARS = 2555


class AuditSettings(Settings, prefix="audit"):
    """How long facts are kept, and where archives and exports are."""

    folder: Path | None = Field(
        default=None,
        description="The folder of archives and exports, one for all processes. Default: audit in the data folder.",
    )
    keep_days: int = Field(
        default=365, ge=1, description="How long facts are kept at least, of types for which no module says otherwise."
    )
    floor_days: int = Field(
        default=SEVEN_YEARS,
        ge=SEVEN_YEARS,
        description="How long facts about money and security are kept at least; 2555 days are seven years.",
    )
    archive_after_days: int = Field(
        default=180, ge=62, description="How old a month of the log is when it moves from the database to the archive."
    )
    link_days: int = Field(default=7, ge=1, le=30, description="How long an export can be downloaded.")
