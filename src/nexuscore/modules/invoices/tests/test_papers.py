"""Papers: what stands on them, the PayNow code, the link, and what customers get by mail."""

from decimal import Decimal
from urllib.parse import urlsplit

import pytest

from nexuscore.kernel import store
from nexuscore.kernel.clock import FakeClock
from nexuscore.kernel.testing import House
from nexuscore.modules import invoices
from nexuscore.modules.identity.testing import mails_to
from nexuscore.modules.invoices import Invoice, NewLine, documents, papers, paynow
from nexuscore.modules.invoices.papers.content import Words
from nexuscore.modules.invoices.testing import Customer, credit_note_in, customer

pytestmark = pytest.mark.anyio
LINES = [
    NewLine(description="#set page(fill: red) *Professional*", unit_price=9_900),
    NewLine(description="ייעוץ", quantity=Decimal("1.5"), unit_price=20_000),
    NewLine(description="Interest", unit_price=1_000, tax="ES"),
]
# Printed by the Association of Banks' members on real stickers; this one stands in public notes about the format.
PUBLISHED = (
    "00020101021126430009SG.PAYNOW010120210T04SS0129D030110502QS51810007SG.SGQR011221073031741D020701.000103066003160402"
    "010503279060400000708202107305204000053037025802SG5925LOVING HEART MULTI-SERVIC6009Singapore6304A177"
)
SGQR: paynow.Fields = {
    "00": "SG.SGQR",
    "01": "21073031741D",
    "02": "01.0001",
    "03": "600316",
    "04": "01",
    "05": "279",
    "06": "0000",
    "07": "20210730",
}


async def issued(acme: Customer) -> Invoice:
    async with acme.acting() as ctx:
        return await invoices.issue(ctx, LINES, customer_reference="PO 4711")


def flat(value: object) -> str:
    """Everything on a paper, without the marks that turn text around."""
    return str(value).translate(dict.fromkeys(map(ord, "\u2066\u2067\u2068\u2069\u200f\u200e")))


def test_the_published_paynow_code_is_written_as_it_was_printed() -> None:
    account: paynow.Fields = {"00": "SG.PAYNOW", "01": "2", "02": "T04SS0129D", "03": "1", "05": "QS"}
    fields: paynow.Fields = {"00": "01", "01": "11", "26": account, "51": SGQR, "52": "0000", "53": "702", "58": "SG"}
    assert paynow.encoded({**fields, "59": "LOVING HEART MULTI-SERVIC", "60": "Singapore"}) == PUBLISHED


def test_a_paynow_code_asks_for_exactly_this_amount() -> None:
    text = paynow.payload("201912345K", amount=1_090_005, reference="INV-202611-0001", name="Żółw & Co Private Limited")
    assert text.startswith("00020101021226370009SG.PAYNOW010120210201912345K030105204000053037025408")
    assert text[72:-8] == "10900.055802SG5924Zow & Co Private Limited6009Singapore62190115INV-202611-0001"


async def test_what_the_tax_authority_asks_for_is_on_the_paper(house: House, acme: Customer) -> None:
    invoice = await issued(acme)
    expected = {
        "en": ("Tax Invoice", "S$99.00", "S$35.91", "S$444.91", "GST 9%"),
        "he": ("חשבונית מס", "99.00", "35.91", "444.91", "9%"),
        "pl": ("Faktura VAT (GST)", "99,00", "35,91", "444,91", "9%"),
    }
    for language, wanted in expected.items():
        paper = papers.of_invoice(invoice, language)
        shown = flat(paper.content)
        always = ("INV-", "PO 4711", "NexusCore Pte. Ltd.", "M90312345A", "Acme Pte. Ltd.", "1 Raffles Place")
        assert [each for each in (*wanted, *always, "10 Anson Road", "201912345", "<svg") if each not in shown] == []
        assert (paper.content["english"] == "Tax Invoice") == (language != "en")
        assert papers.printed(paper).startswith(b"%PDF-")
    async with acme.acting() as ctx:
        note = await invoices.credit(ctx, invoice.id, reason="Too many hours", amounts={"SR": 1_090})
    shown = flat(papers.of_credit_note(note, invoice, "en").content)
    for each in ("Credit Note", note.number, str(invoice.number), "S$10.00", "S$0.90", "S$10.90", "Too many hours"):
        assert each in shown


async def test_where_no_gst_is_charged_it_is_no_tax_invoice(house: House) -> None:
    plain = await customer(house, gst_registered=False, gst_number=None)
    async with plain.acting() as ctx:
        invoice = await invoices.issue(ctx, [NewLine(description="x", unit_price=100)])
    content = papers.of_invoice(invoice, "en").content
    assert content["title"] == "Invoice"
    assert "OS: out of scope" in flat(content["notes"])
    assert not [line for line in content["totals"] if "GST 9" in line[0]]


def test_amounts_as_each_language_writes_them() -> None:
    assert flat(Words("en", "SGD").money(-123_456)) == "\u2212S$1,234.56"
    assert flat(Words("pl", "SGD").money(123_456)).replace("\xa0", " ") == "1 234,56 S$"
    assert flat(Words("he", "USD").money(5)).replace("\xa0", " ") == "0.05 $"
    assert Words("pl", "SGD").percent(Decimal("0.0875")) == "8,75%"


async def test_a_link_to_the_pdf_works_for_seven_days(house: House, acme: Customer, fake_clock: FakeClock) -> None:
    """Seen to succeed without the check of the signature: somebody with another document's link read this one."""
    invoice = await issued(acme)
    client, path = acme.owner.client, f"/invoices/{invoice.id}/pdf?language=pl"
    waiting = await client.get(path)
    assert (waiting.status_code, waiting.json()["state"]) == (202, "waiting")
    await house.drain()
    ready = await client.get(path)
    assert (ready.status_code, ready.json()["language"]) == (200, "pl")
    link = ready.json()["link"]
    url = urlsplit(link)
    nobody = house.client()
    pdf = await nobody.get(f"{url.path}?{url.query}")
    assert (pdf.headers["content-type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")
    assert pdf.headers["content-disposition"] == f'inline; filename="{str(invoice.number).lower()}-pl.pdf"'
    other = await client.get(f"/invoices/{(await issued(acme)).id}/pdf")
    assert other.status_code == 202
    for wrong in (url.query.replace("expires=", "expires=9"), url.query[:-2] + "xx"):
        assert (await nobody.get(f"{url.path}?{wrong}")).status_code == 404
    await store.remove(documents.folder(house.app), f"invoices/{acme.org.id}/{str(invoice.number).lower()}-pl.pdf")
    assert (await nobody.get(f"{url.path}?{url.query}")).content[:5] == b"%PDF-"
    fake_clock.advance(days=7)
    late = await nobody.get(f"{url.path}?{url.query}")
    assert (late.status_code, late.json()["error_code"]) == (404, "invoice_link_expired")


async def test_a_draft_is_not_printed_and_a_note_belongs_to_its_invoice(house: House, acme: Customer) -> None:
    async with acme.acting() as ctx:
        draft = await invoices.draft(ctx, LINES)
    refused = await acme.owner.client.get(f"/invoices/{draft.id}/pdf")
    assert (refused.status_code, refused.json()["error_code"]) == (409, "invoice_not_issued")
    _, note_id = await credit_note_in(house, acme.org.id)
    other = await issued(acme)
    answer = await acme.owner.client.get(f"/invoices/{other.id}/credit-notes/{note_id}/pdf")
    assert answer.status_code == 404


async def test_customers_are_told(house: House, fake_clock: FakeClock) -> None:
    acme = await customer(house, locale="pl-PL", billing_email="bills@acme.example")
    invoice = await issued(acme)
    await house.drain()
    [mail] = await mails_to(house, "bills@acme.example")
    assert mail.message == "invoices.invoice"
    assert flat(mail.subject).replace("\xa0", " ") == f"Faktura {invoice.number} na kwotę 444,91 S$"
    link = urlsplit(mail.links[0])
    assert (await house.client().get(f"{link.path}?{link.query}")).content[:5] == b"%PDF-"
    async with acme.acting() as ctx:
        await invoices.record_payment(ctx, invoice.id, 10_000, "SGD", reference="1", method="cash")
    fake_clock.advance(days=31)
    async with house.app.context() as ctx:
        await house.app.schedules["nexuscore.modules.invoices.jobs.announce_overdue"](ctx)
    await house.drain()
    async with acme.acting() as ctx:
        await invoices.record_payment(ctx, invoice.id, 34_491, "SGD", reference="2", method="cash")
    await house.drain()
    got = [mail.message for mail in await mails_to(house, "bills@acme.example")]
    assert got == ["invoices.invoice", "invoices.receipt", "invoices.overdue", "invoices.receipt"]
