"""Moments, numbers and money as people of a language write them, fast enough for a table."""

from collections.abc import Callable
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from nexuscore.kernel import clock
from nexuscore.kernel.i18n import is_rtl, language_of
from nexuscore.kernel.money import Money, finely

Part = Callable[[date], str]
_UNITS = ("B", "kB", "MB", "GB", "TB")


def moment(value: datetime | str | None, locale: str, zone: str, *, seconds: bool = False) -> str:
    """Day and time, by the reader's clock: "20 Nov 2026, 14:05"."""
    there = local(value, zone)
    if there is None:
        return ""
    return f"{_spelled(there, locale)}, {there:%H:%M:%S}" if seconds else f"{_spelled(there, locale)}, {there:%H:%M}"


def day(value: datetime | date | str | None, locale: str, zone: str) -> str:
    """The day alone."""
    if isinstance(value, str) and len(value) == 10:
        value = date.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return _spelled(value, locale)
    there = local(value, zone)
    return "" if there is None else _spelled(there, locale)


def local(value: datetime | date | str | None, zone: str) -> datetime | None:
    """A moment by the reader's clock."""
    if isinstance(value, str) and value:
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return None
    return value.astimezone(zone_of(zone))


@lru_cache(maxsize=512)
def zone_of(name: str) -> tzinfo:
    """A time zone by its name; UTC for what is none."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError):
        return ZoneInfo("UTC")


def ago(value: datetime | str | None, locale: str) -> str:
    """How long ago, in words: "3 minutes ago"."""
    from babel.dates import format_timedelta

    if isinstance(value, str) and value:
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return ""
    return str(format_timedelta(value - clock.now(), add_direction=True, locale=language_of(locale)))


def duration(value: timedelta | float, locale: str) -> str:
    """A span in words: "15 minutes"."""
    from babel.dates import format_timedelta

    span = value if isinstance(value, timedelta) else timedelta(seconds=value)
    return str(format_timedelta(span, threshold=1, locale=language_of(locale)))


def number(value: float | Decimal | None, locale: str) -> str:
    """A number with the separators of the language."""
    from babel.numbers import format_decimal

    return "" if value is None else str(format_decimal(value, locale=language_of(locale)))


def counted(value: float | Money | str, locale: str) -> str:
    """A figure: a number or money as the language writes it; a text as it is."""
    if isinstance(value, Money):
        return money(value, locale)
    return value if isinstance(value, str) else number(value, locale)


def size(value: int | None, locale: str) -> str:
    """Bytes, in the unit that reads best."""
    if value is None:
        return ""
    shown, unit = float(value), 0
    while shown >= 1000 and unit < len(_UNITS) - 1:
        shown, unit = shown / 1000, unit + 1
    text = number(round(shown, 1) if unit else int(shown), locale)
    return f"{text} {_UNITS[unit]}"


def money(value: Money | int | None, locale: str, currency: str = "SGD") -> str:
    """An amount with its currency; a whole number counts the smallest unit."""
    if value is None:
        return ""
    amount = value if isinstance(value, Money) else Money(value, currency)
    return _as_there(amount.format(language_of(locale)), locale)


def micro(value: int | None, locale: str, currency: str = "SGD") -> str:
    """Millionths of a currency's unit as money, with as many decimals as it takes: "S$1.011368"."""
    if value is None:
        return ""
    return _as_there(finely(Decimal(value).scaleb(-6), currency, language_of(locale), 6), locale)


def _as_there(text: str, locale: str) -> str:
    """Dollars of Singapore are S$; in Hebrew, marks keep $ behind S, and the minus before its number."""
    text = text.replace("SGD", "S$")
    return text.replace("$", "$\u200e").replace("-", "\u200e-") if is_rtl(locale) else text


def _spelled(value: date, locale: str) -> str:
    return "".join([part(value) for part in _parts(language_of(locale))])


@lru_cache(maxsize=16)
def _parts(language: str) -> tuple[Part, ...]:
    """The medium date of a language, taken apart once: Babel would do it for every cell."""
    from babel.dates import get_date_format, get_month_names, tokenize_pattern

    months: Any = get_month_names("abbreviated", "format", language)
    fields: dict[str, Part] = {
        "d": lambda value: str(value.day),
        "M": lambda value: str(value.month),
        "MM": lambda value: f"{value.month:02}",
        "MMM": lambda value: str(months[value.month]),
        "y": lambda value: str(value.year),
        "dd": lambda value: f"{value.day:02}",
    }

    def part(kind: str, token: Any) -> Part:
        if kind == "chars":
            return lambda _: str(token)
        letter, count = token
        return fields.get(letter * count) or fields[letter]

    pattern = "d MMM y" if language == "en" else get_date_format("medium", locale=language).pattern
    return tuple(part(kind, token) for kind, token in tokenize_pattern(pattern))
