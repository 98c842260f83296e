"""What invoices and books say to people: every text is translated, and every mail reads well."""

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
from nexuscore.modules.invoices import errors
from nexuscore.modules.mail.testing import faults_of_messages

HERE = Path(__file__).parents[1]
TRANSLATED = [language for language in LANGUAGES if language != "en"]
ERRORS = [name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, NexusError)]
PLACES = {"Permission": 1, "Fault": 2, "PydanticCustomError": 1, "words": 0, **dict.fromkeys(ERRORS, 0)}


def said_in(path: Path) -> Iterator[str]:
    """The texts of a file that reach a person."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args) if name in PLACES:
                yield from texts(args[PLACES[name] : PLACES[name] + 1])
            case ast.Assign(targets=[ast.Name(id="message" | "title")], value=value):
                yield from texts([value, *([value.body, value.orelse] if isinstance(value, ast.IfExp) else [])])


def texts(nodes: list[ast.expr]) -> Iterator[str]:
    return (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def said() -> set[str]:
    files = [path for path in (*HERE.glob("*.py"), *HERE.glob("papers/*.py")) if path.name != "testing.py"]
    return {text for path in files for text in said_in(path)} | {"Credit Note"}


def of_mails() -> set[str]:
    found = {text for path in (HERE / "mails").iterdir() for text in re.findall(r'_\("(.+?)"[,)]', path.read_text())}
    return found | set(re.findall(r'subject="(.+?)"', (HERE / "messages.py").read_text()))


def translations(language: str) -> dict[str, str]:
    with (HERE / "locale" / language / "messages.po").open("rb") as file:
        return {str(m.id): str(m.string) for m in read_po(file) if m.id and not m.fuzzy}


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated_and_none_is_left_over(language: str) -> None:
    assert len(said()) > 50
    known = {msgid for msgid, text in translations(language).items() if text}
    assert sorted((said() | of_mails()) - known) == []
    assert sorted(known - said() - of_mails() - texts_of_pages(HERE)) == []
    for msgid, text in translations(language).items():
        assert placeholders(text) == placeholders(msgid), msgid


@pytest.mark.anyio
async def test_every_mail_reads_well_in_every_language(house: House, composed: App) -> None:
    assert [fault for fault in faults_of_messages(composed) if fault.startswith("invoices.")] == []
