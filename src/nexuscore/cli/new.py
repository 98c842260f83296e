"""`nexus new`: a module that works at once, in a project that may not exist yet."""

import ast
import builtins
import keyword
import os
import re
import tokenize
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Annotated

import typer

from nexuscore.cli import project
from nexuscore.kernel.errors import ConfigurationError

commands = typer.Typer(rich_markup_mode=None)
new = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
commands.add_typer(new, name="new")

ENDINGS = (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"))


@new.callback()
def something() -> None:
    """Write something new, ready to run."""


@new.command()
def module(
    name: Annotated[str, typer.Argument(help="What it is called, in the plural: parcels, line_items.")],
    folder: Annotated[Path, typer.Option("--in", help="The package to put it in; made when it is not there.")] = Path(),
    one: Annotated[
        str | None, typer.Option(help="What one of them is called. Else guessed: invoice, line_item.")
    ] = None,
) -> None:
    """Write a module with a table, an API, events, a job, a migration and tests, and put it into the app.

    In an empty folder it makes the project too: main.py, conftest.py and pyproject.toml. Nothing is overwritten.
    """
    plan = Plan(name, one or singular(name), folder)
    plan.check()
    plan.write()
    told = plan.join()
    typer.echo(f"Wrote {plan.home}/: start reading at module.py.")
    for line in told:
        typer.echo(line)
    chosen = "" if project.reference() == plan.app else f" --app {plan.app}"
    typer.echo("\nNext:\n")
    typer.echo(f"  python -m pytest {plan.home}")
    typer.echo(f"  nexus serve{chosen}")
    typer.echo(
        '  curl -H "Authorization: Bearer $(cat data/dev_token)" -H "Content-Type: application/json"'
        f' -d \'{{"name": "First"}}\' http://127.0.0.1:8000/api/v1/{name}\n'
    )


def singular(name: str) -> str:
    """What one of `name` is called, as far as endings tell."""
    for ending, rest in ENDINGS:
        if name.endswith(ending) and len(name) > len(ending) + 1:
            return name.removesuffix(ending) + rest
    return name if name.endswith(("ss", "us", "is")) else name.removesuffix("s")


@dataclass(frozen=True)
class Plan:
    """A module about to be written: `name` in the plural, `one` of it, in the package at `folder`."""

    name: str
    one: str
    folder: Path

    @property
    def home(self) -> Path:
        """The module's own folder."""
        return self.folder / self.name

    @property
    def inside(self) -> tuple[str, ...]:
        """The packages around the module, from the outermost; `src` is a place, not a package."""
        parts = Path(os.path.relpath(self.folder)).parts
        return parts[1:] if parts[:1] == ("src",) and not Path("src/__init__.py").exists() else parts

    @property
    def package(self) -> str:
        """The module's dotted name."""
        return ".".join((*self.inside, self.name))

    @property
    def kind(self) -> str:
        """The name of its class: `LineItem`."""
        return "".join(word.capitalize() for word in self.one.split("_"))

    @property
    def main(self) -> Path:
        """The file that composes the app: the one that is named, or the one beside the module."""
        named = project.reference()
        if named == project.DEFAULT:
            return self.folder / "main.py"
        path = Path(*named.partition(":")[0].split(".")).with_suffix(".py")
        return path if path.exists() else "src" / path

    @property
    def app(self) -> str:
        """The app's name, as `--app` wants it."""
        named = project.reference()
        return ".".join((*self.inside, "main")) + ":app" if named == project.DEFAULT else named

    def check(self) -> None:
        """One sentence when it cannot be written, before anything is."""
        for word in (self.name, self.one):
            if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", word) or keyword.iskeyword(word):
                raise ConfigurationError(f"{word!r} is not a name: take small letters, digits and _, as in line_items.")
        if not all(part.isidentifier() for part in self.inside):
            raise ConfigurationError(f"{self.folder} is not a package below this folder: name one with --in, as acme.")
        if self.home.exists():
            raise ConfigurationError(f"{self.home} is there already; nothing was written.")
        if not self.inside and find_spec(self.name):
            raise ConfigurationError(f"Python has a package {self.name!r} already: use --in acme, or another name.")
        if {self.one, self.kind} & (_words() | set(dir(builtins))):
            raise ConfigurationError(f"{self.one!r} means something else in a module: say --one with a longer name.")
        self._check_app()

    def _check_app(self) -> None:
        try:
            app = project.load()
        except ConfigurationError:  # a project that does not stand yet, or not now
            return
        if self.name in {module.name for module in app.modules}:
            raise ConfigurationError(f"The app has a module {self.name!r} already; nothing was written.")
        if self.name in {table.__tablename__ for module in app.modules for table in module.tables}:
            raise ConfigurationError(f"The app has a table {self.name!r} already; take another name.")
        if f"{self.one}.created" in app.event_types:
            raise ConfigurationError(f"The app has an event '{self.one}.created' already; say --one with another name.")

    def write(self) -> None:
        """Write the module's files."""
        for place, text in _templates(_folder() / "module"):
            path = self.home / self.rendered(place)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.rendered(text))
        for depth in range(len(self.inside)):
            package = self.folder
            for _ in range(depth):
                package = package.parent
            (package / "__init__.py").touch()

    def rendered(self, text: str) -> str:
        """A template with this module's names. It is written as a module of widgets, in the package `project`."""
        article = "an" if self.one[0] in "aeiou" else "a"
        text = re.sub(r"\b(A|a) (?=[Ww]idget\b)", lambda found: f"{found[1]}{article[1:]} ", text)
        own = {
            "project.widgets": self.package,
            "Widgets": self.name.replace("_", " ").capitalize(),
            "widgets": self.name,
            "Widget": self.kind,
            "widget": self.one,
        }
        text = re.sub("|".join(map(re.escape, own)), lambda found: own[found[0]], text)
        return re.sub(r"(?<= import )[A-Z]\w+(, [A-Z]\w+)+$", _in_order, text, flags=re.MULTILINE)

    def join(self) -> list[str]:
        """Put the module into the app, making what a project lacks; what was done, and what is left to do."""
        told = []
        if not self.main.exists() and project.reference() == project.DEFAULT:
            self.main.write_text((_folder() / "main.py.tmpl").read_text())
            told += [f"Wrote {self.main}, which composes the app.", *self._make_project()]
        source = self.main.read_text() if self.main.exists() else ""
        extended = with_module(source, self.package, self.name)
        if extended is None:
            told.append(
                f"{self.main} has no compose([...]) that can be extended safely. Add this to it, by hand:\n"
                f"    from {self.package}.module import module as {self.name}\n"
                f"and {self.name} to the list of its modules."
            )
        else:
            self.main.write_text(extended)
            told.append(f"Added {self.name} to {self.main}.")
        return told + _name_the_plugin()

    def _make_project(self) -> list[str]:
        told = []
        pyproject = Path("pyproject.toml")
        before = pyproject.read_text() if pyproject.exists() else ""
        if not project.settings_of(pyproject):
            places = '".", "src"' if self.inside != Path(os.path.relpath(self.folder)).parts else '"."'
            tests = "" if before else f"\n[tool.pytest.ini_options]\npythonpath = [{places}]\n"
            pyproject.write_text(f'{before}{chr(10) if before else ""}[tool.nexus]\napp = "{self.app}"\n{tests}')
            told.append("Named it in pyproject.toml, so that `nexus` finds it.")
        ignored = Path(".gitignore")
        if not ignored.exists():
            ignored.write_text("/data/\n.env\n__pycache__/\n")
        return told


def _in_order(found: re.Match[str]) -> str:
    return ", ".join(sorted(found[0].split(", ")))


def with_module(source: str, package: str, name: str) -> str | None:
    """A main.py that composes one module more; None when it has not exactly one `compose([...])` to extend."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    lists = [
        node.args[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "compose" and node.args
    ]
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    bound |= {alias.asname or alias.name for node in imports for alias in node.names}
    if len(lists) != 1 or not isinstance(lists[0], ast.List) or not imports or name in bound:
        return None
    lines = source.encode().splitlines(keepends=True)
    _append(lines, lists[0], name.encode())
    last = imports[-1]
    apart = isinstance(last, ast.ImportFrom) and str(last.module).startswith("nexuscore")
    added = f"{chr(10) if apart else ''}from {package}.module import module as {name}\n"
    lines.insert(last.end_lineno or last.lineno, added.encode())
    text = b"".join(lines).decode()
    ast.parse(text)
    return text


def _append(lines: list[bytes], items: ast.List, name: bytes) -> None:
    """One item more at the end of a list, on a line of its own if the others are."""
    if not items.elts:
        row, column = items.lineno - 1, items.col_offset + 1
        lines[row] = lines[row][:column] + name + lines[row][column:]
        return
    last = items.elts[-1]
    row, column = (last.end_lineno or last.lineno) - 1, last.end_col_offset or 0
    apart = last.lineno != items.lineno
    gap = b",\n" + b" " * last.col_offset if apart else b", "
    lines[row] = lines[row][:column] + gap + name + lines[row][column:]


def _name_the_plugin() -> list[str]:
    conftest = Path("conftest.py")
    named = 'pytest_plugins = ["nexuscore.kernel.testing"]'
    before = conftest.read_text() if conftest.exists() else ""
    if "nexuscore.kernel.testing" in before:
        return []
    if "pytest_plugins" in before:
        return ["Add nexuscore.kernel.testing to pytest_plugins in conftest.py, which the tests need."]
    start = before.rstrip() + "\n\n" if before else '"""What every test shares."""\n\n'
    conftest.write_text(f"{start}{named}\n")
    return ["Named nexuscore.kernel.testing in conftest.py, which the tests need."]


def _folder() -> Traversable:
    return files("nexuscore") / "templates"


def _templates(folder: Traversable, place: str = "") -> list[tuple[str, str]]:
    """(path, text) of every template below a folder, by its path there."""
    found = []
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if each.is_dir():
            found += _templates(each, f"{place}{each.name}/")
        elif each.name.endswith(".tmpl"):
            found.append((place + each.name.removesuffix(".tmpl"), each.read_text()))
    return found


def _words() -> set[str]:
    """Every name the templates use, which a module's own must not be."""
    texts = [text for _, text in _templates(_folder() / "module")]
    tokens = [token for text in texts for token in tokenize.generate_tokens(StringIO(text).readline)]
    return {token.string for token in tokens if token.type == tokenize.NAME} - {"project", "widget", "Widget"}
