"""What breaks a client is found, what does not is let through."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from examples.main import app
from nexuscore.cli import show
from nexuscore.kernel.http.breaking import breaking, is_same_version

Document = dict[str, Any]
Change = Callable[[Document], Any]


def new_note(document: Document) -> Document:
    found: Document = document["components"]["schemas"]["NewNote"]
    return found


def note(document: Document) -> Document:
    found: Document = document["components"]["schemas"]["NoteOut"]
    return found


def create(document: Document) -> Document:
    found: Document = document["paths"]["/api/v1/notes"]["post"]
    return found


def listing(document: Document) -> Document:
    found: Document = document["paths"]["/api/v1/notes"]["get"]
    return found


def parameter(document: Document, name: str) -> Document:
    return next(each for each in listing(document)["parameters"] if each["name"] == name)


def event(document: Document) -> Document:
    found: Document = document["components"]["schemas"]["NoteCreatedData"]
    return found


BREAKING: list[tuple[str, Change]] = [
    ("POST /api/v1/notes: is gone", lambda d: d["paths"]["/api/v1/notes"].pop("post")),
    ("clients are generated", lambda d: create(d).update(operationId="make_note")),
    ("now asks for the permission notes.all", lambda d: create(d).update({"x-permission": "notes.all"})),
    ("no longer takes the query parameter limit", lambda d: listing(d)["parameters"].remove(parameter(d, "limit"))),
    ("maximum is 50 now", lambda d: parameter(d, "limit")["schema"].update(maximum=50)),
    ("now needs the query parameter limit", lambda d: parameter(d, "limit").update(required=True)),
    (
        "now needs the query parameter x",
        lambda d: listing(d)["parameters"].append({"in": "query", "name": "x", "required": True}),
    ),
    ("the body: tags is needed now", lambda d: new_note(d)["required"].append("tags")),
    ("the body: body is refused now", lambda d: new_note(d)["properties"].pop("body")),
    ("maxLength is 10 now", lambda d: new_note(d)["properties"]["title"].update(maxLength=10)),
    ("must match another pattern", lambda d: new_note(d)["properties"]["title"].update(pattern="^a")),
    (
        "the body: body was string and is integer now",
        lambda d: new_note(d)["properties"].update(body={"type": "integer"}),
    ),
    ("only some values are taken", lambda d: new_note(d)["properties"]["title"].update(enum=["a"])),
    ("now needs its body", lambda d: d.update(before=create(d)["requestBody"].update(required=False))),
    ("no longer takes application/json", lambda d: create(d)["requestBody"]["content"].pop("application/json")),
    ("no longer answers 201", lambda d: create(d)["responses"].pop("201")),
    ("the answer: words is gone", lambda d: (note(d)["properties"].pop("words"), note(d)["required"].remove("words"))),
    ("the answer: words may be missing", lambda d: note(d)["required"].remove("words")),
    (
        "title was string and is null now",
        lambda d: note(d)["properties"].update(title={"anyOf": [{"type": "string"}, {"type": "null"}]}),
    ),
    ("the format uuid is no longer kept", lambda d: note(d)["properties"]["id"].pop("format")),
    ("webhook note.created: is gone", lambda d: d["webhooks"].pop("note.created")),
    ("data: title is gone", lambda d: (event(d)["properties"].pop("title"), event(d)["required"].remove("title"))),
    (
        "was for everybody",
        lambda d: next(op for p in d["paths"].values() for op in p.values() if not op["security"]).update(
            security=[{"bearer": []}]
        ),
    ),
]

HARMLESS: list[tuple[str, Change]] = [
    ("a new operation", lambda d: d["paths"].update({"/api/v1/more": {"get": create(d)}})),
    ("an optional parameter", lambda d: listing(d)["parameters"].append({"in": "query", "name": "x"})),
    ("a wider range", lambda d: parameter(d, "limit")["schema"].update(maximum=500)),
    ("an optional field", lambda d: new_note(d)["properties"].update(colour={"type": "string"})),
    ("a field that may be left out", lambda d: new_note(d)["required"].clear()),
    ("a longer text", lambda d: new_note(d)["properties"]["title"].update(maxLength=1000)),
    (
        "a nullable input",
        lambda d: new_note(d)["properties"].update(body={"anyOf": [{"type": "string"}, {"type": "null"}]}),
    ),
    ("a further field in an answer", lambda d: note(d)["properties"].update(colour={"type": "string"})),
    ("a further error", lambda d: create(d)["responses"].update({"409": {"description": "Conflict"}})),
    ("a further webhook", lambda d: d["webhooks"].update({"note.read": d["webhooks"]["note.created"]})),
    ("other words", lambda d: create(d).update(description="Write one.")),
]


@pytest.fixture(scope="module")
def before() -> Document:
    return app.openapi


@pytest.mark.parametrize(("said", "change"), BREAKING, ids=lambda case: case if isinstance(case, str) else "")
def test_what_breaks_a_client_is_named(before: Document, said: str, change: Change) -> None:
    first, second = copy.deepcopy(before), copy.deepcopy(before)
    change(first if said == "now needs its body" else second)
    found = breaking(first, second)
    assert any(said in each for each in found), found


@pytest.mark.parametrize(("what", "change"), HARMLESS, ids=lambda case: case if isinstance(case, str) else "")
def test_what_breaks_nobody_is_let_through(before: Document, what: str, change: Change) -> None:
    after = copy.deepcopy(before)
    change(after)
    assert breaking(before, after) == []


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [("1.2.0", "1.9.3", True), ("1.2.0", "2.0.0", False), ("0.1.0", "0.1.9", True), ("0.1.0", "0.2.0", False)],
)
def test_the_first_number_is_the_promise(old: str, new: str, same: bool) -> None:
    assert is_same_version({"info": {"version": old}}, {"info": {"version": new}}) is same


def test_the_command_compares_with_a_file(before: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexuscore.cli.project.load", lambda: app)
    kept = tmp_path / "v1.json"
    run = CliRunner().invoke
    assert run(show.commands, ["openapi", "--output", str(kept)]).exit_code == 0
    same = run(show.commands, ["openapi", "--check", "--output", str(kept)])
    assert (same.exit_code, same.output) == (0, f"{kept} is the document of this app.\n")
    older = copy.deepcopy(before)
    create(older)["description"] = "Other words."
    kept.write_text(json.dumps(older))
    assert "Write it again" in run(show.commands, ["openapi", "--check", "--output", str(kept)]).output
    create(older)["requestBody"]["required"] = False
    kept.write_text(json.dumps(older))
    broken = run(show.commands, ["openapi", "--check", "--output", str(kept)])
    assert broken.exit_code == 1
    assert "POST /api/v1/notes: now needs its body" in broken.output
    older["info"]["version"] = "0.0.1"
    kept.write_text(json.dumps(older))
    assert run(show.commands, ["openapi", "--check", "--output", str(kept)]).exit_code == 0
