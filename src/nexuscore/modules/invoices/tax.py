"""GST: which code and rate a supply has, by its day, its supplier and its customer. Never by what a client says.

    SR  standard-rated: the rate of the day
    ZR  zero-rated: the customer belongs to another country
    ES  exempt: lines that say so
    OS  out of scope: the supplier is not registered, or the customer is not (see `gst_charged_to`)

The sources also write TX, once as "taxable supply", once as "exempt", and compute no tax for it. It is read as ES and
never written: at the tax authority TX is the code of taxed purchases, which no invoice of ours is.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal

from nexuscore.kernel.app import App
from nexuscore.modules.invoices.settings import InvoiceSettings, read_rates

Code = Literal["SR", "ZR", "ES", "OS"]
CODES: tuple[Code, ...] = ("SR", "ZR", "ES", "OS")
AskedCode = Literal["SR", "ZR", "ES", "OS", "TX"]


@dataclass(frozen=True, slots=True)
class Treatment:
    """The code of an invoice's lines that say nothing else, and the rate of those that are standard-rated."""

    code: Code
    rate: Decimal

    def of(self, asked: AskedCode | None) -> Code:
        """The code of a line that asked for one: away from the standard rate it may, towards it never."""
        if asked is None or asked == "SR" or self.code == "OS":
            return self.code
        return "ES" if asked == "TX" else asked


def treatment(app: App, customer: Any, day: date) -> Treatment:
    """How a supply to an organisation on a day is taxed."""
    settings = app.settings[InvoiceSettings]
    if settings.supplier_gst_number is None:
        return Treatment("OS", Decimal(0))
    if country_of(customer) != "SG":
        return Treatment("ZR", Decimal(0))
    if settings.gst_charged_to == "registered" and not customer.gst_registered:
        return Treatment("OS", Decimal(0))
    return Treatment("SR", rate_on(settings.gst_rates, day))


def country_of(customer: Any) -> str:
    """The country of an organisation's address; Singapore when it has none."""
    return str((customer.address or {}).get("country") or "SG")


def rate_on(rates: str, day: date) -> Decimal:
    """The rate of a day, as a fraction."""
    held = [rate for since, rate in _table(rates) if since <= day]
    if not held:
        raise ValueError(f"there is no GST rate for {day}")
    return held[-1]


@lru_cache(maxsize=16)
def _table(rates: str) -> tuple[tuple[date, Decimal], ...]:
    return tuple(read_rates(rates))
