"""What organisations say to people: every text is translated, and every mail reads well."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from nexuscore.kernel.app import App
from nexuscore.kernel.errors import NexusError
from nexuscore.kernel.i18n import LANGUAGES, placeholders
from nexuscore.kernel.testing import House, texts_of_pages
from nexuscore.modules.mail.testing import faults_of_messages
from nexuscore.modules.orgs import errors

HERE = Path(__file__).parents[1]
TRANSLATED = [language for language in LANGUAGES if language != "en"]
KINDS: dict[str, type[NexusError]] = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, NexusError)
}
PLACES = {"Permission": 1, "Fault": 2, "PydanticCustomError": 1, "Setting": 3, **dict.fromkeys(KINDS, 0)}


def said_in(path: Path) -> Iterator[str]:
    """The texts of a file that reach a person: of errors, faults, permissions, reasons and names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args) if name in PLACES:
                yield from texts(args[PLACES[name] : PLACES[name] + 1])
            case ast.Yield(value=ast.Tuple(elts=[first, _])):
                yield from texts([first])
            case ast.Assign(targets=[ast.Name(id="message" | "_NAMES")], value=ast.Dict(values=[*values])):
                yield from texts(values)
            case ast.Assign(targets=[ast.Name(id="message")], value=value):
                yield from texts([value])


def texts(nodes: list[ast.expr]) -> Iterator[str]:
    return (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def said() -> set[str]:
    return {
        text for path in HERE.glob("*.py") if path.name not in ("commands.py", "testing.py") for text in said_in(path)
    }


def translations(language: str) -> dict[str, str]:
    with (HERE / "locale" / language / "messages.po").open("rb") as file:
        return {str(m.id): str(m.string) for m in read_po(file) if m.id and not m.fuzzy}


def of_mails() -> set[str]:
    found = {text for path in (HERE / "mails").iterdir() for text in re.findall(r'_\("(.+?)"[,)]', path.read_text())}
    return found | set(re.findall(r'subject="(.+?)"', (HERE / "messages.py").read_text()))


def test_the_search_finds_texts() -> None:
    assert "Owner" in said()
    assert "The role {role} holds {permission}." in said()
    assert "This is not a Singapore telephone number." in said()
    assert "Delete the organisation." in said()
    assert errors.LastOwner.message in said()
    assert len(said()) > 55


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated_and_none_is_left_over(language: str) -> None:
    known = {msgid for msgid, text in translations(language).items() if text}
    shared = {"This field is required."}  # the kernel's
    assert sorted((said() | of_mails()) - known - shared) == []
    assert sorted(known - said() - of_mails() - texts_of_pages(HERE)) == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_keep_the_names_in_braces(language: str) -> None:
    for msgid, text in translations(language).items():
        assert placeholders(text) == placeholders(msgid), msgid


@pytest.mark.anyio
async def test_every_mail_reads_well_in_every_language(house: House, composed: App) -> None:
    assert [fault for fault in faults_of_messages(composed) if fault.startswith("orgs.")] == []
