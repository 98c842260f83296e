"""Settings of invoices: who sends them, and how they are taxed."""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from nexuscore.kernel.settings import Environment, Settings
from nexuscore.modules.orgs import GstNumber, Uen


def _rates(text: str) -> str:
    days = [day for day, _ in read_rates(text)]
    if not days or days != sorted(set(days)):
        raise ValueError("must be days in order, each with its rate, as 2023-01-01=8, 2024-01-01=9")
    return text


def read_rates(text: str) -> list[tuple[date, Decimal]]:
    """The days from which a rate holds, and the rates as fractions."""
    found = []
    for part in text.split(","):
        pair = re.fullmatch(r"\s*(\d{4}-\d{2}-\d{2})\s*=\s*(\d{1,2}(?:\.\d{1,2})?)\s*", part)
        if pair is None:
            raise ValueError("must look like 2023-01-01=8, 2024-01-01=9")
        found.append((date.fromisoformat(pair[1]), Decimal(pair[2]) / 100))
    return found


_CHOOSE = (
    "is not set: customers who are not registered for GST are not charged it, though by law a registered supplier"
    " charges everyone in Singapore; say everyone, or registered if you mean it"
)


class InvoiceSettings(Settings, prefix="invoices"):
    """The supplier on every invoice, and the rules of GST."""

    supplier_name: str = Field(
        "NexusCore", min_length=1, description="Who sends the invoices: the company's full name."
    )
    supplier_uen: Uen | None = Field(None, description="The supplier's UEN; PayNow pays to it.")
    supplier_gst_number: GstNumber | None = Field(
        None, description="The supplier's GST registration number. Without one no GST is charged at all."
    )
    supplier_address: str = Field(
        "", description="The supplier's address, its lines separated by semicolons, the country last."
    )
    supplier_email: str = Field("", description="Where questions about invoices go.")
    supplier_phone: str = Field("", description="The supplier's telephone number.")
    supplier_bank: str = Field(
        "", description="Where bank transfers go: bank, account and BIC, separated by semicolons."
    )
    paynow: bool = Field(True, description="Whether invoices in SGD show a PayNow QR code, if the supplier has a UEN.")
    due_days: int = Field(30, ge=0, le=365, description="How many days after its date an invoice is due.")
    gst_rates: Annotated[str, AfterValidator(_rates)] = Field(
        "2007-07-01=7, 2023-01-01=8, 2024-01-01=9",
        description="The GST rates in per cent, each with the day from which it holds.",
    )
    gst_charged_to: Literal["registered", "everyone"] = Field(
        "registered",
        description="Which customers in Singapore are charged GST: those who are registered for it, or everyone.",
    )
    folder: Path | None = Field(
        None, description="The folder of the PDFs, one for all processes. Default: invoices in the data folder."
    )
    fonts: Path | None = Field(None, description="A folder with more fonts, for names in scripts that ours lack.")
    link_days: int = Field(7, ge=1, le=30, description="How long the link to a PDF works.")

    def refusals(self, env: Environment) -> Iterator[tuple[str, str]]:
        """A supplier registered for GST must be named on a tax invoice as the law asks."""
        if self.supplier_gst_number is not None and self.supplier_uen is None:
            yield "supplier_gst_number", "needs NEXUS_INVOICES_SUPPLIER_UEN too: whoever is registered has a UEN"
        if env == "production" and self.supplier_gst_number is not None and not self.supplier_address:
            yield "supplier_address", "must be set: a tax invoice shows the supplier's address"

    def doubts(self, env: Environment) -> Iterator[tuple[str, str]]:
        """The default charges fewer customers than the law does: whoever is registered must choose."""
        if (
            env == "production"
            and self.supplier_gst_number is not None
            and "gst_charged_to" not in self.model_fields_set
        ):
            yield "gst_charged_to", _CHOOSE
