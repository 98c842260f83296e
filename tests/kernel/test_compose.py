"""Composing: every fault of the manifests is named before anything starts, and order follows need."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import typer

from examples.notes.module import module as notes
from nexuscore.kernel.access import Permission
from nexuscore.kernel.app import compose
from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.module import Module, Slot
from nexuscore.kernel.settings import KernelSettings, Loaded, load
from tests.kernel.chores import module as chores


class Lamp:
    """Something a room asks others for."""


@dataclass(frozen=True)
class Candle(Lamp):
    """One of them."""


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    return load([KernelSettings], environ={"NEXUS_ENV": "test", "NEXUS_DATA": str(tmp_path)}, env_file=None)


def room(name: str, *, needs: tuple[str, ...] = (), **rest: object) -> Module:
    return replace(Module(name=name, package=None, needs=needs), **rest)  # type: ignore[arg-type]  # any field


def test_modules_come_after_what_they_need(loaded: Loaded) -> None:
    app = compose([room("c", needs=("b",)), room("b", needs=("a",)), room("a")], settings=loaded)
    names = [module.name for module in app.modules]
    assert names.index("a") < names.index("b") < names.index("c")
    assert "kernel" in names


@pytest.mark.parametrize(
    ("modules", "sentence"),
    [
        ([room("a"), room("a")], "two modules are called 'a'"),
        ([room("a", needs=("b",))], "module 'a' needs 'b', which is not in the app"),
        ([room("a", needs=("b",)), room("b", needs=("a",))], "modules need each other in a circle"),
        ([chores, replace(chores, name="more")], "event type 'bell.rang' is declared by 'chores' and by 'more'"),
        ([chores, replace(chores, name="more")], "job 'chores.sweep' is declared by"),
        ([chores, replace(chores, name="more")], "schedule 'tests.kernel.chores.chime' is declared by"),
        ([notes, replace(notes, name="more")], "permission 'notes.read' is declared by 'notes' and by 'more'"),
        ([notes, replace(notes, name="more")], "operation 'GET /api/v1/notes' is declared by 'notes' and by 'more'"),
        ([notes, replace(notes, name="more")], "operation id 'list_notes' is declared by 'notes' and by 'more'"),
        (
            [room("a", slots=(Slot(Lamp, single=True),)), room("b", contributes=(Candle(), Candle()))],
            "slot Lamp of 'a' takes one filler and is filled by 'b', 'b'",
        ),
        ([room("jobs", commands=typer.Typer())], "command 'jobs' is declared by 'nexus' and by 'jobs'"),
        ([room("a", slots=(Slot(Lamp, required=True),))], "slot Lamp of 'a' must be filled by a module"),
        ([room("b", contributes=(Candle(),))], "module 'b' contributes a Candle, but nobody asks for one"),
        (
            [room("a", slots=(Slot(Lamp),)), room("b", slots=(Slot(Lamp),))],
            "Lamp' is declared by 'a' and by 'b'",
        ),
    ],
)
def test_a_fault_is_one_clear_sentence(loaded: Loaded, modules: list[Module], sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        compose(modules, settings=loaded)
    assert sentence in str(caught.value)


def test_production_does_not_start_with_the_development_token(tmp_path: Path) -> None:
    environ = {
        "NEXUS_ENV": "production", "NEXUS_DATA": str(tmp_path),
        "NEXUS_SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz",
        "NEXUS_PUBLIC_URL": "https://example.com",
    }  # fmt: skip
    with pytest.raises(ConfigurationError, match="the development token is not for production"):
        compose([], settings=load([KernelSettings], environ=environ, env_file=None))


def test_every_fault_is_named_at_once(loaded: Loaded) -> None:
    with pytest.raises(ConfigurationError) as caught:
        compose([room("a", needs=("x",)), room("b", needs=("y",)), room("b")], settings=loaded)
    assert str(caught.value).count("\n- ") + 1 == 3


def test_fillers_are_found_by_kind(loaded: Loaded) -> None:
    app = compose([room("a", slots=(Slot(Lamp),)), room("b", contributes=(Candle(),))], settings=loaded)
    assert app.fillers(Lamp) == (Candle(),)


def test_each_optional_module_can_be_left_out(loaded: Loaded) -> None:
    for left_out in (notes, chores):
        app = compose([m for m in (notes, chores) if m is not left_out], settings=loaded)
        assert left_out.name not in {module.name for module in app.modules}


def test_permissions_are_known_by_name(loaded: Loaded) -> None:
    app = compose([notes], settings=loaded)
    assert isinstance(app.permissions["notes.write"], Permission)
