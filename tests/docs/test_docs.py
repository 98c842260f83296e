"""What the pages show is true: files are as printed, examples parse, commands work, links lead somewhere."""

import ast
import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

from tests.docs.blocks import ROOT, Block, Follower, blocks, free_port

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [block for page in PAGES for block in blocks(page)]
FOLLOWED = sorted({block.page for block in BLOCKS if block.kind in ("run", "serve")})
KINDS = {"", "run", "serve", "said", "stop"}


def name(thing: object) -> str:
    return thing.relative_to(ROOT).as_posix() if isinstance(thing, Path) else str(thing)


def faults(block: Block) -> list[str]:
    """What is wrong with a block of code."""
    if block.file is None:
        known = block.kind in KINDS
        return ([] if known else [f"what is {block.kind!r}?"]) + (
            example_faults(block) if block.language == "python" else []
        )
    path = ROOT / block.file
    if not path.is_file():
        return [f"there is no {block.file}"]
    text = path.read_text(encoding="utf-8")
    is_right = block.text == text if block.kind == block.file else f"\n{block.text}" in f"\n{text}"
    return [] if is_right else [f"is not what stands in {block.file}"]


def example_faults(block: Block) -> list[str]:
    """An example must be Python, and what it imports of ours must exist."""
    try:
        tree = compile(block.text, str(block), "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except SyntaxError as error:
        return [f"is not Python: {error}"]
    return [
        f"{node.module} has no {alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ("nexuscore", "examples")
        for alias in node.names
        if not is_there(node.module, alias.name)
    ]


def is_there(module: str, attribute: str) -> bool:
    found = import_module(module)
    return hasattr(found, attribute) or any(
        each.name == attribute for each in iter_modules(getattr(found, "__path__", ()))
    )


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language or b.kind], ids=name)
def test_code_is_what_it_says(block: Block) -> None:
    assert faults(block) == []


@pytest.mark.parametrize("page", FOLLOWED, ids=name)
def test_whoever_does_what_the_page_says_gets_there(page: Path, tmp_path: Path) -> None:
    Follower(tmp_path, free_port()).follow(page)
    for made in (tmp_path / "examples").rglob("migrations/*.py"):
        assert statements(made) == statements(ROOT / made.relative_to(tmp_path)), "it is not the example's migration"


def statements(path: Path) -> set[str]:
    """What a file says, however it is laid out and whatever order its imports are in."""
    return {ast.dump(node) for node in ast.parse(path.read_text()).body}


def test_the_tutorial_shows_nothing_that_is_not_checked() -> None:
    shown = [block for block in blocks(ROOT / "docs" / "tutorial.md") if not block.kind]
    assert len(shown) == 1, "only how to come by the program is not done again"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    broken = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not leads_somewhere(page, link)]
    assert broken == []


def leads_somewhere(page: Path, link: str) -> bool:
    if re.match(r"\w+:", link):
        return True
    place, _, anchor = link.partition("#")
    target = (page.parent / place).resolve() if place else page
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(page: Path) -> set[str]:
    """The places of a page a link can name: its headings, as GitHub spells them, and those that are named."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    spelled = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return spelled | set(re.findall(r'<a id="([^"]+)">', text))


def test_every_page_is_on_the_map() -> None:
    pages = {page.name for page in (ROOT / "docs").glob("*.md") if page.read_text().startswith("# ")} - {"index.md"}
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", (ROOT / "docs" / "index.md").read_text(encoding="utf-8")))
    assert pages - linked == set(), "run: make docs"


def page_of(folder: Path, text: str) -> Path:
    page = folder / "page.md"
    page.write_text(text)
    return page


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```python examples/notes/nowhere.py\n```", "there is no"),
        ("```python examples/notes/permissions.py\nREAD = 1\n```", "is not what stands in"),
        ("```python part of examples/notes/permissions.py\nREAD = 1\n```", "is not what stands in"),
        ("```python\nfrom nexuscore.kernel.ctx import Context\n```", "has no Context"),
        ("```python\ndef f(:\n```", "is not Python"),
        ("```sh rum\ntrue\n```", "what is 'rum'?"),
    ],
)
def test_a_false_block_is_noticed(tmp_path: Path, text: str, said: str) -> None:
    (block,) = blocks(page_of(tmp_path, text + "\n"))
    assert said in faults(block)[0]


def test_a_step_that_fails_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="was not said"):
        Follower(tmp_path, 1).follow(page_of(tmp_path, "```sh run\necho one\n```\n```text said\ntwo\n```\n"))
    with pytest.raises(AssertionError, match="ended with 1"):
        Follower(tmp_path, 1).follow(page_of(tmp_path, "```sh run\nfalse\n```\n"))
