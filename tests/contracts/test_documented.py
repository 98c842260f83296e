"""Every setting, event, command and error code of what is built in stands in docs/, as it is."""

import ast
import copy
import re
from importlib import import_module
from pathlib import Path

import pytest
import typer
from pydantic import Field
from typer.main import get_group

from docs import generate
from nexuscore.cli import COMMANDS
from nexuscore.kernel.app import App, compose
from nexuscore.kernel.errors import ConflictError
from nexuscore.kernel.events import Event
from nexuscore.kernel.http.documents import as_text
from nexuscore.kernel.module import Module
from nexuscore.kernel.settings import Settings, load
from nexuscore.main import app

DOCS = Path(generate.__file__).parent


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def commands(path: str, group: object) -> list[str]:
    """The full name of every command below `group`."""
    inner = getattr(group, "commands", {})
    return [f"nexus {path}", *(name for each in inner for name in commands(f"{path} {each}", inner[each]))]


def every_command(app: App) -> list[str]:
    own = {name: get_group(import_module(f"nexuscore.cli.{place}").commands) for name, (place, _) in COMMANDS.items()}
    found = [name for each, group in own.items() for name in commands(each, group.commands[each])]
    groups = {module.command: get_group(module.commands) for module in app.modules if module.commands is not None}
    return found + [name for each, group in groups.items() for name in commands(each, group)]


@pytest.mark.parametrize("path", generate.pages(), ids=lambda path: path.name)
def test_a_page_is_what_make_docs_makes_of_it(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == generate.pages()[path], "run: make docs"


def test_the_committed_document_is_that_of_the_app() -> None:
    same = generate.API.read_text(encoding="utf-8") == as_text(app.openapi)
    assert same, "run: make docs"


def test_what_breaks_clients_is_not_written_over_the_committed_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen red with `write_api` writing first and comparing then."""
    narrower = copy.deepcopy(app.openapi)
    operation = next(iter(narrower["paths"].values())).pop("get", None) or narrower["paths"].popitem()
    monkeypatch.setattr(type(app), "openapi", property(lambda _: narrower))
    kept = generate.API.read_text(encoding="utf-8")
    with pytest.raises(SystemExit, match="is gone"):
        generate.write_api()
    assert operation
    assert generate.API.read_text(encoding="utf-8") == kept


def test_every_setting_is_documented() -> None:
    names = [cls.variables(field)[0] for cls in app.settings.by_class for field in cls.model_fields]
    assert [name for name in names if f"| `{name}` |" not in page("settings.md")] == []


def test_every_event_is_documented() -> None:
    assert [name for name in app.event_types if f"| `{name}` |" not in page("events-catalogue.md")] == []


def test_every_command_is_documented() -> None:
    assert [name for name in every_command(app) if f"`{name}" not in page("commands.md")] == []


def test_every_error_code_is_documented_once() -> None:
    said = page("errors.md")
    packages = tuple(f"{module.package}." for module in app.modules)
    codes = [code for code, (_, place, _) in generate.error_codes().items() if place.startswith(packages)]
    assert {code: said.count(f'<a id="{code}"></a>') for code in codes} == dict.fromkeys(codes, 1)


def test_the_search_for_codes_finds_those_of_classes_and_of_single_places() -> None:
    found = generate.error_codes()
    assert found["ownership_denied"][0].status == 403
    assert found["payload_too_large"][1] == "nexuscore.kernel.errors"


class ShopSettings(Settings, prefix="shop"):
    """What a shop needs to know."""

    currency: str = Field(default="SGD", description="What prices are in.")
    owner: str = Field(description="Whose it is.")


class Sold(Event, type="shop.sold", subject="item"):
    """Something was sold."""

    item: str
    prices: list[int] | None


class SoldOut(ConflictError):
    """Nothing is left."""

    code = "sold_out"
    message = "There is | was nothing left."


def test_a_module_that_is_added_stands_in_every_page() -> None:
    counter = typer.Typer()
    counter.callback()(lambda: None)
    counter.command("count")(_count)
    shop = Module(name="shop", package=__name__, settings=(ShopSettings,), events=(Sold,), commands=counter)
    shop_app = compose(
        [shop], settings=load([*app.settings.by_class, ShopSettings], environ={"NEXUS_SHOP_OWNER": "Ann"})
    )
    made = {path.name: text for path, text in generate.pages(shop_app).items()}
    assert "## The shop module's settings" in made["settings.md"]
    assert "| `NEXUS_SHOP_CURRENCY` | `SGD` | What prices are in. |" in made["settings.md"]
    assert "| `NEXUS_SHOP_OWNER` | `(must be set)` | Whose it is. |" in made["settings.md"]
    fields = "`item` string (the subject), `prices` list of integer or null"
    assert f"| `shop.sold` | 1 | Something was sold. | {fields} |" in made["events-catalogue.md"]
    assert "| `nexus shop count THING` | Count what is left. `--all`: Sold ones too. |" in made["commands.md"]


def _count(
    thing: str,
    everything: bool = typer.Option(False, "--all", help="Sold ones too."),
) -> None:
    """Count what is left."""


def test_codes_of_a_module_stand_in_its_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SoldOut, "__module__", "acme.shop.errors")
    shop = Module(name="shop", package="acme.shop")
    row = '| <a id="sold_out"></a>`sold_out` | 409 | Nothing is left. | There is \\| was nothing left. |'
    assert row in generate.errors(compose([shop], settings=app.settings))


PROPERTIES = re.findall(r"^\| (P\d+) \|.*\| `([\w/.]+)::(\w+)` \|$", page("testing.md"), re.MULTILINE)


def test_the_properties_of_the_api_are_all_there() -> None:
    assert [number for number, _, _ in PROPERTIES] == [f"P{number}" for number in (*range(1, 13), 35, 39)]


@pytest.mark.parametrize(("number", "path", "name"), PROPERTIES)
def test_a_property_is_tried_with_a_hundred_cases(number: str, path: str, name: str) -> None:
    """By the test that is named: one of Hypothesis, whose number of cases, where it is given, is a hundred at least."""
    tree = ast.parse((DOCS.parent / path).read_text(encoding="utf-8"))
    said = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)}  # fmt: skip
    [test] = [node for node in tree.body if getattr(node, "name", None) == name]
    assert isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef)
    decorators = [said.get(each.id, each) if isinstance(each, ast.Name) else each for each in test.decorator_list]
    calls = [each for each in decorators if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)]
    assert "given" in {ast.unparse(each.func) for each in calls}
    given = [word.value for each in calls for word in each.keywords if word.arg == "max_examples"]
    assert all(int(ast.unparse(cases)) >= 100 for cases in given)
