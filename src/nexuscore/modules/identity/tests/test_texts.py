"""What people read: every text in every language, every mail whole."""

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po

from nexuscore.kernel import i18n
from nexuscore.kernel.app import App
from nexuscore.kernel.errors import every_error
from nexuscore.modules.identity import errors
from nexuscore.modules.mail.testing import faults_of_messages

FOLDER = Path(__file__).parents[1]
LANGUAGES = [language for language in i18n.LANGUAGES if language != "en"]
OURS = [error for error in every_error() if error.__module__ == errors.__name__]


def literal(call: ast.Call, place: int) -> str | None:
    node = call.args[place] if len(call.args) > place else None
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def forms(text: Any) -> tuple[str, ...]:
    """A text, or the forms of one that counts."""
    return tuple(text) if isinstance(text, list | tuple) else (text,)


def calls(source: str) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]


def texts() -> set[str]:
    """The texts of errors and faults, and the advice of zxcvbn."""
    from zxcvbn import feedback  # type: ignore[import-untyped]  # it ships no types

    found = {error.message for error in OURS}
    for path in FOLDER.glob("*.py"):
        for call in calls(path.read_text()):
            name = ast.unparse(call.func)
            if name in ("Fault", "ValueError"):
                found.add(literal(call, 2 if name == "Fault" else 0) or "")
    found |= {literal(call, 0) or "" for call in calls(inspect.getsource(feedback)) if ast.unparse(call.func) == "_"}
    return found - {""}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated(composed: App, language: str) -> None:
    i18n.install(i18n.Catalogues.load(module.locale for module in composed.modules if module.locale))
    assert len(texts()) > 40
    assert [text for text in sorted(texts()) if i18n.translate(language, text) == text] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_keep_the_names_in_braces(language: str) -> None:
    with (FOLDER / "locale" / language / "messages.po").open("rb") as file:
        for message in read_po(file):
            ids, strings = forms(message.id), forms(message.string)
            assert all(i18n.placeholders(text) <= i18n.placeholders(ids[-1]) for text in strings), message.id
            assert i18n.placeholders(strings[-1]) == i18n.placeholders(ids[-1]), message.id


def test_every_mail_is_whole_in_every_language(composed: App) -> None:
    i18n.install(i18n.Catalogues.load(module.locale for module in composed.modules if module.locale))
    assert [fault for fault in faults_of_messages(composed) if fault.startswith("identity.")] == []
