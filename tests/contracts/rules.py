"""The house rules that import-linter cannot say. Each rule reads a tree of source files and lists what breaks it.

A module is a folder with a `module.py`, below `src/nexuscore/modules/` or `examples/`: a new one is covered at once.
"""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FOLDERS = ("src", "examples", "tests", "bench")
LINES = 500
BY_PARAMETER = re.compile(r"ON CONFLICT \([^)]*\)\s+WHERE\b(?:(?!\bDO\b).)*\$\d", re.DOTALL)
WEB = ("fastapi", "starlette")
SILENCED = re.compile(r"#\s*(?:type:\s*ignore|(?:ruff:\s*)?noqa|mypy:.*)(?P<rest>.*)", re.IGNORECASE)
CODES = re.compile(r"^\s*(?:\[[^\]]*\]|:\s*[A-Z]+[0-9]+(?:\s*,\s*[A-Z]+[0-9]+)*)?")


@dataclass(frozen=True)
class Import:
    """One imported name, in full: `from a.b import c` is `a.b.c`."""

    target: str
    line: int
    hidden: bool


@dataclass(frozen=True)
class Source:
    """One Python file and what it imports."""

    path: Path
    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def is_test(self) -> bool:
        return "tests" in self.path.parts or self.path.name in ("conftest.py", "testing.py")

    @cached_property
    def imports(self) -> list[Import]:
        return list(self._imports(self.tree, hidden=False))

    def _imports(self, node: ast.AST, *, hidden: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, child.lineno, hidden) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                origin = self._origin(child)
                yield from (Import(f"{origin}.{alias.name}", child.lineno, hidden) for alias in child.names)
            else:
                inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                yield from self._imports(child, hidden=hidden or inside)

    def _origin(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]
        for _ in range(node.level - 1):
            package = package.rpartition(".")[0]
        return f"{package}.{node.module}" if node.module else package


@dataclass(frozen=True)
class Room:
    """A module's folder. `names` are the dotted paths it can be imported by."""

    folder: Path
    name: str
    names: tuple[str, ...]

    def inside(self, target: str) -> str | None:
        """What of this room an import reaches: "" for its root, None when it is another place."""
        for name in self.names:
            if target == name:
                return ""
            if target.startswith(f"{name}."):
                return target[len(name) + 1 :].partition(".")[0]
        return None

    def holds(self, source: Source) -> bool:
        return self.folder in source.path.parents

    def is_submodule(self, root: Path, part: str) -> bool:
        return (root / self.folder / f"{part}.py").is_file() or (root / self.folder / part).is_dir()


class Tree:
    """The Python files of a repository, read once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sources = [
            self._read(path)
            for folder in FOLDERS
            for path in sorted((root / folder).rglob("*.py"))
            if not any(part.startswith(".") or part == "node_modules" for part in path.relative_to(root).parts)
        ]
        self.rooms = [
            _room(source.path.parent)
            for source in self.sources
            if source.path.name == "module.py"
            and (source.path.parts[:3] == ("src", "nexuscore", "modules") or source.path.parts[0] == "examples")
        ]

    def _read(self, path: Path) -> Source:
        relative = path.relative_to(self.root)
        return Source(relative, _dotted(relative), path.read_text())

    def reached(self, source: Source) -> Iterator[tuple[Import, Room, str]]:
        """The imports of a file that lead into a room other than its own."""
        for item in source.imports:
            for room in self.rooms:
                part = room.inside(item.target)
                if part is not None and not room.holds(source):
                    yield item, room, part


def _dotted(path: Path) -> str:
    parts = list(path.with_suffix("").parts)
    parts = parts[1:] if parts[0] == "src" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _room(folder: Path) -> Room:
    name = _dotted(folder)
    return Room(folder, folder.name, (name, name.removeprefix("examples.")))


def one_manifest_each(tree: Tree) -> list[str]:
    """A `module.py` says `module = Module(name="<folder>", needs=("...",))`, in literals."""
    return [
        f"{room.folder}/module.py: say module = Module(name={room.name!r}, needs=(...)) in literals"
        for room in tree.rooms
        if _needs(tree, room) is None
    ]


def needs_are_real(tree: Tree) -> list[str]:
    """What a module needs is what it imports or points a foreign key at; its tests use no more than that."""
    wrong = []
    needs = {room.name: _needs(tree, room) or set() for room in tree.rooms}
    for room in tree.rooms:
        real = _edges(tree, room)
        wrong += [f"{room.folder}: uses {name}, which needs does not name" for name in sorted(real - needs[room.name])]
        wrong += [f"{room.folder}: needs {name}, but does not use it" for name in sorted(needs[room.name] - real)]
        near = _closure(needs, room.name)
        for source in tree.sources:
            if source.is_test and room.holds(source):
                wrong += [
                    f"{source.path}:{item.line}: tests of {room.name} use {other.name}, which it does not need"
                    for item, other, _ in tree.reached(source)
                    if other.name not in near
                ]
    return wrong


def rooms_form_no_circle(tree: Tree) -> list[str]:
    """Modules need each other in one direction only."""
    needs = {room.name: _edges(tree, room) | (_needs(tree, room) or set()) for room in tree.rooms}
    return [f"{name} needs itself, through {sorted(needs[name])}" for name in needs if name in _closure(needs, name)]


def front_doors_only(tree: Tree) -> list[str]:
    """From outside, a module is its root and its `events`; tests may add `testing`."""
    wrong = []
    for source in tree.sources:
        open_doors = {"events", "testing"} if source.is_test else {"events"}
        for item, room, part in tree.reached(source):
            if part and part not in open_doors | {"module"} and room.is_submodule(tree.root, part):
                wrong.append(f"{source.path}:{item.line}: reaches past the front door of {room.name} into {part}")
    return wrong


def manifests_are_for_main(tree: Tree) -> list[str]:
    """Only a `main.py` imports a `module.py`; tests may, to compose their app."""
    return [
        f"{source.path}:{item.line}: imports the manifest of {room.name}; only main.py does"
        for source in tree.sources
        if source.path.name != "main.py" and not source.is_test
        for item in source.imports
        for room in tree.rooms
        if room.inside(item.target) == "module"
    ]


def kernel_looks_down(tree: Tree) -> list[str]:
    """The kernel knows nothing above it, not even as a type; import-linter leaves imports for types alone."""
    above = tuple(f"nexuscore.{name}." for name in ("modules", "console", "main", "cli"))
    return [
        f"{source.path}:{item.line}: the kernel imports {item.target}, from above"
        for source in tree.sources
        if source.name.startswith("nexuscore.kernel")
        for item in source.imports
        if f"{item.target}.".startswith(above)
    ]


def web_at_the_edge(tree: Tree) -> list[str]:
    """FastAPI and Starlette stay in `routes.py`, `pages.py` and `kernel/http/`."""
    return [
        f"{source.path}:{item.line}: imports {item.target}; FastAPI belongs in routes.py, pages.py or kernel/http/"
        for source in tree.sources
        if source.path.parts[0] in ("src", "examples") and "tests" not in source.path.parts
        if source.path.name not in ("routes.py", "pages.py") and "kernel/http/" not in source.path.as_posix()
        for item in source.imports
        if item.target.split(".")[0] in WEB
    ]


def no_hidden_imports(tree: Tree) -> list[str]:
    """Our own packages are imported at the top of a file, where a reader looks."""
    own = {"nexuscore", "examples", *(name.split(".")[0] for room in tree.rooms for name in room.names)}
    return [
        f"{source.path}:{item.line}: imports {item.target} inside a function"
        for source in tree.sources
        for item in source.imports
        if item.hidden and item.target.split(".")[0] in own
    ]


def files_are_short(tree: Tree) -> list[str]:
    """A file over 500 lines is two files."""
    counts = ((source, source.text.count("\n")) for source in tree.sources)
    return [f"{source.path}: {count} lines, {LINES} at most" for source, count in counts if count > LINES]


def silence_has_a_reason(tree: Tree) -> list[str]:
    """A `type: ignore` or `noqa` says why, behind it."""
    wrong = []
    for source in tree.sources:
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
            found = SILENCED.search(token.string) if token.type == tokenize.COMMENT else None
            if found and len(re.findall(r"[^\W\d_]{2,}", CODES.sub("", found["rest"], count=1))) < 2:
                wrong.append(f"{source.path}:{token.start[0]}: {token.string} needs a reason behind it")
    return wrong


def packages_are_whole(tree: Tree) -> list[str]:
    """Every folder of the package has an `__init__.py`: without one, import-linter does not see it."""
    return sorted(
        {
            f"{source.path.parent}: has no __init__.py"
            for source in tree.sources
            if source.path.parts[0] == "src" and not {"tests", "migrations"} & set(source.path.parts)
            if not (tree.root / source.path.parent / "__init__.py").is_file()
        }
    )


def conflicts_are_literal(tree: Tree) -> list[str]:
    """`ON CONFLICT … WHERE` names a partial index by literals: a generic plan finds none by a parameter."""
    return [
        f"{source.path}:{getattr(node, 'lineno', 0)}: names a partial index by a parameter; write index_where=text(...)"
        for source in tree.sources
        for node in ast.walk(source.tree)
        if not source.is_test and _names_by_parameter(node)
    ]


def _names_by_parameter(node: ast.AST) -> bool:
    if isinstance(node, ast.keyword) and node.arg == "index_where":
        return not (isinstance(node.value, ast.Call) and ast.unparse(node.value.func) in ("text", "sa.text"))
    return isinstance(node, ast.Constant) and BY_PARAMETER.search(str(node.value)) is not None


Rule = Callable[[Tree], list[str]]
RULES: tuple[Rule, ...] = (
    one_manifest_each,
    needs_are_real,
    rooms_form_no_circle,
    front_doors_only,
    manifests_are_for_main,
    kernel_looks_down,
    web_at_the_edge,
    no_hidden_imports,
    files_are_short,
    silence_has_a_reason,
    packages_are_whole,
    conflicts_are_literal,
)


def _needs(tree: Tree, room: Room) -> set[str] | None:
    source = next(source for source in tree.sources if source.path == room.folder / "module.py")
    for node in source.tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and [ast.unparse(target) for target in node.targets] == ["module"]
            and ast.unparse(node.value.func).split(".")[-1] == "Module"
        ):
            said = {word.arg: word.value for word in node.value.keywords}
            try:
                name = ast.literal_eval(said["name"])
                needs = ast.literal_eval(said["needs"]) if "needs" in said else ()
            except (KeyError, ValueError):
                return None
            return set(needs) if name == room.name and isinstance(needs, tuple) else None
    return None


def _edges(tree: Tree, room: Room) -> set[str]:
    owners = {table: owner.name for owner in tree.rooms for table in _strings(tree, owner, "__tablename__")}
    tables = {key.split(".")[0] for key in _strings(tree, room, "ForeignKey")}
    imported = {
        other.name
        for source in tree.sources
        if room.holds(source) and not source.is_test
        for _, other, _ in tree.reached(source)
    }
    return (imported | {owners[table] for table in tables if table in owners}) - {room.name}


def _strings(tree: Tree, room: Room, word: str) -> Iterator[str]:
    """The literals given to `word`, by assignment or as first argument, in a room's own code."""
    for source in tree.sources:
        if not room.holds(source) or source.is_test:
            continue
        for node in ast.walk(source.tree):
            given: ast.expr | None = None
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == word:
                given = node.value
            elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == word and node.args:
                given = node.args[0]
            if isinstance(given, ast.Constant) and isinstance(given.value, str):
                yield given.value


def _closure(needs: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(needs.get(start, ()))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(needs.get(name, ()))
    return found
