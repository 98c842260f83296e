"""Who an invoice is between, as they were on its day: the supplier of the settings, the organisation as customer."""

from typing import Any

from nexuscore.kernel.app import App
from nexuscore.modules import orgs
from nexuscore.modules.invoices.settings import InvoiceSettings


def supplier(app: App) -> dict[str, Any]:
    """The supplier as the settings name it."""
    settings = app.settings[InvoiceSettings]
    return {
        "name": settings.supplier_name,
        "uen": settings.supplier_uen,
        "gst_number": settings.supplier_gst_number,
        "address": _parts(settings.supplier_address),
        "email": settings.supplier_email,
        "phone": settings.supplier_phone,
        "bank": _parts(settings.supplier_bank),
        "paynow": settings.supplier_uen if settings.paynow else None,
    }


def customer(org: orgs.Organisation) -> dict[str, Any]:
    """The organisation as it is now."""
    return {
        "name": org.name,
        "uen": org.uen,
        "gst_number": org.gst_number,
        "address": org.address,
        "email": org.billing_email,
        "locale": org.locale,
    }


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]
