"""What Singapore gives a company: its UEN, its GST registration, its telephone number.

The UEN (unique entity number) comes in three shapes, each ending in a check letter:

    53123456X    a business: eight digits
    197401143C   a local company: the year, five digits
    T08LL0001A   everybody else: R, S or T for the century, two digits of the year, the kind, four digits
"""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

from nexuscore.kernel import clock

_BUSINESS = re.compile(r"[0-9]{8}[A-Z]")
_COMPANY = re.compile(r"[0-9]{9}[A-Z]")
_OTHER = re.compile(r"[RST][0-9]{2}[A-HJ-NP-X]{2}[0-9]{4}[A-Z]")
_GST = re.compile(r"M[0-9]{8}[A-Z]")
_PHONE = re.compile(r"(?:\+?65)?([689][0-9]{7})")
_SYMBOLS = "ABCDEFGHJKLMNPQRSTUVWX0123456789"
_CENTURIES = {"R": 1800, "S": 1900, "T": 2000}
_OLDEST_COMPANY = 1800


def check_letter(number: str) -> str:
    """The letter ACRA puts behind `number`, a UEN without its last character."""
    if len(number) == 8:
        return "XMKECAWLJDB"[_weighed(map(int, number), (10, 4, 9, 3, 8, 2, 7, 1)) % 11]
    if number[0].isdigit():
        return "ZKCMDNERGWH"[_weighed(map(int, number), (10, 8, 6, 4, 9, 7, 5, 3, 1)) % 11]
    return _SYMBOLS[(_weighed(map(_SYMBOLS.index, number), (4, 3, 5, 3, 10, 2, 2, 5, 7)) - 5) % 11]


def is_uen(text: str) -> bool:
    """Whether `text` is a UEN: one of the shapes, a year that has been, the right letter."""
    if _COMPANY.fullmatch(text):
        year = int(text[:4])
    elif _OTHER.fullmatch(text):
        year = _CENTURIES[text[0]] + int(text[1:3])
    elif _BUSINESS.fullmatch(text):
        year = _OLDEST_COMPANY
    else:
        return False
    return _OLDEST_COMPANY <= year <= clock.now().year and text[-1] == check_letter(text[:-1])


def is_gst_number(text: str) -> bool:
    """Whether `text` is a GST registration number: M, eight digits and a letter, or the UEN itself."""
    return _GST.fullmatch(text) is not None or is_uen(text)


def phone_number(text: str) -> str | None:
    """A Singapore telephone number as +65 and eight digits; None when it is not one."""
    found = _PHONE.fullmatch(re.sub(r"[\s-]", "", text))
    return f"+65{found[1]}" if found else None


def _weighed(values: "map[int]", weights: tuple[int, ...]) -> int:
    return sum(value * weight for value, weight in zip(values, weights, strict=True))


def _upper(value: object) -> object:
    return value.strip().upper() if isinstance(value, str) else value


def _uen(text: str) -> str:
    if not is_uen(text):
        raise PydanticCustomError(
            "invalid_uen", "This is not a valid UEN. Please check its digits and its last letter."
        )
    return text


def _gst_number(text: str) -> str:
    if not is_gst_number(text):
        raise PydanticCustomError("invalid_gst_registration", "This is not a valid GST registration number.")
    return text


def _phone(text: str) -> str:
    number = phone_number(text)
    if number is None:
        raise PydanticCustomError("invalid_phone", "This is not a Singapore telephone number.")
    return number


Uen = Annotated[str, BeforeValidator(_upper), AfterValidator(_uen)]
GstNumber = Annotated[str, BeforeValidator(_upper), AfterValidator(_gst_number)]
Phone = Annotated[str, AfterValidator(_phone)]
