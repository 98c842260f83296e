"""Every operation of an app, and the fixture its module gives to probe it with.

A module's `testing.py` holds `PROBES`: by the name of an operation, an async function that makes what the
operation needs for whoever `client` signs in, and returns the parameters and the body of a call that succeeds:

    async def _note(house: House, client: Client) -> tuple[dict[str, Any], Any]:
        note = await client.post("/notes", {"title": "Milk"})
        return {"note_id": note.json()["id"]}, None

    PROBES = {"read_note": _note, "delete_note": _note}

An operation that takes no parameters and no body needs none.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from nexuscore.kernel.app import App, compose
from nexuscore.kernel.http.page_run import PageRoute
from nexuscore.kernel.http.routes import Can, Public
from nexuscore.kernel.http.run import CtxRoute
from nexuscore.kernel.module import Module
from nexuscore.kernel.settings import KernelSettings, Settings, load
from nexuscore.kernel.testing import Client, House
from nexuscore.modules.orgs import organisation_permissions

Probe = Callable[[House, Client], Awaitable[tuple[dict[str, Any], Any]]]


async def nothing(house: House, client: Client) -> tuple[dict[str, Any], Any]:
    """What an operation without parameters and body needs."""
    return {}, None


@dataclass(frozen=True, slots=True)
class Operations:
    """The operations of an app by name, and the fixtures of its modules."""

    app: App
    routes: dict[str, CtxRoute]
    probes: dict[str, Probe]

    @property
    def public(self) -> dict[str, str]:
        """Those for everybody, each with its reason."""
        return {name: r.admission.reason for name, r in self.routes.items() if isinstance(r.admission, Public)}

    @property
    def closed(self) -> list[str]:
        """All others."""
        return sorted(self.routes.keys() - self.public.keys())

    def probe(self, name: str) -> Probe | None:
        """The fixture of an operation; None when it needs one and has none."""
        takes = self.routes[name].dependant
        return self.probes.get(name) or (None if takes.path_params or takes.body_params else nothing)

    def missing(self, name: str) -> str | None:
        """What to add where, for an operation that cannot be probed."""
        if self.probe(name) is not None:
            return None
        place = self.routes[name].declared.endpoint.__module__.rpartition(".")[0]
        return (
            f"{name} takes parameters or a body, and nothing makes them: add {name!r} to PROBES in {place}.testing,"
            " as tests/isolation/operations.py shows"
        )

    def maker(self, name: str) -> str | None:
        """For a list of one's own: the operation that adds to it, which is the POST at the same address."""
        here = self.routes[name]
        if isinstance(here, PageRoute):
            return None  # a page lists what the API's own list answers
        if here.declared.method != "GET" or here.dependant.path_params or self.is_platforms(name):
            return None
        made = (other for other, r in self.routes.items() if r.path == here.path and r.declared.method == "POST")
        return next(filter(self.probe, made), None)

    def is_platforms(self, name: str) -> bool:
        """Whether the operation asks for a permission that no role of an organisation can hold."""
        asked = self.routes[name].admission
        return isinstance(asked, Can) and asked.name not in organisation_permissions(self.app)


def operations_of(modules: Sequence[Module]) -> Operations:
    """The operations of the app these modules make."""
    classes: list[type[Settings]] = [KernelSettings, *(cls for module in modules for cls in module.settings)]
    app = compose(modules, settings=load(classes, environ={"NEXUS_ENV": "test"}, env_file=None))
    routes = {str(route.operation_id): route for route in app.routes}
    return Operations(app, routes, {name: probe for module in modules for name, probe in _probes(module).items()})


def _probes(module: Module) -> dict[str, Probe]:
    place = f"{module.package}.testing"
    found = module.package is not None and find_spec(place) is not None
    return getattr(import_module(place), "PROBES", {}) if found else {}
