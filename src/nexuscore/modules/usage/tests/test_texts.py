"""What this module says to people is said in every language, and its migrations make what its models say."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from nexuscore.kernel import migrate
from nexuscore.kernel.i18n import LANGUAGES
from nexuscore.kernel.testing import House, texts_of_pages
from nexuscore.modules.usage.module import module

FOLDER = Path(__file__).parents[1]
PLACES = {"Fault": 2, "ValueError": 0, "Permission": 1}


def said() -> Iterator[str]:
    """Messages of errors, texts of faults and validators, meanings of permissions."""
    for path in FOLDER.glob("*.py"):
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
    for_programmers = {text for text in said() if text[0].islower()}
    pages = texts_of_pages(FOLDER)
    assert set(said()) - for_programmers - pages == translated - pages
    assert len(translated) > 4


@pytest.mark.anyio
async def test_the_database_is_what_the_models_say(committed_house: House) -> None:
    house = committed_house
    names = [table.__tablename__ for table in module.tables]
    found = await migrate.differences(house.app, house.owner_dsn)
    assert [line for line in found if any(name in line for name in names)] == []
    assert await migrate.downgrade(house.app, house.owner_dsn, "usage") == ["usage_0003", "usage_0002", "usage_0001"]
    assert await migrate.upgrade(house.app, house.owner_dsn) == ["usage_0001", "usage_0002", "usage_0003"]
