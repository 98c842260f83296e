"""What stands on an invoice and on a credit note: what the tax authority asks for, and what one needs to pay."""

from datetime import date
from decimal import Decimal
from typing import Any

from babel import Locale
from babel.dates import format_date

from nexuscore.kernel.i18n import is_rtl, language_of, translate
from nexuscore.kernel.money import Money
from nexuscore.modules.invoices import paynow
from nexuscore.modules.invoices.lines import by_code
from nexuscore.modules.invoices.papers.printing import Paper
from nexuscore.modules.invoices.tables import CreditNote, Invoice

# How dates and amounts are written in each language; amounts in Singapore dollars keep their sign S$.
LOCALES = {"en": "en-SG", "he": "he", "pl": "pl"}
_LEFT_TO_RIGHT = "\N{LEFT-TO-RIGHT ISOLATE}{}\N{POP DIRECTIONAL ISOLATE}"
_OWN_DIRECTION = "\N{FIRST STRONG ISOLATE}{}\N{POP DIRECTIONAL ISOLATE}"


class Words:
    """A language: its texts, dates, numbers and amounts."""

    def __init__(self, locale: str, currency: str) -> None:
        self.language = language_of(locale)
        self.currency = currency
        self._locale = Locale.parse(LOCALES[self.language].replace("-", "_"))

    def __call__(self, text: str, **params: object) -> str:
        """A text of ours."""
        return translate(self.language, text, **params)

    def money(self, minor: int) -> str:
        """An amount; what is taken off has a minus before it. It reads from left to right wherever it stands."""
        amount = Money(abs(minor), self.currency).format(LOCALES[self.language])
        amount = amount.replace("\N{RIGHT-TO-LEFT MARK}", "")
        if self.currency == "SGD":
            amount = amount.replace("SGD", "S$")
            amount = amount.replace("$", "S$") if "S$" not in amount else amount
        return _LEFT_TO_RIGHT.format(("\N{MINUS SIGN}" if minor < 0 else "") + amount.strip())

    def number(self, text: str) -> str:
        """A quantity or a rate, with the language's decimal sign."""
        return text.replace(".", self._locale.number_symbols["latn"]["decimal"])

    def date(self, day: date) -> str:
        """A day, its month in words."""
        return format_date(day, "d MMMM y", locale=self._locale)

    def percent(self, rate: Decimal) -> str:
        """A rate as per cent, without what is nought."""
        text = f"{rate * 100:f}"
        return self.number(text.rstrip("0").rstrip(".") if "." in text else text) + "%"


def own(text: object) -> str:
    """What somebody wrote, in the direction it is written in, whatever stands around it."""
    return _OWN_DIRECTION.format(text)


def of_invoice(invoice: Invoice, locale: str) -> Paper:
    """An invoice that was finalised. It is a tax invoice where GST is charged."""
    words = Words(locale, invoice.currency)
    taxed = any(line["code"] == "SR" for line in invoice.lines)
    title = "Tax Invoice" if taxed else "Invoice"
    dates = [
        (words("Invoice number"), str(invoice.number)),
        (words("Date"), words.date(_day(invoice.issued_on))),
        (words("Due"), words.date(_day(invoice.due_on))),
    ]
    if invoice.customer_reference:
        dates.append((words("Your reference"), own(invoice.customer_reference)))
    nets = by_code(invoice.lines)
    subtotal = (words("Subtotal, without GST"), words.money(invoice.subtotal))
    return Paper(
        {
            **_heading(words, title, invoice),
            "facts": dates,
            "columns": [words("Description"), words("Quantity"), words("Price"), words("GST"), words("Amount")],
            "lines": [
                [
                    own(line["description"]),
                    words.number(line["quantity"]),
                    words.money(line["unit_price"]),
                    line["code"],
                    words.money(line["amount"]),
                ]
                for line in invoice.lines
            ],
            "totals": [*_kinds(words, nets), subtotal, *_gst(words, nets, invoice.gst_rate, invoice.gst_amount)],
            "total": [words("Total to pay"), words.money(invoice.total)],
            "notes": [*_legend(words, nets), *([own(invoice.memo)] if invoice.memo else [])],
            "pay": _pay(words, invoice),
        }
    )


def of_credit_note(note: CreditNote, invoice: Invoice, locale: str) -> Paper:
    """A credit note, with the invoice it is for."""
    words = Words(locale, note.currency)
    nets = {line["code"]: line["net"] for line in note.lines}
    subtotal = (words("Credited, without GST"), words.money(note.subtotal))
    reference = words(
        "Credit for invoice {number} of {day}", number=own(invoice.number), day=words.date(_day(invoice.issued_on))
    )
    return Paper(
        {
            **_heading(words, "Credit Note", invoice),
            "facts": [
                (words("Credit note number"), note.number),
                (words("Date"), words.date(note.issued_on)),
                (words("For invoice"), str(invoice.number)),
                (words("Invoice date"), words.date(_day(invoice.issued_on))),
            ],
            "columns": [words("Description"), words("Quantity"), words("Price"), words("GST"), words("Amount")],
            "lines": [
                [reference, "1", words.money(line["net"]), line["code"], words.money(line["net"])]
                for line in note.lines
            ],
            "totals": [*_kinds(words, nets), subtotal, *_gst(words, nets, note.gst_rate, note.gst_amount)],
            "total": [words("Total credited"), words.money(note.total)],
            "notes": [words("Reason: {reason}", reason=own(note.reason)), *_legend(words, nets)],
            "pay": None,
        }
    )


def _heading(words: Words, title: str, invoice: Invoice) -> dict[str, Any]:
    return heading(words, title, invoice.supplier or {}, invoice.customer or {}, to=words("Billed to"))


def heading(words: Words, title: str, supplier: dict[str, Any], customer: dict[str, Any], *, to: str) -> dict[str, Any]:
    """The head of a paper: what it is, whom it is from, and whom it is for. The title stands in English too."""
    contact = [supplier["email"], supplier["phone"]]
    address = customer.get("address") or {}
    return {
        "lang": words.language,
        "rtl": is_rtl(words.language),
        "title": words(title),
        "english": "" if words.language == "en" else title,
        "supplier": {
            "name": own(supplier["name"]),
            "lines": [*map(own, supplier["address"]), *_registered(words, supplier), *map(own, filter(None, contact))],
        },
        "customer": {
            "head": to,
            "name": own(customer["name"]),
            "lines": [*map(own, _postal(address)), *_registered(words, customer)],
        },
        "page": words("Page"),
    }


def _registered(words: Words, party: dict[str, Any]) -> list[str]:
    named = [("UEN", party["uen"]), (words("GST registration number"), party["gst_number"])]
    return [f"{what}: {own(number)}" for what, number in named if number]


def _postal(address: dict[str, Any]) -> list[str]:
    city = " ".join(each for each in (address.get("city"), address.get("postal_code")) if each)
    country = {"SG": "Singapore"}.get(address.get("country", ""), address.get("country"))
    last = f"{country} {city}" if country == "Singapore" else f"{city}, {country}" if city else country
    return [each for each in (address.get("line1"), address.get("line2"), last) if each]


def _kinds(words: Words, nets: dict[str, int]) -> list[tuple[str, str]]:
    """A line per kind of supply, where there are several."""
    names = {
        "SR": words("Standard-rated (SR)"),
        "ZR": words("Zero-rated (ZR)"),
        "ES": words("Exempt (ES)"),
        "OS": words("Out of scope (OS)"),
    }
    return [(names[code], words.money(net)) for code, net in nets.items()] if len(nets) > 1 else []


def _gst(words: Words, nets: dict[str, int], rate: Decimal, gst: int) -> list[tuple[str, str]]:
    """The GST with its rate, where it is charged."""
    return [(words("GST {rate}", rate=words.percent(rate)), words.money(gst))] if "SR" in nets else []


def _legend(words: Words, nets: dict[str, int]) -> list[str]:
    meanings = {
        "ZR": words("ZR: zero-rated supply, GST 0%."),
        "ES": words("ES: exempt supply, no GST."),
        "OS": words("OS: out of scope, no GST is charged."),
    }
    return [meanings[code] for code in nets if code in meanings]


def _pay(words: Words, invoice: Invoice) -> dict[str, Any] | None:
    """How to pay; nothing where nothing is owed."""
    supplier = invoice.supplier or {}
    if invoice.total == 0:
        return None
    qr = None
    if supplier.get("paynow") and invoice.currency == "SGD":
        text = paynow.payload(
            supplier["paynow"], amount=invoice.total, reference=str(invoice.number), name=supplier["name"]
        )
        qr = paynow.picture(text)
    return {
        "head": words("How to pay"),
        "lines": [
            words(
                "Please pay by {day} and name {number}.",
                day=words.date(_day(invoice.due_on)),
                number=own(invoice.number),
            ),
            *map(own, supplier.get("bank", [])),
        ],
        "qr": qr,
        "scan": words("PayNow: scan with your banking app. UEN {uen}", uen=own(supplier.get("paynow") or "")),
    }


def _day(day: date | None) -> date:
    if day is None:
        raise ValueError("a draft has no day yet and is not printed")
    return day
