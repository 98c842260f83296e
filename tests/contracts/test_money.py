"""Money is never a float: no float literal, no `float`, no division of integers where money is computed."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "src" / "nexuscore"
ROOMS = ("books", "fees", "invoices", "payments", "plans", "quotes", "usage")
EXACT = ("Decimal", "Fraction")
# Where seconds, and nothing else, are fractions.
SECONDS = {"timedelta", "sleep", "timeout", "wait_for"}


def files() -> Iterator[Path]:
    yield ROOT / "kernel" / "money.py"
    for room in ROOMS:
        for path in sorted((ROOT / "modules" / room).rglob("*.py")):
            if not {"tests", "fake"} & set(path.parts) and not path.name.startswith("testing"):
                yield path


def floats_in(text: str) -> list[str]:
    """Every place where a float comes from, as line and what stands there."""
    tree = ast.parse(text)
    allowed = {id(node) for call in ast.walk(tree) if _is_allowed(call) for node in ast.walk(call)}
    found = [node for node in ast.walk(tree) if id(node) not in allowed and _is_float(node)]
    return [f"{getattr(node, 'lineno', 0)}: {ast.unparse(node)}" for node in found]


def _is_float(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=float()) | ast.Name(id="float"):
            return True
        case ast.BinOp(op=ast.Div(), left=left, right=right):
            return not (_is_exact(left) or _is_exact(right) or _is_path(left, right))
    return False


def _is_exact(node: ast.expr) -> bool:
    """Whether an operand makes the division exact: it is a Decimal or a Fraction, by call or by its name's end."""
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in (*EXACT, "_exact")
        case ast.Name(id=name):
            return name in ("rate", "percentage", "share")
        case ast.BinOp(left=left, right=right):
            return _is_exact(left) or _is_exact(right)
    return False


def _is_path(left: ast.expr, right: ast.expr) -> bool:
    """Whether it is a path: something with a string, or with a name, behind a place."""
    return (
        isinstance(right, ast.JoinedStr)
        or (isinstance(right, ast.Constant) and isinstance(right.value, str))
        or (isinstance(left, ast.Name) and left.id.isupper())
    )


def _is_allowed(node: ast.AST) -> bool:
    """Asking whether something is a float, and how long to wait."""
    match node:
        case ast.AnnAssign(target=ast.Name(id=name)):
            return name.endswith("_s")
        case ast.Call(func=ast.Name(id="isinstance")):
            return True
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in SECONDS
    return False


@pytest.mark.parametrize("path", list(files()), ids=lambda path: str(path.relative_to(ROOT)))
def test_money_is_never_a_float(path: Path) -> None:
    assert floats_in(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text", ["x = 0.5", "def f(x: float) -> None: ...", "x = float(y)", "share = amount / 2", "x = total / count"]
)
def test_the_rule_notices(text: str) -> None:
    assert floats_in(text)
