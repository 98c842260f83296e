"""The project a command works on: which app it is, loaded, and what runs on it."""

import asyncio
import gc
import os
import signal
import sys
import tomllib
import traceback
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from dotenv import dotenv_values

from nexuscore.kernel import log
from nexuscore.kernel.errors import ConfigurationError

if TYPE_CHECKING:
    from nexuscore.kernel.app import App

T = TypeVar("T")
DEFAULT = "nexuscore.main:app"
HOW = "Name your app with --app, NEXUS_APP, or app in [tool.nexus] of pyproject.toml"


def reference() -> str:
    """Which app is meant, as `module:attribute`."""
    named = os.environ.get("NEXUS_APP") or dotenv_values(".env").get("NEXUS_APP")
    return named or str(settings_of(Path("pyproject.toml")).get("app", DEFAULT))


def settings_of(pyproject: Path) -> dict[str, Any]:
    """`[tool.nexus]` of a project; empty when there is none."""
    try:
        found = tomllib.loads(pyproject.read_text()).get("tool", {}).get("nexus", {})
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{pyproject} cannot be read: {error}.") from error
    return found if isinstance(found, dict) else {}


def load() -> "App":
    """The composed app, imported from where we stand, or one sentence on why it cannot be."""
    named = reference()
    place, _, attribute = named.partition(":")
    if not place or not attribute:
        raise ConfigurationError(f"{named!r} does not name an app: it must look like acme.main:app. {HOW}.")
    with reading():
        module = _import(place)
    found = getattr(module, attribute, None)
    if found is None:
        raise ConfigurationError(f"{place} has no attribute {attribute!r}. {HOW}.")
    if not isinstance(found, import_module("nexuscore.kernel.app").App):
        raise ConfigurationError(f"{named} is a {type(found).__name__}, not an app: make it with compose([...]).")
    log.configure(level="warning", format="text", stream=sys.stderr)  # standard output is for what was asked
    return found  # type: ignore[no-any-return]  # checked in the line above, by a class mypy cannot see


@contextmanager
def reading() -> Iterator[None]:
    """While code is read. All of it stays, so it is not looked through for garbage: that was a fifth of a start."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _import(place: str) -> ModuleType:
    here = os.getcwd()
    for folder in (os.path.join(here, "src"), here):
        if os.path.isdir(folder) and folder not in sys.path:
            sys.path.insert(0, folder)
    try:
        return import_module(place)
    except ConfigurationError as error:
        raise ConfigurationError(f"The app {place} cannot be composed.\n{error}") from error
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and (place == missing or place.startswith(f"{missing}.")):
            raise ConfigurationError(f"There is no module {place!r} in {here}. {HOW}.") from error
        raise ConfigurationError(f"{place} cannot be imported: {_cause(error, here)}.") from error


def _cause(error: Exception, here: str) -> str:
    """What went wrong, and in which line of the project, as far as there is one."""
    if isinstance(error, SyntaxError):
        return f"{error.msg} ({error.filename}, line {error.lineno})"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    own = [frame for frame in frames if frame.filename.startswith(here) and "site-packages" not in frame.filename]
    where = (own or frames)[-1:]
    place = f" ({where[0].filename}, line {where[0].lineno})" if where else ""
    return f"{type(error).__name__}: {error}{place}"


def run(work: Coroutine[Any, Any, T], *, fast: bool = False) -> T:
    """Run it to its end. Ctrl-C and SIGTERM cancel it, so it stops in order; `fast` takes uvloop if it is there."""
    with asyncio.Runner(loop_factory=_uvloop() if fast else None) as runner:
        return runner.run(_cancellable(work))


def _uvloop() -> Any:
    try:
        return import_module("uvloop").new_event_loop
    except ImportError:
        return None


async def _cancellable(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    return await task
