"""Settings of quotes."""

import re
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, Field

from nexuscore.kernel.settings import Settings


def read_places(text: str) -> dict[str, Decimal]:
    """The sales tax of each place, as a fraction."""
    found = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        pair = re.fullmatch(r"([A-Z]{2}(?:-[A-Z0-9]{1,3})?)\s*=\s*(\d{1,2}(?:\.\d{1,3})?)", part)
        if pair is None:
            raise ValueError("must look like US-WA=8.7, AU=10")
        found[pair[1]] = Decimal(pair[2]) / 100
    return found


def _places(text: str) -> str:
    if "SG" in read_places(text):
        raise ValueError("must not name SG: GST follows the rules of invoices")
    return text


class QuoteSettings(Settings, prefix="quotes"):
    """How long quotes hold, how they are taxed, and what is kept of a refund."""

    valid_days: int = Field(30, ge=1, le=365, description="How many days a quote can be accepted after it is sent.")
    tax_by_place: Annotated[str, AfterValidator(_places)] = Field(
        "",
        description="Sales taxes in per cent by country or region, as US-WA=8.7, AU=10; elsewhere there is none."
        " Singapore has GST, by the rules of invoices.",
    )
    cancellation_fee: int = Field(
        50_000, ge=0, description="What is kept, in minor units, when a customer cancels before the work begins."
    )
