"""The manifest: one page that says everything a module adds to the house."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nexuscore.kernel.access import Permission
from nexuscore.kernel.events import Event, Listener
from nexuscore.kernel.jobs import Outcall, Schedule, Worker
from nexuscore.kernel.limits import Limit
from nexuscore.kernel.settings import Settings
from nexuscore.kernel.tables import Table

if TYPE_CHECKING:
    import typer

    from nexuscore.kernel.app import App
    from nexuscore.kernel.ctx import Ctx
    from nexuscore.kernel.http.pages import Pages
    from nexuscore.kernel.http.routes import Routes


class Greeting(ABC):
    """The slot for what `nexus serve` tells the person who starts it."""

    @abstractmethod
    async def lines(self, app: "App") -> list[str]:
        """Lines to print once the app is ready."""


@dataclass(frozen=True, slots=True)
class Warming:
    """The slot for what a server reads before it serves, so that no request waits for it: into a cache, mostly."""

    name: str
    read: Callable[["Ctx"], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Slot:
    """A question a module asks of others: they fill it with values of `kind`.

    A `single` slot takes one filler at most; with `required`, the app does not start without one.
    """

    kind: type[Any]
    single: bool = False
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """What a module adds. `package` is the dotted name of its folder: write `package=__package__`.

    `limits` names those its verbs ask for themselves; those of operations are known from their routes.
    """

    name: str
    package: str | None
    needs: tuple[str, ...] = ()
    settings: tuple[type[Settings], ...] = ()
    tables: tuple[type[Table], ...] = ()
    routes: tuple["Routes", ...] = ()
    pages: tuple["Pages", ...] = ()
    events: tuple[type[Event], ...] = ()
    listeners: tuple[Listener, ...] = ()
    workers: tuple[Worker | Outcall[Any, Any, Any], ...] = ()
    schedules: tuple[Schedule, ...] = ()
    permissions: tuple[Permission, ...] = ()
    limits: tuple[Limit, ...] = ()
    slots: tuple[Slot, ...] = ()
    contributes: tuple[object, ...] = ()
    commands: "typer.Typer | None" = None
    folder: Path | None = None

    @property
    def command(self) -> str:
        """What `nexus` calls this module's commands: the name they give themselves, or the module's."""
        named = self.commands.info.name if self.commands is not None else None
        return named if isinstance(named, str) else self.name

    @property
    def migrations(self) -> Path | None:
        """The folder of this module's migrations, if it has any."""
        return self._beside("migrations")

    @property
    def locale(self) -> Path | None:
        """The folder of this module's catalogues, if it has any."""
        return self._beside("locale")

    @property
    def templates(self) -> Path | None:
        """The folder of the templates of this module's pages, if it has any."""
        return self._beside("templates")

    @property
    def assets(self) -> Path | None:
        """The folder of the styles and scripts of this module's pages, if it has any."""
        return self._beside("assets")

    def _beside(self, name: str) -> Path | None:
        place = self.folder / name if self.folder is not None else None
        return place if place is not None and place.is_dir() else None


def in_order(modules: Sequence[Module]) -> tuple[list[Module], list[str]]:
    """The modules with what each needs before it, and what is wrong with their names and needs."""
    faults: list[str] = []
    by_name: dict[str, Module] = {}
    for module in modules:
        if module.name in by_name:
            faults.append(f"two modules are called {module.name!r}")
        by_name.setdefault(module.name, module)
    for module in by_name.values():
        faults += [
            f"module {module.name!r} needs {need!r}, which is not in the app"
            for need in module.needs
            if need not in by_name
        ]
    needs = {m.name: [need for need in m.needs if need in by_name] for m in by_name.values()}
    try:
        names = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        faults.append(f"modules need each other in a circle: {' → '.join(error.args[1])}")
        names = list(by_name)
    return [by_name[name] for name in names], faults
