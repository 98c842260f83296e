"""What the inbox says to people is said in every language."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from nexuscore.kernel.i18n import LANGUAGES
from nexuscore.kernel.testing import texts_of_pages

FOLDER = Path(__file__).parents[1]
PLACES = {"Fault": 2, "ValueError": 0, "Permission": 1}


def said() -> Iterator[str]:
    """Messages of errors, texts of faults and validators, meanings of permissions."""
    for path in FOLDER.glob("*.py"):
        if path.name in ("settings.py", "testing.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in PLACES:
                given: list[ast.expr] = node.args[PLACES[node.func.id] :][:1]
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "message":
                given = [node.value]
            else:
                continue
            yield from (each.value for each in given if isinstance(each, ast.Constant) and isinstance(each.value, str))


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_every_text_is_translated(language: str) -> None:
    with (FOLDER / "locale" / language / "messages.po").open("rb") as file:
        translated = {str(message.id) for message in read_po(file) if message.id and message.string}
    kernel = {"This field is required."}
    assert set(said()) - kernel == translated - texts_of_pages(FOLDER)
    assert len(translated) > 4
