"""The house keeps its rules; and each rule, shown a tree that breaks it, says so."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.contracts import rules
from tests.contracts.rules import RULES, Tree

ROOT = Path(__file__).parents[2]

SOUND = {
    "src/nexuscore/__init__.py": "",
    "src/nexuscore/main.py": "from nexuscore.modules.mail.module import module as mail\n",
    "src/nexuscore/kernel/__init__.py": "",
    "src/nexuscore/kernel/http/__init__.py": "import fastapi\n",
    "src/nexuscore/modules/__init__.py": "",
    "src/nexuscore/modules/mail/__init__.py": "from nexuscore.modules.mail.service import send\n",
    "src/nexuscore/modules/mail/service.py": "def send() -> None: ...\n",
    "src/nexuscore/modules/mail/events.py": "class MailSent: ...\n",
    "src/nexuscore/modules/mail/testing.py": "outbox: list[str] = []\n",
    "src/nexuscore/modules/mail/tables.py": 'class Mail:\n    __tablename__ = "mails"\n',
    "src/nexuscore/modules/mail/module.py": 'module = Module(name="mail", package=__package__)\n',
    "src/nexuscore/modules/identity/__init__.py": "",
    "src/nexuscore/modules/identity/routes.py": "from fastapi import Request\n",
    "src/nexuscore/modules/identity/service.py": "from nexuscore.modules import mail\n",
    "src/nexuscore/modules/identity/tests/test_it.py": "from nexuscore.modules.mail.testing import outbox\n",
    "src/nexuscore/modules/identity/module.py": 'module = Module(name="identity", needs=("mail",))\n',
    "examples/notes/__init__.py": "",
    "examples/notes/tables.py": 'mail_id = mapped_column(ForeignKey("mails.id"))\n',
    "examples/notes/main.py": "from .module import module\n",
    "examples/notes/module.py": 'module = Module(name="notes", needs=("mail",))\n',
    "examples/notes/tests/test_it.py": "from notes.module import module\n",
}
MAIL, IDENTITY = "src/nexuscore/modules/mail", "src/nexuscore/modules/identity"

BROKEN = [
    ("one_manifest_each", f"{MAIL}/module.py", 'module = Module(name="post")', "say module = Module(name='mail'"),
    ("one_manifest_each", f"{MAIL}/module.py", "module = make()", "say module = Module(name='mail'"),
    ("needs_are_real", f"{IDENTITY}/module.py", 'module = Module(name="identity")', "uses mail, which needs does not"),
    ("needs_are_real", f"{IDENTITY}/service.py", "", "needs mail, but does not use it"),
    ("needs_are_real", "examples/notes/tables.py", "", "needs mail, but does not use it"),
    ("needs_are_real", f"{MAIL}/tests/test_it.py", "from nexuscore.modules import identity", "which it does not need"),
    ("rooms_form_no_circle", f"{MAIL}/service.py", "from nexuscore.modules import identity", "mail needs itself"),
    ("front_doors_only", f"{IDENTITY}/service.py", "from nexuscore.modules.mail.service import send", "into service"),
    ("front_doors_only", f"{IDENTITY}/service.py", "from nexuscore.modules.mail import service", "into service"),
    ("front_doors_only", f"{IDENTITY}/service.py", "import nexuscore.modules.mail.service", "into service"),
    ("front_doors_only", f"{IDENTITY}/service.py", "from ..mail import service", "into service"),
    ("front_doors_only", f"{IDENTITY}/service.py", "from nexuscore.modules.mail.testing import outbox", "into testing"),
    ("front_doors_only", "src/nexuscore/main.py", "from notes import tables", "into tables"),
    ("manifests_are_for_main", "src/nexuscore/cli.py", "from nexuscore.modules.mail.module import module", "of mail"),
    ("manifests_are_for_main", f"{MAIL}/service.py", "from nexuscore.modules.mail import module", "manifest of mail"),
    ("kernel_looks_down", "src/nexuscore/kernel/x.py", "if T:\n from nexuscore.modules import mail", "from above"),
    ("kernel_looks_down", "src/nexuscore/kernel/tests/x.py", "import nexuscore.main", "from above"),
    ("web_at_the_edge", f"{MAIL}/service.py", "from fastapi import Depends", "imports fastapi.Depends"),
    ("web_at_the_edge", "src/nexuscore/kernel/ctx.py", "def f():\n import starlette.requests", "imports starlette"),
    ("conflicts_are_literal", f"{MAIL}/x.py", "x(index_where=Mail.kind == 'a')", "by a parameter"),
    ("conflicts_are_literal", f"{MAIL}/x.py", "x = 'ON CONFLICT (a) WHERE b = $1 DO NOTHING'", "by a parameter"),
    ("no_hidden_imports", f"{MAIL}/service.py", "def f():\n import nexuscore.kernel", "inside a function"),
    ("no_hidden_imports", "examples/notes/tables.py", "async def f():\n if f:\n  from . import x", "inside a function"),
    ("files_are_short", "tests/test_long.py", "\n" * 501, "501 lines, 500 at most"),
    ("silence_has_a_reason", "bench/x.py", "x = 1  # type: ignore[assignment]", "needs a reason"),
    ("silence_has_a_reason", "bench/x.py", "x = 1  # noqa: S608, S101", "needs a reason"),
    ("silence_has_a_reason", "bench/x.py", "# ruff: noqa: S608", "needs a reason"),
    ("silence_has_a_reason", "bench/x.py", "# mypy: ignore-errors", "needs a reason"),
    ("packages_are_whole", "src/nexuscore/modules/loose/service.py", "", "modules/loose: has no __init__.py"),
]

LINTED = [
    ("floors", "kernel/ctx.py", "import nexuscore.modules.mail", "nexuscore.kernel is not allowed to import"),
    ("floors", "modules/mail/service.py", "import nexuscore.main", "nexuscore.modules is not allowed to import"),
    ("circles", "modules/mail/service.py", "from nexuscore.modules import identity", "nexuscore.modules"),
    ("circles", "kernel/http/__init__.py", "from nexuscore.kernel import ctx", "nexuscore.kernel"),
]


def plant(root: Path, *changes: tuple[str, str]) -> Tree:
    for path, text in {**SOUND, **dict(changes)}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return Tree(root)


@pytest.fixture(scope="module")
def house() -> Tree:
    return Tree(ROOT)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps(house: Tree, rule: rules.Rule) -> None:
    assert rule(house) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_sound_tree_passes(tmp_path: Path, rule: rules.Rule) -> None:
    assert rule(plant(tmp_path)) == []


@pytest.mark.parametrize(("rule", "path", "text", "said"), BROKEN)
def test_a_broken_tree_is_reported(tmp_path: Path, rule: str, path: str, text: str, said: str) -> None:
    findings = getattr(rules, rule)(plant(tmp_path, (path, text)))
    assert any(said in finding for finding in findings), findings


def test_every_rule_was_seen_to_fail() -> None:
    assert {rule.__name__ for rule in RULES} == {case[0] for case in BROKEN}


def test_a_reason_is_accepted(tmp_path: Path) -> None:
    text = (
        'x = 1  # type: ignore[assignment]  # the stubs are wrong\ny = 2  # noqa: S608 - no input in it\nz = "# noqa"\n'
    )
    assert rules.silence_has_a_reason(plant(tmp_path, ("bench/x.py", text))) == []


def lint(root: Path) -> "subprocess.CompletedProcess[str]":
    """Our import-linter contracts, as they stand in pyproject.toml, on another tree."""
    (root / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(
        command, cwd=root, env={"PYTHONPATH": str(root / "src")}, capture_output=True, text=True, check=False
    )


def test_import_linter_passes_a_sound_tree(tmp_path: Path) -> None:
    plant(tmp_path)
    assert lint(tmp_path).returncode == 0


@pytest.mark.parametrize(("contract", "path", "text", "said"), LINTED)
def test_import_linter_reports(tmp_path: Path, contract: str, path: str, text: str, said: str) -> None:
    ctx = ("src/nexuscore/kernel/ctx.py", "import nexuscore.kernel.http\n")
    plant(tmp_path, ctx, (f"src/nexuscore/{path}", text))
    seen = lint(tmp_path)
    assert seen.returncode == 1
    assert said in seen.stdout


def test_contracts_have_no_exceptions() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert {contract["id"] for contract in linter["contracts"]} == {case[0] for case in LINTED}
    assert not any("ignore" in key or "skip" in key for contract in linter["contracts"] for key in contract)
