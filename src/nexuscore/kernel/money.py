"""Money: an integer of minor units and a currency. Never a float."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, ClassVar

from babel import Locale, UnknownLocaleError
from babel.numbers import NumberPattern, list_currencies, parse_pattern
from pydantic import ConfigDict, Strict

Factor = int | Decimal | Fraction

_NOT_TWO_DECIMALS = {  # from ISO 4217: Babel's figures are for display and round more (IQD 0, LBP 0)
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF XTR",  # XTR: Telegram Stars
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_LARGEST = 2**63 - 1  # what a bigint column holds


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents, yen, fils) of one currency, negative allowed, within a bigint.

    Arithmetic stays within a currency and is exact; what must round rounds half away from zero, once.
    """

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid"}

    minor: Annotated[int, Strict()]
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"minor units are an int, not {type(self.minor).__name__}")
        exponent(self.currency)
        if abs(self.minor) > _LARGEST:
            raise ValueError("this amount is too large to be stored")

    @classmethod
    def zero(cls, currency: str) -> Money:
        """Nothing, in a currency."""
        return cls(0, currency)

    @classmethod
    def parse(cls, text: str, currency: str) -> Money:
        """The amount written as plain digits with a dot ("12.30"); no more decimals than the currency has."""
        if not isinstance(text, str):
            raise TypeError(f"an amount is written as text, not {type(text).__name__}")
        places = exponent(currency)
        found = re.fullmatch(r"([+-]?)(\d{1,19})(?:\.(\d+))?", text.strip(), re.ASCII)
        if found is None:
            raise ValueError(f"{text!r} is not an amount like 12.30")
        decimals = found[3] or ""
        if len(decimals) > places:
            raise ValueError(f"{currency} has {places} decimals")
        minor = int(found[2] + decimals.ljust(places, "0"))
        return cls(-minor if found[1] == "-" else minor, currency)

    @property
    def amount(self) -> Decimal:
        """The amount in major units, with the currency's decimals."""
        return Decimal(self.minor).scaleb(-exponent(self.currency))

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other).minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other).minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __abs__(self) -> Money:
        return Money(abs(self.minor), self.currency)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other).minor

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other).minor

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._same(other).minor

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._same(other).minor

    def times(self, factor: Factor) -> Money:
        """This amount multiplied, rounded half away from zero."""
        return Money(_round(self.minor * _exact(factor)), self.currency)

    def percent(self, rate: Factor) -> Money:
        """`rate` per cent of this amount, rounded half away from zero."""
        return self.times(_exact(rate) / 100)

    def allocate(self, weights: Sequence[Factor]) -> list[Money]:
        """This amount split by weight, nothing lost or invented: left-over units go to the largest remainders,
        the earlier share first among equals."""
        shares = [_exact(weight) for weight in weights]
        total = sum(shares, Fraction(0))
        if any(share < 0 for share in shares) or total <= 0:
            raise ValueError("weights are not negative, and one of them is above zero")
        sign = -1 if self.minor < 0 else 1
        exact = [abs(self.minor) * share / total for share in shares]
        units = [share.numerator // share.denominator for share in exact]
        by_remainder = sorted(range(len(shares)), key=lambda i: units[i] - exact[i])
        for i in by_remainder[: abs(self.minor) - sum(units)]:
            units[i] += 1
        return [Money(sign * unit, self.currency) for unit in units]

    def format(self, locale: str) -> str:
        """The amount as people of a locale write it: "S$1,234.50", "1 234,50 zł"."""
        return finely(self.amount, self.currency, locale, exponent(self.currency))

    def _same(self, other: Money) -> Money:
        if not isinstance(other, Money):
            raise TypeError(f"money and {type(other).__name__} do not mix")
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not mix")
        return other


@lru_cache(maxsize=512)
def exponent(currency: str) -> int:
    """How many decimals a currency has (ISO 4217): 2 for SGD, 0 for JPY, 3 for KWD. ValueError for no currency."""
    for decimals, currencies in _NOT_TWO_DECIMALS.items():
        if currency in currencies.split():
            return decimals
    if currency not in list_currencies():
        raise ValueError(f"{currency!r} is not a currency code")
    return 2


def finely(amount: Decimal, currency: str, locale: str, most: int) -> str:
    """An amount in major units as a locale writes it, with up to `most` decimals and no fewer than the currency has."""
    pattern = _pattern(locale, exponent(currency), most)
    return str(pattern.apply(amount, _locale(locale), currency=currency, currency_digits=False))


def _exact(factor: Factor) -> Fraction:
    if isinstance(factor, (bool, float)) or not isinstance(factor, (int, Decimal, Fraction)):
        raise TypeError(f"money is multiplied by int, Decimal or Fraction, not {type(factor).__name__}")
    return Fraction(factor)


def _round(value: Fraction) -> int:
    doubled = (2 * abs(value.numerator) + value.denominator) // (2 * value.denominator)
    return -doubled if value < 0 else doubled


@lru_cache(maxsize=256)
def _locale(locale: str) -> Locale:
    try:
        return Locale.parse(locale.replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        return Locale("en")


@lru_cache(maxsize=256)
def _pattern(locale: str, least: int, most: int) -> NumberPattern:
    """How a locale writes currencies, with the decimals of ISO 4217 in place of those for display."""
    pattern = parse_pattern(_locale(locale).currency_formats["standard"].pattern)
    pattern.frac_prec = (least, most)
    return pattern
