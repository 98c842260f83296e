"""Every text of every page is translated: those of templates, and those that pages declare or say."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po
from jinja2 import Environment

from examples.main import app
from nexuscore.console.environment import icons
from nexuscore.console.navigation import GROUPS
from nexuscore.kernel.http.page_run import PageRoute
from nexuscore.kernel.i18n import KERNEL_FOLDER, LANGUAGES, placeholders
from nexuscore.kernel.module import Module

ROOMS = [module for module in app.modules if module.folder is not None and module.templates is not None]
SAYING = {"say", "title", "note"}


def shown(module: Module) -> Iterator[str]:
    """The texts of a module's pages."""
    assert module.folder is not None
    assert module.templates is not None
    jinja = Environment(autoescape=True, extensions=["jinja2.ext.i18n"])
    for path in sorted(module.templates.glob("*.html")):
        found_in: Any = jinja.extract_translations  # type: ignore[attr-defined]  # of the extension i18n
        for _, _name, found in found_in(path.read_text(encoding="utf-8"), ("_", "n_")):
            yield from [text for text in ([found] if isinstance(found, str) else found or ()) if text][
                :1
            ]  # a plural's one
    for path in sorted(module.folder.glob("*.py")):
        yield from said(path)


def said(path: Path) -> Iterator[str]:
    """The literal texts pages declare: titles, what a form says when it is done, figures and places."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func).split(".")[-1]
        if called in ("get", "post", "Went", "View"):
            yield from (
                k.value.value
                for k in node.keywords
                if k.arg in SAYING and isinstance(k.value, ast.Constant) and isinstance(k.value.value, str)
            )
        if called == "Nav" and node.args and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value)
        if called == "translate" and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
            yield str(node.args[1].value)


def translations(folder: Path | None, language: str) -> dict[str, str]:
    path = folder / language / "messages.po" if folder is not None else None
    if path is None or not path.is_file():
        return {}
    with path.open("rb") as file:
        found: dict[str, str] = {}
        for message in read_po(file):
            if message.id and not message.fuzzy:
                text = (
                    message.string if isinstance(message.string, str) else message.string[0] if message.string else ""
                )
                found[message.id if isinstance(message.id, str) else message.id[0]] = text
        return found


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != "en"])
@pytest.mark.parametrize("module", ROOMS, ids=lambda module: str(module.name))
def test_every_text_of_a_page_is_translated(module: Module, language: str) -> None:
    console = next(each for each in ROOMS if each.name == "console")
    known = {
        **translations(KERNEL_FOLDER, language),
        **translations(console.locale, language),
        **translations(module.locale, language),
    }
    texts = {text for text in shown(module) if text}
    assert sorted(text for text in texts if not known.get(text)) == []
    assert [text for text in texts if placeholders(text) != placeholders(known[text])] == []


def test_the_search_finds_texts() -> None:
    console = next(each for each in ROOMS if each.name == "console")
    assert {"Skip to the content", "Overview", "What you typed is still here. Please send it again."} <= {
        *shown(console)
    }


def test_every_icon_a_page_names_is_in_the_sprite() -> None:
    navs = [route.page.nav for route in app.routes if isinstance(route, PageRoute)]
    assert {nav.icon for nav in navs if nav is not None} - icons().keys() == set()
    assert len(GROUPS) == len(set(GROUPS))
