"""PayNow: the text in the QR code, as EMVCo and the Association of Banks in Singapore lay it down.

Every field is two digits of its id, two of its length, and its value; some values are fields again. The last one is a
checksum over everything before it.
"""

import binascii
import re
import unicodedata
from collections.abc import Mapping

import segno

Fields = Mapping[str, "str | Fields"]
_SGD = "702"


def payload(uen: str, *, amount: int, reference: str, name: str) -> str:
    """What a banking app reads: pay exactly this amount of cents to the company with this UEN, for this reference."""
    return encoded(
        {
            "00": "01",
            "01": "12",  # this code is for one payment
            "26": {"00": "SG.PAYNOW", "01": "2", "02": uen, "03": "0"},  # to a UEN; the amount cannot be changed
            "52": "0000",
            "53": _SGD,
            "54": f"{amount // 100}.{amount % 100:02d}",
            "58": "SG",
            "59": _plain(name, 25) or "NA",
            "60": "Singapore",
            "62": {"01": _plain(reference, 25)},
        }
    )


def encoded(fields: Fields) -> str:
    """Fields as text, with their checksum."""
    text = _written(fields) + "6304"
    return f"{text}{binascii.crc_hqx(text.encode(), 0xFFFF):04X}"


def picture(text: str) -> str:
    """The QR code as SVG."""
    return str(segno.make(text, error="m", boost_error=False).svg_inline(scale=4, border=0))


def _written(fields: Fields) -> str:
    parts = []
    for id, value in fields.items():
        text = value if isinstance(value, str) else _written(value)
        if not 0 < len(text) < 100:
            raise ValueError(f"the field {id} has {len(text)} characters, not 1 to 99")
        parts.append(f"{id}{len(text):02d}{text}")
    return "".join(parts)


def _plain(text: str, longest: int) -> str:
    """The text in the plain letters that every banking app reads."""
    ascii = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9 .,&()/-]", "", ascii)[:longest].strip()
