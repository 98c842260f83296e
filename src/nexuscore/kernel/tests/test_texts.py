"""What the kernel says to people: every text is translated, every error code documented."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from nexuscore.kernel import alerts, faults
from nexuscore.kernel.errors import NexusError, every_error
from nexuscore.kernel.i18n import KERNEL_FOLDER, LANGUAGES, placeholders

KERNEL = Path(__file__).parents[1]
for module in pkgutil.iter_modules([str(KERNEL)], "nexuscore.kernel."):
    importlib.import_module(module.name)  # so that every error class is known
ERRORS = {error.__name__: error for error in every_error() if error.__module__.startswith("nexuscore.kernel")}
PAGE = (KERNEL.parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
TRANSLATED = [language for language in LANGUAGES if language != "en"]


def calls() -> Iterator[ast.Call]:
    """Every call by a plain name in the kernel's source."""
    for path in KERNEL.rglob("*.py"):
        if "tests" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    yield node


def shown_in_source() -> Iterator[str]:
    """The literal texts of faults and of errors below 500, wherever the kernel raises them."""
    for call in calls():
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        place = 2 if name == "Fault" else 0 if name in ERRORS and ERRORS[name].status != 500 else len(call.args)
        yield from filter(None, map(literal, call.args[place : place + 1]))


def codes() -> dict[str, int]:
    """Every error code of the kernel and its status: those of classes, and those given to one occurrence."""
    found = {error.code: error.status for error in ERRORS.values()}
    for call in calls():
        error = ERRORS.get(call.func.id) if isinstance(call.func, ast.Name) else None
        for keyword in call.keywords:
            if error and keyword.arg == "code" and (code := literal(keyword.value)):
                found[code] = error.status
    return found


def literal(node: ast.expr) -> str | None:
    """The text a node is, when it is one."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def shown() -> set[str]:
    classes: list[type[NexusError]] = list(ERRORS.values())
    return {
        *(error.message for error in classes),
        *(error.title for error in classes),
        *faults.TEXTS.values(),
        faults.NOT_VALID,
        faults.EMAIL,
        *shown_in_source(),
        *(rule.summary for rule in alerts.RULES.values()),
    }


def translations(language: str) -> dict[str, str]:
    with (KERNEL_FOLDER / language / "messages.po").open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file) if message.id and not message.fuzzy}


def test_the_search_finds_texts() -> None:
    assert "This value is not allowed." in set(shown_in_source())
    assert len(shown()) > 80


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated(language: str) -> None:
    missing = shown() - {msgid for msgid, text in translations(language).items() if text}
    assert not missing, f"add to kernel/locale/{language}/messages.po: {sorted(missing)}"


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_keep_the_names_in_braces(language: str) -> None:
    for msgid, text in translations(language).items():
        assert placeholders(text) == placeholders(msgid), msgid


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_translation_is_left_over(language: str) -> None:
    assert not translations(language).keys() - shown()


def test_both_catalogues_speak_their_language() -> None:
    assert all(any("א" <= letter <= "ת" for letter in text) for text in translations("he").values())
    assert sum(any(letter in "ąćęłńóśźż" for letter in text.lower()) for text in translations("pl").values()) > 60


def test_the_search_finds_codes() -> None:
    assert codes()["ownership_denied"] == 403
    assert codes()["internal_error"] == 500


@pytest.mark.parametrize("code", codes())
def test_every_code_is_documented_with_its_status(code: str) -> None:
    row = re.search(rf'^\| <a id="{code}"></a>`{code}` \| (\d+) \| .{{10,}} \| .{{10,}} \|$', PAGE, re.MULTILINE)
    assert row, f"docs/errors.md has no row for {code}"
    assert int(row[1]) == codes()[code]


def test_no_documented_code_is_gone() -> None:
    kernel = PAGE.partition("## Codes\n")[2].partition("\n## ")[0]
    assert set(re.findall(r'<a id="(\w+)">', kernel)) == codes().keys()
