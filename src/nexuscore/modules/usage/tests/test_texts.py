"""What this module says to people is said in every language, and its migrations make what its models say."""

from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from nexuscore.kernel import migrate
from nexuscore.kernel.i18n import LANGUAGES
from nexuscore.kernel.testing import House, texts_of_code, texts_of_pages
from nexuscore.modules.usage.module import module

FOLDER = Path(__file__).parents[1]
PLACES = {"Fault": 2, "ValueError": 0, "Permission": 1}


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_every_text_is_translated(language: str) -> None:
    with (FOLDER / "locale" / language / "messages.po").open("rb") as file:
        translated = {str(message.id) for message in read_po(file) if message.id and message.string}
    said, pages = texts_of_code(FOLDER, PLACES), texts_of_pages(FOLDER)
    for_programmers = {text for text in said if text[0].islower()}
    assert said - for_programmers - pages == translated - pages
    assert len(translated) > 4


@pytest.mark.anyio
async def test_the_database_is_what_the_models_say(committed_house: House) -> None:
    house = committed_house
    names = [table.__tablename__ for table in module.tables]
    found = await migrate.differences(house.app, house.owner_dsn)
    assert [line for line in found if any(name in line for name in names)] == []
    assert await migrate.downgrade(house.app, house.owner_dsn, "usage") == ["usage_0003", "usage_0002", "usage_0001"]
    assert await migrate.upgrade(house.app, house.owner_dsn) == ["usage_0001", "usage_0002", "usage_0003"]
