"""A house that is lived in: an admin, an organisation, and something of everything there are pages about."""

from time import monotonic
from typing import Any

from tests.browser.person import PASSWORD, Person, Receiver

SUPPLIER = {  # who sends the invoices
    "NEXUS_INVOICES_SUPPLIER_NAME": "NexusCore Pte. Ltd.",
    "NEXUS_INVOICES_SUPPLIER_UEN": "201912345R",
    "NEXUS_INVOICES_SUPPLIER_GST_NUMBER": "201912345R",
    "NEXUS_INVOICES_SUPPLIER_ADDRESS": "1 Raffles Place; #20-61 One Raffles Place; Singapore 048616",
}
_COMPANY = {
    "gst_registered": True,
    "gst_number": "M90312345X",
    "address": {"line1": "3 Harbour Front", "postal_code": "099253"},
}


def furnish(ada: Person, link: str, receiver: Receiver) -> list[str]:
    """By the first link and the API, as the admin of the installation and the owner of an organisation.

    The addresses of the pages that only a form or a bank leads to.
    """
    ada.goes(link)
    ada.sends("bootstrap", name="Ada Root", email="ada@example.com", password=PASSWORD)
    ada.goes("/console/organisations/new")
    ada.sends("organisation", name="Harbour Trading", uen="197401143C")
    here = ada.asks("GET", "/organisations")["data"][0]["id"]
    ada.asks("PATCH", f"/organisations/{here}", _COMPANY)
    ada.sends("invite", email="bob@example.com", role="viewer")
    ada.asks("POST", f"/organisations/{here}/roles", {"name": "Integrator", "permissions": ["webhooks.read"]})
    for title, tag in (("Meet the harbour master", "work"), ("Milk", "shop"), ("Ledger of November", "work")):
        ada.asks("POST", "/notes", {"title": title, "tags": [tag], "body": "A word. " * 40})
    _webhooks(ada, receiver)
    return _money(ada, here)


def _webhooks(ada: Person, receiver: Receiver) -> None:
    receiver.status = 500
    made = ada.asks(
        "POST", "/webhooks/endpoints", {"url": receiver.url, "filters": ["*"], "description": "Bookkeeping"}
    )
    ada.asks("POST", f"/webhooks/endpoints/{made['id']}/test", {"type": "webhook.test"})


def _money(ada: Person, here: str) -> list[str]:
    plan = ada.asks("POST", "/subscriptions", {"plan": "professional-month", "trial": False})
    (first,) = ada.asks("GET", "/invoices")["data"]
    _pay(ada, first["id"], "pm_card_visa_chargeDeclinedInsufficientFunds", "pm_card_visa")
    lines = [
        {"description": "Onboarding, hours", "quantity": "1.5", "unit_price": 20000},
        {"description": "Training at the quay, for six", "unit_price": 120000},
    ]
    ada.asks("POST", "/billing/invoices", {"org_id": here, "lines": lines[:1]})
    for_hand, overdue = (ada.asks("POST", "/billing/invoices", {"org_id": here, "lines": lines}) for _ in range(2))
    for each in (for_hand, overdue):
        ada.asks("POST", f"/billing/invoices/{each['id']}/finalise")
    by_hand = {"invoice_id": for_hand["id"], "amount": 50000, "kind": "bank_transfer", "reference": "FT-4711"}
    ada.asks("POST", "/payments/by-hand", by_hand)
    credit = {"reason": "One seat less", "amount": 5000}
    ada.asks("POST", f"/billing/invoices/{overdue['id']}/credit-notes", credit)
    _pay(ada, overdue["id"], "pm_card_createDispute")
    _quote(ada, here)
    until = monotonic() + 20
    while ada.asks("GET", f"/subscriptions/{plan['id']}")["state"] != "active":
        assert monotonic() < until, "the plan does not begin"
    change = ada.asks("POST", f"/subscriptions/{plan['id']}/previews", {"plan": "enterprise-month"})
    card = ada.asks("POST", "/payments/methods/setup")
    return [
        f"/console/billing/plan/{plan['id']}/changes/{change['id']}",
        f"/console/billing/methods/waiting/{card['setup_id']}",
    ]


def _pay(ada: Person, invoice: str, *cards: str) -> None:
    """By cards the bank declines, and by the last one, which it takes and which is kept."""
    begun = ada.asks("POST", "/payments/intents", {"invoice_id": invoice, "keep_method": True})
    for card in cards:
        status = 2 if card == cards[-1] else 4
        ada.asks("POST", f"/payments/{begun['id']}/confirm", {"payment_method": card}, status)


def _quote(ada: Person, here: str) -> None:
    prices: list[dict[str, Any]] = [{"code": "audit", "description": "Audit of a contract", "unit_price": 2500000}]
    ada.asks("POST", "/billing/price-tables", {"name": "audits", "currency": "SGD", "prices": prices})
    made = ada.asks("POST", "/billing/quotes", {"org_id": here, "table": "audits", "lines": [{"item": "audit"}]})
    ada.asks("POST", f"/billing/quotes/{made['id']}/send")
