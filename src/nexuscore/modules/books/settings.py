"""Settings of the books."""

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from nexuscore.kernel.settings import Settings


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("must be a time zone such as Asia/Singapore") from None
    return name


class BooksSettings(Settings, prefix="books"):
    """Where the books are kept."""

    time_zone: Annotated[str, AfterValidator(_time_zone)] = Field(
        "Asia/Singapore",
        description="The time zone of the books: it says to which day, month and quarter a movement of money belongs.",
    )
