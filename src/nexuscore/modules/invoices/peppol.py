"""Invoices and credit notes as Peppol documents: UBL in Singapore's profile (PINT SG), which InvoiceNow carries."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID
from xml.etree import ElementTree as ET

from nexuscore.kernel.money import Money
from nexuscore.modules.invoices.errors import NotExportable, NotIssued
from nexuscore.modules.invoices.lines import by_code
from nexuscore.modules.invoices.schemas import InvoiceOut
from nexuscore.modules.invoices.tables import CreditNote, Invoice

CUSTOMIZATION = "urn:peppol:pint:billing-1@sg-1"
PROFILE = "urn:peppol:bis:billing"
UEN_SCHEME = "0195"
_UBL = "urn:oasis:names:specification:ubl:schema:xsd"
_CAC = f"{{{_UBL}:CommonAggregateComponents-2}}"
_CBC = f"{{{_UBL}:CommonBasicComponents-2}}"
# Our exempt supplies are financial services (regulation 33). OS is NG where the supplier is not registered at all.
_CODES = {"SR": "SR", "ZR": "ZR", "ES": "ES33", "OS": "OS"}


def invoice_xml(invoice: Invoice) -> bytes:
    """An invoice that was finalised, as UBL."""
    _check(invoice)
    of = _Writer("Invoice", invoice.currency)
    of.head(str(invoice.number), invoice.id, invoice.issued_on)
    of.text("DueDate", invoice.due_on)
    of.text("InvoiceTypeCode", "380")
    if invoice.memo:
        of.text("Note", invoice.memo)
    of.text("DocumentCurrencyCode", invoice.currency)
    of.text("BuyerReference", invoice.customer_reference or invoice.number)
    of.parties(invoice)
    of.payment(invoice)
    nets = by_code(invoice.lines)
    of.tax(nets, {"SR": invoice.gst_amount}, invoice.gst_rate, invoice)
    of.totals(invoice.subtotal, invoice.total)
    for number, line in enumerate(invoice.lines, 1):
        back = line["unit_price"] < 0  # a price is never below zero; what is taken off has a quantity below it
        quantity = f"-{line['quantity']}" if back else line["quantity"]
        of.line(number, "Invoice", quantity, line["amount"], line["description"], line["code"], abs(line["unit_price"]))
    return of.bytes()


def credit_note_xml(note: CreditNote, invoice: Invoice) -> bytes:
    """A credit note, as UBL, with the invoice it is for."""
    _check(invoice)
    of = _Writer("CreditNote", note.currency)
    of.head(note.number, note.id, note.issued_on)
    of.text("CreditNoteTypeCode", "381")
    of.text("Note", note.reason)
    of.text("DocumentCurrencyCode", note.currency)
    of.text("BuyerReference", invoice.customer_reference or invoice.number)
    earlier = of.into("BillingReference", "InvoiceDocumentReference")
    of.text("ID", invoice.number, earlier)
    of.text("IssueDate", invoice.issued_on, earlier)
    of.parties(invoice)
    nets = {line["code"]: line["net"] for line in note.lines}
    of.tax(nets, {line["code"]: line["gst"] for line in note.lines}, note.gst_rate, invoice)
    of.totals(note.subtotal, note.total)
    for number, line in enumerate(note.lines, 1):
        description = f"Credit for invoice {invoice.number}: {note.reason}"
        of.line(number, "Credited", "1", line["net"], description, line["code"], line["net"])
    return of.bytes()


class _Writer:
    """A document while it is written. UBL asks for its elements in one order, which is that of the calls."""

    def __init__(self, kind: str, currency: str) -> None:
        self.kind = kind
        self.currency = currency
        self.rate = "0"
        self.unregistered = False
        self.root = ET.Element(f"{{{_UBL}:{kind}-2}}{kind}")

    def bytes(self) -> bytes:
        """The document."""
        common = {"cac": "CommonAggregateComponents-2", "cbc": "CommonBasicComponents-2"}
        for prefix, name in {"": f"{self.kind}-2", **common}.items():
            ET.register_namespace(prefix, f"{_UBL}:{name}")
        ET.indent(self.root)
        written: bytes = ET.tostring(self.root, encoding="UTF-8", xml_declaration=True)
        return written

    def into(self, *names: str, of: ET.Element | None = None) -> ET.Element:
        """New elements, each in the one before; the last of them."""
        place = self.root if of is None else of
        for name in names:
            place = ET.SubElement(place, _CAC + name)
        return place

    def text(self, name: str, value: object, place: ET.Element | None = None, **attributes: str) -> None:
        """An element with a value."""
        ET.SubElement(self.root if place is None else place, _CBC + name, attributes).text = str(value)

    def money(self, name: str, minor: int, place: ET.Element) -> None:
        """An amount in its currency."""
        self.text(name, Money(minor, self.currency).amount, place, currencyID=self.currency)

    def head(self, number: str, id: UUID, day: object) -> None:
        """What kind of document it is, and which one."""
        for name, value in (("CustomizationID", CUSTOMIZATION), ("ProfileID", PROFILE), ("ID", number), ("UUID", id)):
            self.text(name, value)
        self.text("IssueDate", day)

    def parties(self, invoice: Invoice) -> None:
        """Who sends it, and who gets it."""
        supplier, customer = invoice.supplier or {}, invoice.customer or {}
        self.unregistered = supplier["gst_number"] is None
        self._party("AccountingSupplierParty", supplier, supplier_address(supplier["address"]))
        self._party("AccountingCustomerParty", customer, customer["address"])

    def _party(self, role: str, party: dict[str, Any], address: dict[str, Any]) -> None:
        place = self.into(role, "Party")
        self.text("EndpointID", f"SGUEN{party['uen']}", place, schemeID=UEN_SCHEME)
        self.text("Name", party["name"], self.into("PartyName", of=place))
        postal = self.into("PostalAddress", of=place)
        self.text("StreetName", address["line1"], postal)
        if address.get("line2"):
            self.text("AdditionalStreetName", address["line2"], postal)
        self.text("CityName", address.get("city") or "Singapore", postal)
        self.text("PostalZone", address["postal_code"], postal)
        self.text("IdentificationCode", address.get("country") or "SG", self.into("Country", of=postal))
        if party["gst_number"] and not self.unregistered:  # on a document without GST nobody has such a number
            scheme = self.into("PartyTaxScheme", of=place)
            self.text("CompanyID", party["gst_number"], scheme)
            self.text("ID", "GST", self.into("TaxScheme", of=scheme))
        legal = self.into("PartyLegalEntity", of=place)
        self.text("RegistrationName", party["name"], legal)
        self.text("CompanyID", party["uen"], legal)
        if party.get("email"):
            self.text("ElectronicMail", party["email"], self.into("Contact", of=place))

    def payment(self, invoice: Invoice) -> None:
        """How and by when to pay."""
        supplier = invoice.supplier or {}
        means = self.into("PaymentMeans")
        self.text("PaymentMeansCode", "30" if supplier.get("bank") else "1", means)  # a bank transfer, or not defined
        self.text("PaymentID", invoice.number, means)
        if supplier.get("bank"):
            self.text("ID", supplier["bank"][0], self.into("PayeeFinancialAccount", of=means))
        self.text("Note", f"Due within {invoice.due_days} days", self.into("PaymentTerms"))

    def tax(self, nets: dict[str, int], gst: dict[str, int], rate: Decimal, invoice: Invoice) -> None:
        """The GST, by kind of supply."""
        self.rate = f"{(rate * 100).normalize():f}"
        total = self.into("TaxTotal")
        self.money("TaxAmount", sum(gst.values()), total)
        for code, net in nets.items():
            part = self.into("TaxSubtotal", of=total)
            self.money("TaxableAmount", net, part)
            self.money("TaxAmount", gst.get(code, 0), part)
            self._category("TaxCategory", code, part)

    def _category(self, name: str, code: str, place: ET.Element) -> None:
        category = self.into(name, of=place)
        self.text("ID", "NG" if self.unregistered else _CODES[code], category)
        self.text("Percent", self.rate if code == "SR" else "0", category)
        if name == "TaxCategory" and code == "ES":
            self.text("TaxExemptionReason", "Exempt supply", category)
        self.text("ID", "GST", self.into("TaxScheme", of=category))

    def totals(self, subtotal: int, total: int) -> None:
        """What it comes to."""
        place = self.into("LegalMonetaryTotal")
        self.money("LineExtensionAmount", subtotal, place)
        self.money("TaxExclusiveAmount", subtotal, place)
        self.money("TaxInclusiveAmount", total, place)
        self.money("PayableAmount", total, place)

    def line(self, number: int, kind: str, quantity: str, amount: int, words: str, code: str, price: int) -> None:
        """One line."""
        place = self.into(f"{self.kind}Line")
        self.text("ID", number, place)
        self.text(f"{'Invoiced' if kind == 'Invoice' else kind}Quantity", quantity, place, unitCode="C62")
        self.money("LineExtensionAmount", amount, place)
        item = self.into("Item", of=place)
        self.text("Name", " ".join(words.split()), item)
        self._category("ClassifiedTaxCategory", code, item)
        self.money("PriceAmount", price, self.into("Price", of=place))


def supplier_address(lines: Iterable[str]) -> dict[str, Any]:
    """The address of the settings in parts: the postal code is the six digits, the first line the street."""
    kept = [line for line in lines if not re.fullmatch(r"singapore", line, re.IGNORECASE)]
    code = next((found[0] for line in kept if (found := re.search(r"\b\d{6}\b", line))), None)
    streets = [line for line in kept if code is None or code not in line]
    return {"line1": streets[0] if streets else None, "line2": ", ".join(streets[1:]), "postal_code": code}


def missing(invoice: Invoice | InvoiceOut) -> list[str]:
    """What Peppol asks of the parties of an invoice and is not known."""
    supplier, customer = invoice.supplier or {}, invoice.customer or {}
    address = supplier_address(supplier["address"])
    return [
        *(["supplier.uen"] if not supplier["uen"] else []),
        *(["supplier.address"] if not (address["line1"] and address["postal_code"]) else []),
        *(["customer.uen"] if not customer["uen"] else []),
        *(["customer.address"] if not customer["address"] else []),
        *(["totals in SGD"] if invoice.currency != "SGD" and by_code(invoice.lines).keys() & {"SR", "ZR"} else []),
    ]


def _check(invoice: Invoice) -> None:
    """Stop here unless it was finalised and both parties are known as Peppol asks."""
    if invoice.number is None:
        raise NotIssued
    if lacking := missing(invoice):
        raise NotExportable(details={"missing": lacking})
