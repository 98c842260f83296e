"""What `make screenshots` needs to show of money: an installation with invoices and a quote, made through the API."""

import json
import urllib.request
from typing import Any
from uuid import uuid4

SUPPLIER = {
    "NEXUS_INVOICES_SUPPLIER_NAME": "NexusCore Pte. Ltd.",
    "NEXUS_INVOICES_SUPPLIER_UEN": "201912345R",
    "NEXUS_INVOICES_SUPPLIER_GST_NUMBER": "201912345R",
    "NEXUS_INVOICES_SUPPLIER_ADDRESS": "1 Raffles Place; #20-61 One Raffles Place; Singapore 048616",
    "NEXUS_INVOICES_SUPPLIER_BANK": "DBS Bank, account 003-912345-6; BIC DBSSSGSG",
}
_REGISTERED = {
    "gst_registered": True,
    "gst_number": "M90312345A",
    "uen": "197401143C",
    "address": {"line1": "10 Anson Road", "line2": "#26-04 International Plaza", "postal_code": "079903"},
}
_MONTH = {"description": "Professional, November 2026", "unit_price": 9900}
_HOURS = {"description": "Onboarding, hours", "quantity": "1.5", "unit_price": 20000}
_PRICES = [
    {"code": "contract", "description": "Smart contract audit, up to 10 000 lines", "unit_price": 2_500_000},
    {"code": "hour", "description": "Consulting, hours", "unit_price": 15_000},
]
_PLATFORM = "/console/billing/platform"


def bill(address: str, email: str, password: str) -> list[tuple[str, str, int, str, str]]:
    """Fill the installation, and say what to look at: name, path, width, scheme, language."""
    signed_in = _ask(address, "POST", "/auth/sign-in", {"email": email, "password": password})
    token = str(signed_in["access_token"])

    def ask(method: str, path: str, body: Any) -> Any:
        return _ask(address, method, path, body, token)

    acme, lim = (ask("POST", "/organisations", {"name": name})["id"] for name in ("Acme Pte. Ltd.", "Lim & Daughters"))
    ask("PATCH", f"/organisations/{acme}", _REGISTERED)
    made = []
    for org, lines in ((lim, [_HOURS]), (acme, [_MONTH]), (acme, [_MONTH, _HOURS]), (lim, [_MONTH])):
        made.append(
            ask("POST", "/billing/invoices", {"org_id": org, "lines": lines, "customer_reference": "PO-77"})["id"]
        )
    for id in made[:3]:
        ask("POST", f"/billing/invoices/{id}/finalise", {})
    ask("POST", f"/billing/invoices/{made[2]}/credit-notes", {"amount": 2180, "reason": "An hour less"})
    ask("POST", "/billing/price-tables", {"name": "audits", "currency": "SGD", "prices": _PRICES})
    offer = {"org_id": acme, "table": "audits", "discounts": [{"reason": "Referral", "percent": "7.5"}]}
    lines = [{"item": "contract"}, {"item": "hour", "quantity": "2.5"}]
    quote = ask("POST", "/billing/quotes", {**offer, "lines": lines, "rush": True})["id"]
    ask("POST", f"/billing/quotes/{quote}/send", {})
    return [
        ("invoices", f"{_PLATFORM}/invoices", 1200, "light", "en"),
        ("invoice", f"{_PLATFORM}/invoices/{made[2]}", 1200, "light", "en"),
        ("gst", f"{_PLATFORM}/gst", 1200, "light", "pl"),
        ("quote-hebrew", f"{_PLATFORM}/quotes/{quote}", 1200, "light", "he"),
    ]


def _ask(address: str, method: str, path: str, body: Any, token: str = "") -> Any:
    headers = {"content-type": "application/json", "idempotency-key": uuid4().hex}
    if token:
        headers["authorization"] = f"Bearer {token}"
    request = urllib.request.Request(  # noqa: S310 - our own server, on this machine
        f"{address}/api/v1{path}", json.dumps(body).encode(), headers, method=method
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - the same
        return json.loads(answer.read() or b"null")
