"""A module that announces facts, as a user's would: about money, about people, and about nothing much."""

from nexuscore.kernel.events import Event
from nexuscore.kernel.module import Module
from nexuscore.modules.audit import Retention


class InvoicePaid(Event, type="invoice.paid", subject="invoice"):
    """Money came in."""

    invoice: str
    cents: int


class InvoiceVoided(Event, type="invoice.voided", subject="invoice"):
    """An invoice was taken back."""

    invoice: str


class ParcelSent(Event, type="parcel.sent", subject="parcel"):
    """Something left the house."""

    parcel: str
    to: str


class PageSeen(Event, type="page.seen"):
    """Somebody looked."""

    page: str


module = Module(
    name="shop",
    package=None,
    needs=("audit",),
    events=(InvoicePaid, InvoiceVoided, ParcelSent, PageSeen),
    contributes=(Retention("page.*", days=30), Retention("invoice.*", days=1)),
)
