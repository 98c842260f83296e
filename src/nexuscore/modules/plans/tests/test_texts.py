"""What this module says to people is said in every language, its mails read well, its migrations make its models."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from nexuscore.kernel import migrate
from nexuscore.kernel.app import App
from nexuscore.kernel.i18n import LANGUAGES, placeholders
from nexuscore.kernel.testing import House, texts_of_pages
from nexuscore.modules.mail.testing import faults_of_messages
from nexuscore.modules.plans.module import module

FOLDER = Path(__file__).parents[1]
PLACES = {"Fault": 2, "ValueError": 0, "Permission": 1, "LimitReached": 0}


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


def of_mails() -> set[str]:
    found = {text for path in (FOLDER / "mails").iterdir() for text in re.findall(r'_\("(.+?)"[,)]', path.read_text())}
    return found | set(re.findall(r'subject="(.+?)"', (FOLDER / "messages.py").read_text()))


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_every_text_is_translated(language: str) -> None:
    with (FOLDER / "locale" / language / "messages.po").open("rb") as file:
        found = [message for message in read_po(file) if isinstance(message.id, str)]  # plurals are of pages
    texts = {str(message.id): str(message.string) for message in found if message.id and message.string}
    pages = texts_of_pages(FOLDER)
    assert (set(said()) | of_mails()) - pages == texts.keys() - pages
    assert len(texts) > 20
    assert [msgid for msgid, text in texts.items() if placeholders(text) != placeholders(msgid)] == []


@pytest.mark.anyio
async def test_every_mail_reads_well_in_every_language(house: House, composed: App) -> None:
    assert [fault for fault in faults_of_messages(composed) if fault.startswith("plans.")] == []


@pytest.mark.anyio
async def test_the_database_is_what_the_models_say(committed_house: House) -> None:
    house = committed_house
    names = [table.__tablename__ for table in module.tables]
    found = await migrate.differences(house.app, house.owner_dsn)
    assert [line for line in found if any(name in line for name in names)] == []
    assert await migrate.downgrade(house.app, house.owner_dsn, "plans") == ["plans_0001"]
    assert await migrate.upgrade(house.app, house.owner_dsn) == ["plans_0001"]
