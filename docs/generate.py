"""`make docs`: write into the pages of this folder what the app itself knows best.

A page keeps a place for it between `<!-- made by make docs: NAME -->` and `<!-- end -->`, and a block of code that
names a file, as ```python examples/notes/events.py, holds that file.
"""

import ast
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import nexuscore
from nexuscore.kernel import metrics
from nexuscore.kernel.app import App
from nexuscore.kernel.errors import NexusError, every_error
from nexuscore.kernel.events import Event
from nexuscore.kernel.http.breaking import breaking, is_same_version
from nexuscore.kernel.http.documents import as_text
from nexuscore.kernel.settings import KernelSettings, Settings, load
from nexuscore.main import app as shipped

HERE = Path(__file__).parent
SOURCE = Path(nexuscore.__file__).parent
FILE = re.compile(r"(?<=^```python )(\w[\w/]*\.py)\n.*?(?=^```$)", re.DOTALL | re.MULTILINE)
PLACE = re.compile(r"(?<=<!-- made by make docs: )(\w+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(
        "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


def first_words(thing: object) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


# --- settings ------------------------------------------------------------------------------------


def settings(app: App) -> str:
    """A table for the kernel and one for every module, in the app's order."""
    classes: list[tuple[str, type[Settings]]] = [("kernel", KernelSettings)]
    classes += [(module.name, cls) for module in app.modules for cls in module.settings if cls is not KernelSettings]
    parts: dict[str, list[Sequence[str]]] = {}
    for name, cls in classes:
        rows = load([cls], environ=_least(cls), env_file=None).rows()
        parts.setdefault(name, []).extend((f"`{r.name}`", r.default and f"`{r.default}`", r.meaning) for r in rows)
    return "\n".join(
        f"## {'The kernel' if name == 'kernel' else f'The {name} module'}'s settings\n\n"
        + table(("name", "default", "meaning"), rows)
        for name, rows in parts.items()
    )


def _least(cls: type[Settings]) -> dict[str, str]:
    """Something for settings that must be set, so that the others can be shown."""
    return {cls.variables(name)[0]: "x" for name, field in cls.model_fields.items() if field.is_required()}


# --- events --------------------------------------------------------------------------------------


def events(app: App) -> str:
    """A table for every module that announces something."""
    return "\n".join(
        f"## {module.name}\n\n"
        + table(("type", "version", "what happened", "fields"), [_event(e) for e in module.events])
        for module in app.modules
        if module.events
    )


def _event(event: type[Event]) -> Sequence[str]:
    schema = event.model_json_schema()
    fields = ", ".join(
        f"`{name}` {_type(field, schema)}" + (" (the subject)" if name == event.subject else "")
        for name, field in schema.get("properties", {}).items()
    )
    return f"`{event.type}`", str(event.version), first_words(event) + ("" if event.public else " *Internal.*"), fields


def _type(field: dict[str, Any], whole: dict[str, Any]) -> str:
    if "$ref" in field:
        return _type(whole["$defs"][field["$ref"].rpartition("/")[2]], whole)
    if "anyOf" in field:
        return " or ".join(_type(each, whole) for each in field["anyOf"])
    if "enum" in field or "const" in field:
        return "one of " + ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}), whole)}"
    return str(field.get("format") or field.get("type") or "anything")


# --- commands ------------------------------------------------------------------------------------


def commands(app: App) -> str:
    """A table for every module that brings commands."""
    get_group: Callable[[Any], Any] = import_module("typer.main").get_group
    return "\n".join(
        f"### `nexus {module.command}`\n\n"
        + table(("command", "does"), list(_commands(module.command, get_group(module.commands))))
        for module in app.modules
        if module.commands is not None
    )


def _commands(path: str, group: Any) -> Iterator[Sequence[str]]:
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from _commands(f"{path} {name}", command)
            continue
        arguments = "".join(f" {each.metavar or each.name.upper()}" for each in command.params if not _flags(each))
        options = [f"`{_flags(each)}`: {each.help}" for each in command.params if _flags(each) and not each.hidden]
        help = " ".join((command.help or "").split())
        yield f"`nexus {path} {name}{arguments}`", " ".join([help, *options])


def _flags(parameter: Any) -> str:
    return next((flag for flag in parameter.opts if flag.startswith("--")), "")


# --- errors --------------------------------------------------------------------------------------


def error_codes() -> dict[str, tuple[type[NexusError], str, str]]:
    """code → its kind, where it is from, and what people read: of classes, and of `code=` where one is raised."""
    known = sorted(every_error(), key=lambda kind: kind.__module__.startswith("nexuscore."))
    kinds = {kind.__name__: kind for kind in known if ".tests." not in kind.__module__}
    found = {kind.code: (kind, kind.__module__, kind.message) for kind in reversed(kinds.values())}
    for path in sorted(SOURCE.rglob("*.py")):
        if "tests" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and (kind := kinds.get(ast.unparse(node.func).rpartition(".")[2])):
                text = next(_texts(node.args[:1]), kind.message)
                place = ".".join(("nexuscore", *path.relative_to(SOURCE).with_suffix("").parts))
                for code in _texts([word.value for word in node.keywords if word.arg == "code"]):
                    found.setdefault(code, (kind, place, text))
    return found


def _texts(nodes: Sequence[ast.expr]) -> Iterator[str]:
    return (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def errors(app: App) -> str:
    """A table for every module with codes of its own; the kernel's are written by hand, with advice."""
    parts: dict[str, list[Sequence[str]]] = {}
    by_hand = set(re.findall(r'<a id="(\w+)">', (HERE / "errors.md").read_text().partition("## In code")[0]))
    places = {str(module.package): module.name for module in app.modules}
    for code, (kind, place, text) in sorted(error_codes().items(), key=lambda each: (each[1][0].status, each[0])):
        name = next((name for package, name in places.items() if place.startswith(f"{package}.")), "kernel")
        if name != "kernel" and code not in by_hand:
            row = (f'<a id="{code}"></a>`{code}`', str(kind.status), first_words(kind), text)
            parts.setdefault(name, []).append(row)
    return "\n".join(
        f"### {name}\n\n" + table(("code", "status", "meaning", "what people read"), parts[name])
        for name in sorted(parts)
    )


# --- metrics -------------------------------------------------------------------------------------


def figures(app: App) -> str:
    """A table of everything `/metrics` shows of ours."""
    return table(
        ("name", "type", "labels", "meaning"),
        [
            (f"`{name}`", kind, ", ".join(f"`{label}`" for label in labels), meaning)
            for name, kind, labels, meaning in metrics.known()
        ],
    )


# --- guides --------------------------------------------------------------------------------------


def guides(app: App) -> str:
    """The pages of this folder that the map does not name by hand: those of the built-in modules."""
    by_hand = PLACE.sub("", (HERE / "index.md").read_text()) + "(index.md)"
    titles = {path.name: path.read_text().partition("\n")[0] for path in sorted(HERE.glob("*.md"))}
    missing = {
        name: title[2:] for name, title in titles.items() if title.startswith("# ") and f"({name})" not in by_hand
    }
    return "\n".join(f"- [{title}]({name})" for name, title in missing.items())


# --- pages ---------------------------------------------------------------------------------------

MADE: dict[str, Callable[[App], str]] = {
    "settings": settings,
    "events": events,
    "commands": commands,
    "errors": errors,
    "metrics": figures,
    "guides": guides,
}


def pages(app: App = shipped) -> dict[Path, str]:
    """The pages that hold something of the app's or of a file's, as they ought to be."""
    made = {}
    for path in sorted(HERE.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if PLACE.search(text) or FILE.search(text):
            text = PLACE.sub(lambda place: _filled(place[1], place[2], app), text)
            made[path] = FILE.sub(lambda file: f"{file[1]}\n{(HERE.parent / file[1]).read_text()}", text)
    return made


def _filled(name: str, rest: str, app: App) -> str:
    made = MADE[name](app).strip()
    return f"{name}{rest}\n{made or 'None.'}\n\n"


# --- the API --------------------------------------------------------------------------------------

API = HERE / "openapi" / "v1.json"
ACCEPTED = HERE / "openapi" / "breaking.txt"


def broken(document: dict[str, Any] | None = None) -> list[str]:
    """What clients of the committed document could not go on with, less what was accepted by hand."""
    document = shipped.openapi if document is None else document
    kept = json.loads(API.read_text(encoding="utf-8"))
    accepted = ACCEPTED.read_text(encoding="utf-8").splitlines() if ACCEPTED.exists() else []
    return [each for each in breaking(kept, document) if is_same_version(kept, document) and each not in accepted]


def write_api() -> None:
    """Write the document of the app as it ships, unless that would break its clients."""
    API.parent.mkdir(exist_ok=True)
    if API.exists() and (found := broken()):
        sys.exit(
            f"{API.name}: this would break clients of the API:\n  " + "\n  ".join(found) + "\n"
            f"Keep what they use, raise the version, or put these lines into {ACCEPTED.relative_to(HERE.parent)}."
        )
    if not API.exists() or API.read_text(encoding="utf-8") != as_text(shipped.openapi):
        API.write_text(as_text(shipped.openapi), encoding="utf-8")
        sys.stdout.write(f"Wrote {API.name}\n")


if __name__ == "__main__":
    write_api()
    for path, text in pages().items():
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"Wrote {path.name}\n")
