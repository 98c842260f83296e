"""A house that is lived in: an admin, an organisation, and something of everything there are pages about."""

from tests.browser.person import PASSWORD, Person, Receiver


def furnish(ada: Person, link: str, receiver: Receiver) -> None:
    """By the first link and the API, as the admin of the installation and the owner of an organisation."""
    ada.goes(link)
    ada.sends("bootstrap", name="Ada Root", email="ada@example.com", password=PASSWORD)
    ada.goes("/console/organisations/new")
    ada.sends("organisation", name="Harbour Trading", uen="201912345R")
    here = ada.asks("GET", "/organisations")["data"][0]["id"]
    ada.sends("invite", email="bob@example.com", role="viewer")
    ada.asks("POST", f"/organisations/{here}/roles", {"name": "Integrator", "permissions": ["webhooks.read"]})
    for title, tag in (("Meet the harbour master", "work"), ("Milk", "shop"), ("Ledger of November", "work")):
        ada.asks("POST", "/notes", {"title": title, "tags": [tag], "body": "A word. " * 40})
    _webhooks(ada, receiver)


def _webhooks(ada: Person, receiver: Receiver) -> None:
    made = ada.asks("POST", "/webhooks/endpoints", {"url": receiver.url, "filters": ["*"]})
    receiver.status = 500
    ada.asks("POST", f"/webhooks/endpoints/{made['id']}/test", {"type": "webhook.test"})
