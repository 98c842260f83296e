"""Text a person sees: gettext catalogues per language, English when a translation is missing.

The English text is the key. A module that has `locale/<language>/messages.po` beside it is translated by that file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from gettext import c2py
from pathlib import Path

from nexuscore.kernel import log

LANGUAGES = ("en", "he", "pl")
KERNEL_FOLDER = Path(__file__).parent / "locale"

_RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur", "yi"})
_OLD_CODES = {"iw": "he"}
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_RANGE = re.compile(r"([a-z]{1,8}|\*)(?:-[a-z0-9]{1,8})*(?:;q=([01](?:\.[0-9]{0,3})?))?")
_LONGEST_HEADER = 500
_MOST_REPORTED = 10_000

Forms = tuple[str, ...]
Entry = tuple[Forms, Callable[[int], int]]


class Catalogues:
    """The translations found in a set of folders. A language is read from disk when first asked for, then kept."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self.folders = tuple(folders)
        self._entries: dict[str, dict[str, Entry]] = {}
        self._reported: set[tuple[str, str]] = set()

    @classmethod
    def load(cls, folders: Iterable[Path]) -> Catalogues:
        """The kernel's texts and those of folders with `<language>/messages.po`; of two translations the later wins."""
        return cls(dict.fromkeys([KERNEL_FOLDER, *folders]))

    def find(self, locale: str, msgid: str, plural: str | None = None, n: int = 1) -> str:
        """The translation of a text, or the English itself; a lack is logged once per language and text."""
        language = language_of(locale)
        entry = self._read(language).get(msgid)
        if entry is not None:
            forms, form_of = entry
            return forms[min(form_of(n), len(forms) - 1)] if plural is not None else forms[0]
        if language != "en":
            self._report(language, msgid)
        return msgid if plural is None or n == 1 else plural

    def _read(self, language: str) -> dict[str, Entry]:
        if language not in self._entries:
            entries: dict[str, Entry] = {}
            for folder in self.folders:
                entries.update(_read_file(folder / language / "messages.po"))
            self._entries[language] = entries
        return self._entries[language]

    def _report(self, language: str, msgid: str) -> None:
        key = (language, msgid)
        if key not in self._reported and len(self._reported) < _MOST_REPORTED:
            self._reported.add(key)
            log.get_logger(__name__).warning("translation_missing", language=language, msgid=msgid)


_installed = [Catalogues.load([])]


def install(catalogues: Catalogues) -> None:
    """Make these the catalogues of the process."""
    _installed[0] = catalogues


def translate(locale: str, msgid: str, **params: object) -> str:
    """The text in a language, its {named} placeholders filled. Never raises: what is unknown stays as it stands."""
    return fill(_installed[0].find(locale, msgid), params)


def ntranslate(locale: str, singular: str, plural: str, n: int, **params: object) -> str:
    """The form of a text that the language uses for `n` things; {n} is filled too."""
    return fill(_installed[0].find(locale, singular, plural, n), {"n": n, **params})


def fill(text: str, params: Mapping[str, object]) -> str:
    """`text` with each {name} replaced by its parameter. Only plain names: a text cannot reach into an object."""
    if not params:
        return text
    return _PLACEHOLDER.sub(lambda found: str(params.get(found[1], found[0])), text)


def placeholders(text: str) -> frozenset[str]:
    """The names in braces in a text."""
    return frozenset(_PLACEHOLDER.findall(text))


@lru_cache(maxsize=1024)
def language_of(locale: str) -> str:
    """The language of a locale, one of LANGUAGES: `he` for `he-IL`, English for what we do not speak."""
    language = re.split("[-_]", locale.lower(), maxsplit=1)[0]
    language = _OLD_CODES.get(language, language)
    return language if language in LANGUAGES else "en"


def is_rtl(locale: str) -> bool:
    """Whether the locale's language is written from right to left."""
    language = re.split("[-_]", locale.lower(), maxsplit=1)[0]
    return _OLD_CODES.get(language, language) in _RIGHT_TO_LEFT


def negotiate(accept_language: str | None, default: str = "en") -> str:
    """The language of ours an `Accept-Language` header likes best; `default` when it names none or makes no sense."""
    if not accept_language or len(accept_language) > _LONGEST_HEADER:
        return default
    return _negotiate(accept_language, default)


@lru_cache(maxsize=1024)
def _negotiate(header: str, default: str) -> str:
    best, best_quality = default, 0.0
    for part in re.sub(r"[ \t]", "", header).lower().split(","):
        if not part:
            continue
        wanted = _RANGE.fullmatch(part)
        if wanted is None:
            return default
        quality = float(wanted[2]) if wanted[2] else 1.0
        language = default if wanted[1] == "*" else _OLD_CODES.get(wanted[1], wanted[1])
        if language in LANGUAGES and best_quality < quality <= 1:
            best, best_quality = language, quality
    return best


def _read_file(path: Path) -> dict[str, Entry]:
    if not path.is_file():
        return {}
    from babel.messages.pofile import read_po  # heavy, and English never needs it

    with path.open("rb") as file:
        catalogue = read_po(file)
    form_of = c2py(catalogue.plural_expr)
    entries: dict[str, Entry] = {}
    for message in catalogue:
        key, text = message.id, message.string
        forms = tuple(text) if isinstance(text, (list, tuple)) else (text or "",)
        if key and not message.fuzzy and all(forms):
            entries[key[0] if isinstance(key, (list, tuple)) else key] = (forms, form_of)
    return entries
