"""Peppol documents: valid by OASIS's own schema, and by the rules that can be had without asking anybody.

The schematron of PINT SG may not be passed on, so it is not here. What its rules for Singapore (version 1.4) and
EN 16931 ask of documents like ours is asked below in our own words; docs/invoices.md says what else was run by hand.
"""

import re
import tarfile
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from lxml import etree  # type: ignore[import-untyped]  # it ships no types

from nexuscore.kernel.testing import House
from nexuscore.modules import invoices
from nexuscore.modules.invoices import CreditNote, Invoice, NewLine, peppol
from nexuscore.modules.invoices.testing import Customer, customer, some_uen

pytestmark = pytest.mark.anyio
SCHEMAS = Path(__file__).parent / "ubl" / "ubl-2.4.tar.xz"
UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
PARTIES = ("Supplier", "Customer")
NS = {"cac": f"{UBL}CommonAggregateComponents-2", "cbc": f"{UBL}CommonBasicComponents-2"}
LINES = [
    NewLine(description="Professional <plan> & more", unit_price=12_345),
    NewLine(description="Consulting, hours", quantity=Decimal("1.5"), unit_price=20_001),
    NewLine(description="Unused days", quantity=Decimal(2), unit_price=-1_000),
    NewLine(description="Interest", unit_price=1_000, tax="ES"),
]


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ubl")
    with tarfile.open(SCHEMAS) as packed:
        packed.extractall(folder, filter="data")
    return folder / "maindoc"


@pytest.fixture
async def known(house: House) -> Customer:
    return await customer(house, uen=some_uen())


async def both(known: Customer) -> tuple[Invoice, CreditNote]:
    async with known.acting() as ctx:
        invoice = await invoices.issue(ctx, LINES, memo="Thank you")
        return invoice, await invoices.credit(ctx, invoice.id, reason="A discount", amounts={"SR": 545, "ES": 100})


async def test_documents_are_valid_and_keep_the_rules(known: Customer, schemas: Path) -> None:
    invoice, note = await both(known)
    for kind, xml in (("Invoice", peppol.invoice_xml(invoice)), ("CreditNote", peppol.credit_note_xml(note, invoice))):
        document = etree.fromstring(xml)
        schema = etree.XMLSchema(etree.parse(schemas / f"UBL-{kind}-2.4.xsd"))
        assert schema.validate(document), schema.error_log
        assert broken(document, kind) == []
    document = etree.fromstring(peppol.invoice_xml(invoice))
    payable = document.findtext("cac:LegalMonetaryTotal/cbc:PayableAmount", namespaces=NS)
    assert Decimal(payable) * 100 == invoice.total
    assert document.findtext("cac:InvoiceLine/cac:Item/cbc:Name", namespaces=NS) == "Professional <plan> & more"


async def test_the_rules_notice_what_is_wrong(known: Customer, schemas: Path) -> None:
    invoice, _ = await both(known)
    xml = peppol.invoice_xml(invoice).decode()
    taxed = f"{Decimal(invoice.gst_amount) / 100}"
    for old, new, rule in (
        (f">{taxed}<", ">1.00<", "tax"),
        (">123.45<", ">123.46<", "sum"),
        (">SR<", ">S<", "code"),
        ('schemeID="0195"', 'schemeID="9999"', "endpoint"),
        (">-2<", ">2<", "line"),
        ("@sg-1", "@aunz-1", "R004"),
        (f">{invoice.id}<", ">4711<", "108, 109: a UUID"),
        (">SGD<", ">USD<", "113: totals in SGD"),
        ("PaymentMeansCode>1<", "PaymentMeansCode>Z9<", "CL-16"),
    ):
        assert old in xml
        assert rule in broken(etree.fromstring(xml.replace(old, new).encode()), "Invoice"), (old, new)
    swapped = xml.replace("<cbc:DueDate>", "<cbc:Due>").replace("</cbc:DueDate>", "</cbc:Due>")
    schema = etree.XMLSchema(etree.parse(schemas / "UBL-Invoice-2.4.xsd"))
    assert not schema.validate(etree.fromstring(swapped.encode()))


def broken(document: etree._Element, kind: str) -> list[str]:
    """The names of the rules a document breaks: EN 16931's arithmetic, PINT SG's codes and identifiers."""
    own = (_wrong_sums(document, kind), _wrong_lines(document, kind), _wrong_codes(document))
    return [rule for rules in (*own, _wrong_in_singapore(document, kind)) for rule in rules]


def texts(document: etree._Element, path: str) -> list[str]:
    return [each.text for each in document.findall(path, NS)]


def sums(document: etree._Element, path: str) -> Decimal:
    return sum(map(Decimal, texts(document, path)), Decimal(0))


def _wrong_sums(document: etree._Element, kind: str) -> Iterator[str]:
    net, payable = (sums(document, f"cac:LegalMonetaryTotal/cbc:{each}Amount") for each in ("TaxExclusive", "Payable"))
    tax = sums(document, "cac:TaxTotal/cbc:TaxAmount")
    if sums(document, f"cac:{kind}Line/cbc:LineExtensionAmount") != net:
        yield "sum"
    if net + tax != payable or tax != sums(document, "cac:TaxTotal/cac:TaxSubtotal/cbc:TaxAmount"):
        yield "tax"
    for part in document.findall("cac:TaxTotal/cac:TaxSubtotal", NS):
        rate = sums(part, "cac:TaxCategory/cbc:Percent")
        if abs(sums(part, "cbc:TaxAmount") - sums(part, "cbc:TaxableAmount") * rate / 100) > Decimal("0.01"):
            yield "tax"


def _wrong_lines(document: etree._Element, kind: str) -> Iterator[str]:
    for line in document.findall(f"cac:{kind}Line", NS):
        quantity = next(Decimal(each.text) for each in line if each.tag.endswith("Quantity"))
        price = sums(line, "cac:Price/cbc:PriceAmount")
        exact = (quantity * price).quantize(Decimal("0.01"), ROUND_HALF_UP)
        if price < 0 or exact != sums(line, "cbc:LineExtensionAmount"):
            yield "line"


def _wrong_codes(document: etree._Element) -> Iterator[str]:
    codes = {*texts(document, ".//cac:TaxCategory/cbc:ID"), *texts(document, ".//cac:ClassifiedTaxCategory/cbc:ID")}
    if codes - {"SR", "ZR", "ES33", "OS", "NG"} or set(texts(document, ".//cac:TaxScheme/cbc:ID")) != {"GST"}:
        yield "code"
    ends = [(each.get("schemeID"), each.text[:5]) for each in document.findall(".//cbc:EndpointID", NS)]
    if ends != [("0195", "SGUEN")] * 2 or len(texts(document, ".//cac:PartyLegalEntity/cbc:CompanyID")) != 2:
        yield "endpoint"
    amounts = [each for each in document.iter() if each.get("currencyID")]
    if any(each.get("currencyID") != "SGD" or len(each.text.partition(".")[2]) > 2 for each in amounts):
        yield "amount"


def _numbers(document: etree._Element) -> tuple[list[str], list[str]]:
    """The GST numbers of seller and buyer."""
    seller, buyer = (f"cac:Accounting{who}Party/cac:Party/cac:PartyTaxScheme/cbc:CompanyID" for who in PARTIES)
    return texts(document, seller), texts(document, buyer)


def _wrong_in_singapore(document: etree._Element, kind: str) -> Iterator[str]:
    """PINT SG's own rules, by their names, as far as they are about what our documents have."""
    used = texts(document, "cac:TaxTotal/cac:TaxSubtotal/cac:TaxCategory/cbc:ID")
    lines = texts(document, f"cac:{kind}Line/cac:Item/cac:ClassifiedTaxCategory/cbc:ID")
    if not texts(document, "cbc:CustomizationID")[0].startswith("urn:peppol:pint:billing-1@sg-1"):
        yield "R004"
    if not used or len(used) != len(set(used)) or set(lines) != set(used):
        yield "CO-18, NG-01: one breakdown for each code of the lines"
    if "NG" in used and (any(_numbers(document)) or used != ["NG"]):
        yield "NG-02, NG-11: without GST nobody has a number, and there is no other code"
    if set(texts(document, "cac:PaymentMeans/cbc:PaymentMeansCode")) - {"1", "30"}:
        yield "CL-16"
    if {"SR", "ZR"} & set(used):
        yield from _wrong_where_taxed(document, kind)


def _wrong_where_taxed(document: etree._Element, kind: str) -> Iterator[str]:
    """What a document with standard or zero-rated supplies has to have."""
    seller, buyer = _numbers(document)
    if len(seller) != 1 or len(buyer) > 1:
        yield "105, SR-12, SR-18: the seller's number"
    for who in PARTIES:
        address = f"cac:Accounting{who}Party/cac:Party/cac:PostalAddress/cbc:"
        if not texts(document, f"{address}StreetName") or not texts(document, f"{address}PostalZone"):
            yield "106, 107: street and postal code"
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "".join(texts(document, "cbc:UUID"))):
        yield "108, 109: a UUID"
    if kind == "CreditNote" and not texts(document, "cbc:Note"):
        yield "111: why it is credited"
    if texts(document, "cbc:DocumentCurrencyCode") != ["SGD"] or texts(document, "cbc:TaxCurrencyCode"):
        yield "113: totals in SGD"


async def test_a_supplier_who_is_not_registered_names_nobodys_number(known: Customer, schemas: Path) -> None:
    """By PINT SG's rule NG-02. Seen red: the buyer's number stood on it."""
    async with known.acting() as ctx:
        invoice = await invoices.issue(ctx, [NewLine(description="Work", unit_price=10_000, tax="OS")])
    assert invoice.supplier is not None
    invoice.supplier["gst_number"] = None  # as it is for such a supplier
    document = etree.fromstring(peppol.invoice_xml(invoice))
    assert broken(document, "Invoice") == []
    assert texts(document, ".//cac:ClassifiedTaxCategory/cbc:ID") == ["NG"]
    assert etree.XMLSchema(etree.parse(schemas / "UBL-Invoice-2.4.xsd")).validate(document)


async def test_without_a_uen_there_is_nowhere_to_send_it(house: House, acme: Customer) -> None:
    async with acme.acting() as ctx:
        invoice = await invoices.issue(ctx, LINES)
        draft = await invoices.draft(ctx, LINES)
    answer = await acme.owner.client.get(f"/invoices/{invoice.id}/peppol")
    assert (answer.status_code, answer.json()["error_code"]) == (400, "peppol_incomplete")
    assert answer.json()["details"] == {"missing": ["customer.uen"]}
    assert (await acme.owner.client.get(f"/invoices/{draft.id}/peppol")).json()["error_code"] == "invoice_not_issued"


async def test_downloaded(known: Customer) -> None:
    invoice, note = await both(known)
    answer = await known.owner.client.get(f"/invoices/{invoice.id}/peppol")
    assert answer.headers["content-type"] == "application/xml; charset=utf-8"
    assert answer.content == peppol.invoice_xml(invoice)
    answer = await known.owner.client.get(f"/invoices/{invoice.id}/credit-notes/{note.id}/peppol")
    assert answer.content == peppol.credit_note_xml(note, invoice)
