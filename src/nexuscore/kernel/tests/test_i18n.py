"""Languages: which one, its texts, its plurals, and English where a translation is missing."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from nexuscore.kernel import i18n, log
from nexuscore.kernel.i18n import Catalogues, is_rtl, negotiate, ntranslate, translate

POLISH = r"""
msgid ""
msgstr ""
"Language: pl\n"
"Content-Type: text/plain; charset=utf-8\n"
"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || n%100>14) ? 1 : 2);\n"

msgid "Hello {name}, {greeting}"
msgstr "{greeting} {name}"

msgid "{n} note"
msgid_plural "{n} notes"
msgstr[0] "{n} notatka"
msgstr[1] "{n} notatki"
msgstr[2] "{n} notatek"

#, fuzzy
msgid "A guess"
msgstr "Zgadywanka"

msgid "Nothing yet"
msgstr ""

msgid "Please sign in to continue."
msgstr "Zaloguj się, proszę."
"""


@pytest.fixture
def lines() -> Iterator[io.BytesIO]:
    """What is logged meanwhile."""
    stream = io.BytesIO()
    log.configure(level="info", format="json", stream=stream)
    yield stream
    log.configure(level="info", format="text")


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Catalogues]:
    """The kernel's catalogues and those of one more module, installed."""
    (tmp_path / "pl").mkdir()
    (tmp_path / "pl" / "messages.po").write_text(POLISH, encoding="utf-8")
    catalogues = Catalogues.load([tmp_path])
    i18n.install(catalogues)
    yield catalogues
    i18n.install(Catalogues.load([]))


@pytest.mark.usefixtures("notes")
def test_a_text_is_translated_and_filled() -> None:
    assert translate("pl", "Hello {name}, {greeting}", name="alice", greeting="Cześć") == "Cześć alice"
    assert translate("en", "Hello {name}, {greeting}", name="alice", greeting="hi") == "Hello alice, hi"


@pytest.mark.usefixtures("notes")
@pytest.mark.parametrize(
    ("n", "polish", "english"),
    [
        (1, "1 notatka", "1 note"),
        (3, "3 notatki", "3 notes"),
        (5, "5 notatek", "5 notes"),
        (22, "22 notatki", "22 notes"),
        (0, "0 notatek", "0 notes"),
    ],
)
def test_plurals_follow_the_language(n: int, polish: str, english: str) -> None:
    assert ntranslate("pl", "{n} note", "{n} notes", n) == polish
    assert ntranslate("en", "{n} note", "{n} notes", n) == english
    assert ntranslate("he", "{n} note", "{n} notes", n) == english, "no Hebrew here: English plurals"


@pytest.mark.usefixtures("notes")
def test_the_later_folder_wins() -> None:
    assert translate("pl", "Please sign in to continue.") == "Zaloguj się, proszę."
    assert translate("pl", "Not found") == "Nie znaleziono", "the kernel's own texts are always there"


@pytest.mark.usefixtures("notes")
def test_a_lack_falls_back_to_english_and_is_logged_once(lines: io.BytesIO) -> None:
    for msgid in ("No such text", "No such text", "A guess", "Nothing yet"):
        assert translate("pl", msgid) == msgid
    translate("he", "No such text")
    translate("en", "No such text")
    logged = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [(line["event"], line["language"], line["msgid"]) for line in logged] == [
        ("translation_missing", "pl", "No such text"),
        ("translation_missing", "pl", "A guess"),
        ("translation_missing", "pl", "Nothing yet"),
        ("translation_missing", "he", "No such text"),
    ]


def test_a_catalogue_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "pl").mkdir()
    file = tmp_path / "pl" / "messages.po"
    file.write_text(POLISH, encoding="utf-8")
    catalogues = Catalogues.load([tmp_path])
    assert catalogues.find("pl", "{n} note", "{n} notes", 1) == "{n} notatka"
    file.unlink()
    assert catalogues.find("pl", "{n} note", "{n} notes", 5) == "{n} notatek"


def test_a_wrong_placeholder_stays_as_it_stands() -> None:
    assert translate("en", "Hi {name} {", other=1) == "Hi {name} {"
    assert translate("en", "{name.__class__} {name!r} {0}", name="x") == "{name.__class__} {name!r} {0}"


@given(st.text(), st.dictionaries(st.text(alphabet="abc_", min_size=1), st.integers()))
def test_filling_never_raises(text: str, params: dict[str, int]) -> None:
    assert isinstance(i18n.fill(text, params), str)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("pl", "pl"),
        ("he-IL", "he"),
        ("iw", "he"),
        ("fr, pl;q=0.8, he;q=0.9", "he"),
        ("en;q=0.1, pl;q=0.2", "pl"),
        ("pl;q=0, en", "en"),
        ("fr-CH, fr;q=0.9", "en"),
        ("*", "en"),
        ("PL-pl , en ; q=0.5", "pl"),
        ("pl;q=high", "en"),
        ("pl;;", "en"),
        ("pl;q=1.5", "en"),
        ("x" * 5000, "en"),
        ("pl\r\nSet-Cookie: a=b", "en"),
    ],
)
def test_the_best_language_of_ours_is_chosen(header: str | None, language: str) -> None:
    assert negotiate(header) == language


def test_the_default_is_for_who_asks_for_nothing_we_speak() -> None:
    assert negotiate("fr", default="pl") == "pl"
    assert negotiate("*;q=0.5", default="pl") == "pl"
    assert negotiate("he, *;q=0.5", default="pl") == "he"


@given(st.text(max_size=100))
def test_any_header_gives_a_language_of_ours(header: str) -> None:
    assert negotiate(header) in i18n.LANGUAGES


def test_hebrew_is_written_from_right_to_left() -> None:
    assert [is_rtl(locale) for locale in ("he", "he-IL", "iw", "ar_EG", "en", "pl-PL")] == [True] * 4 + [False] * 2
