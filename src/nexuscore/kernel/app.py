"""The composed application: what every module added, and the process's own parts.

`compose` is pure: it reads manifests and settings, checks them together, and opens nothing.
"""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from nexuscore.kernel import clock, connections, health, i18n, metrics, siblings, tracing
from nexuscore.kernel.access import SYSTEM, Actor, Permission
from nexuscore.kernel.base import kernel
from nexuscore.kernel.cache import Cache
from nexuscore.kernel.crypto import Keyring, load_or_create_secret
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.database import Database
from nexuscore.kernel.db import Scope
from nexuscore.kernel.errors import ConfigurationError
from nexuscore.kernel.events import Event, Listener
from nexuscore.kernel.http.asgi import build
from nexuscore.kernel.http.auth import Authenticator, DevelopmentToken
from nexuscore.kernel.http.routes import Operation
from nexuscore.kernel.http.run import CtxRoute
from nexuscore.kernel.http.versions import Version, Versions, serves
from nexuscore.kernel.jobs import Outcall, Schedule, Worker
from nexuscore.kernel.limits import HOUSE, Limit, Limits
from nexuscore.kernel.module import Module, in_order
from nexuscore.kernel.redis import Redis
from nexuscore.kernel.settings import KernelSettings, Loaded, Settings, load
from nexuscore.kernel.tracing import Tracing
from nexuscore.kernel.watch import Watch

S = TypeVar("S")
OUR_COMMANDS = (
    *("serve", "worker", "migrate", "new", "routes", "events", "settings", "openapi", "jobs"),
    *("doctor", "seed", "shell"),
)


class App:
    """A composed app. As an ASGI application it serves; `context` runs a verb outside a request."""

    def __init__(self, modules: Sequence[Module], settings: Loaded, versions: Versions | None = None) -> None:
        self.versions = versions or Versions()
        self.modules = tuple(modules)
        self.settings = settings
        self.kernel = settings[KernelSettings]
        self.permissions: dict[str, Permission] = {p.name: p for module in modules for p in module.permissions}
        self.event_types: dict[str, type[Event]] = {event.type: event for module in modules for event in module.events}
        self.listeners: tuple[Listener, ...] = tuple(listener for module in modules for listener in module.listeners)
        self.workers: dict[str, Worker | Outcall[Any, Any, Any]] = {
            worker.job.name: worker for module in modules for worker in module.workers
        }
        self.schedules: dict[str, Schedule] = {
            schedule.name: schedule for module in modules for schedule in module.schedules
        }
        self._heard_by: dict[type[Event] | None, tuple[Listener, ...]] = {}
        self._database: Database | None = None
        self._keyring: Keyring | None = None
        self.redis = _redis(self.kernel)
        self.limits = Limits((limit for limit, _ in _limits(self.modules)), changes(self.kernel), self.redis)
        self.cache = Cache()
        self._open = AsyncExitStack()
        self.watch = Watch(self)
        self.tracing: Tracing | None = None
        filled = self.fillers(Authenticator)  # type: ignore[type-abstract]  # asked for, not made
        self.authenticator: Authenticator = filled[0] if filled else DevelopmentToken()
        if filled and self.kernel.env != "production":
            self.authenticator = DevelopmentToken(behind=filled[0])
        self.draining = asyncio.Event()  # not ready any more, though requests are still answered
        self.stopping = asyncio.Event()
        self._asgi = build(self)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        await self._asgi(scope, receive, send)

    @property
    def routes(self) -> list[CtxRoute]:
        """Every operation, as it is served."""
        return self._asgi.routes

    @property
    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document of every operation of the newest version."""
        return self.openapi_of(self.versions.current())

    def openapi_of(self, version: Version) -> dict[str, Any]:
        """The OpenAPI document of one version."""
        return self._asgi.openapi(version)

    def openapi_written(self, version: Version) -> tuple[bytes, str]:
        """That document as it is sent, and its tag."""
        return self._asgi.written(version)

    @property
    def database(self) -> Database:
        """The open database; only after `start`."""
        if self._database is None:
            raise RuntimeError("the app is not started")
        return self._database

    @property
    def keyring(self) -> Keyring:
        """The keys everything sealed or signed goes through."""
        if self._keyring is None:
            current = self.kernel.secret_key
            self._keyring = Keyring.from_secrets(
                current.get_secret_value() if current else load_or_create_secret(self.kernel.data),
                [key.get_secret_value() for key in self.kernel.secret_keys_previous],
            )
        return self._keyring

    def listeners_of(self, event: type[Event] | None) -> tuple[Listener, ...]:
        """Who is told of `event`: those who asked for its type, and those who asked for all."""
        found = self._heard_by.get(event)
        if found is None:
            found = tuple(
                each
                for each in self.listeners
                if each.event is Event or (event is not None and issubclass(event, each.event))
            )
            self._heard_by[event] = found
        return found

    def fillers(self, kind: type[S]) -> tuple[S, ...]:
        """What modules contributed to the slot of `kind`, in their order."""
        return tuple(each for module in self.modules for each in module.contributes if isinstance(each, kind))

    @asynccontextmanager
    async def context(
        self,
        *,
        org: UUID | None = None,
        actor: Actor = SYSTEM,
        locale: str = "en",
        request_id: str = "",
        across: bool = False,
    ) -> AsyncIterator[Ctx]:
        """A context in a transaction of its own, for jobs, commands and tests."""
        async with self.database.transaction(Scope(org, across)) as db:
            ctx = Ctx(self, db, org, actor, clock.now(), locale, request_id)
            yield ctx
            await ctx.flush()

    async def start(self, dsn: str | None = None, database: Database | None = None) -> None:
        """Open what the process needs to answer: `dsn`, or the database the settings name."""
        i18n.install(i18n.Catalogues.load(module.locale for module in self.modules if module.locale))
        settings = self.kernel
        self._database = database or Database(dsn or database_url(settings), connections.terms(settings))
        self._database.keyring = lambda: self.keyring
        await self._database.start()
        if self.redis is not None:
            await self.redis.start()
        await self.cache.start(self.redis)
        metrics.watch_pool(lambda: health.pool_sizes(self))
        await self._open.enter_async_context(siblings.joined(self))
        self.tracing = tracing.start(settings)
        self.watch.start()

    def on_stop(self, close: Callable[[], Awaitable[None]]) -> None:
        """Have something closed when the app stops: a client with open connections, by whoever opens it."""
        self._open.push_async_callback(close)

    async def stop(self) -> None:
        """Close it again."""
        await self.watch.stop()
        if self.tracing is not None:
            await asyncio.to_thread(self.tracing.stop)
            self.tracing = None
        await self._open.aclose()
        await self.cache.stop()
        if self.redis is not None:
            await self.redis.stop()
        if self._database is not None:
            await self._database.stop()
            self._database = None


def _redis(settings: KernelSettings) -> Redis | None:
    """The Redis the settings name, if they do."""
    if settings.redis_url is None:
        return None
    return Redis(
        settings.redis_url,
        prefix=settings.redis_prefix,
        timeout=settings.redis_timeout_ms / 1000,
        retry=settings.redis_retry_s,
    )


def changes(settings: KernelSettings) -> dict[str, str]:
    """What the settings make of limits: name → rate or "off"; "*" is all others."""
    given = (each.partition("=") for each in settings.limits)
    return {(name if equals else "*"): (rate if equals else "off") for name, equals, rate in given}


def database_url(settings: KernelSettings) -> str:
    """The database the settings name; without one, `nexus serve` has to start its own."""
    if settings.database_url is None:
        raise ConfigurationError("DATABASE_URL is not set. Run `nexus serve`, which starts a database of its own.")
    return settings.database_url.get_secret_value()


def compose(modules: Iterable[Module], *, settings: Loaded | None = None, versions: Sequence[Version] = ()) -> App:
    """The app these modules make, or one `ConfigurationError` that names every fault."""
    of_api = Versions(versions)
    placed = [_placed(module) for module in (kernel, *modules)]
    ordered, faults = in_order(placed)
    faults += _duplicates(ordered, of_api)
    faults += of_api.faults()
    faults += _slot_faults(ordered)
    _refuse(faults)
    classes: list[type[Settings]] = [KernelSettings, *(cls for module in ordered for cls in module.settings)]
    loaded = settings or load(classes)
    _refuse(_limit_faults(ordered, changes(loaded[KernelSettings])))
    if loaded[KernelSettings].env == "production" and not _fills(ordered, Authenticator):
        _refuse(["no module says who is asking, and the development token is not for production: add one"])
    return App(ordered, loaded, of_api)


def _refuse(faults: list[str]) -> None:
    if faults:
        raise ConfigurationError("\n".join(f"- {fault}" for fault in faults))


def _fills(modules: Sequence[Module], kind: type[Any]) -> bool:
    return any(isinstance(each, kind) for module in modules for each in module.contributes)


def _placed(module: Module) -> Module:
    if module.folder is not None or not module.package:
        return module
    file = getattr(sys.modules.get(module.package), "__file__", None)
    return module if file is None else replace(module, folder=Path(file).parent)


def _duplicates(modules: Sequence[Module], versions: Versions) -> list[str]:
    faults = []
    operations = [
        (operation, version, module.name)
        for module in modules
        for group in (*module.routes, *module.pages)
        for operation in group.operations
        for version in ((None,) if operation.outside_api else versions.all)
        if version is None or serves(operation, version.number)
    ]
    for what, names in (
        ("event type", [(e.type, m.name) for m in modules for e in m.events]),
        ("job", [(w.job.name, m.name) for m in modules for w in m.workers]),
        ("schedule", [(s.name, m.name) for m in modules for s in m.schedules]),
        ("listener", [(each.name, m.name) for m in modules for each in m.listeners]),
        ("permission", [(p.name, m.name) for m in modules for p in m.permissions]),
        ("operation", [(_address(operation, version), name) for operation, version, name in operations]),
        (
            "operation id",
            [(_operation_id(operation, version, versions), name) for operation, version, name in operations],
        ),
        (
            "command",
            [*((name, "nexus") for name in OUR_COMMANDS), *((m.command, m.name) for m in modules if m.commands)],
        ),
        ("slot", [(f"{s.kind.__module__}.{s.kind.__qualname__}", m.name) for m in modules for s in m.slots]),
    ):
        owners: dict[str, str] = {}
        for name, module in names:
            if name in owners:
                faults.append(f"{what} {name!r} is declared by {owners[name]!r} and by {module!r}")
            owners.setdefault(name, module)
    return faults


def _limits(modules: Sequence[Module]) -> list[tuple[Limit, str]]:
    """Every limit there is, with who declares it."""
    of_operations = [
        (limit, module.name)
        for module in modules
        for group in module.routes
        for operation in group.operations
        for limit in operation.limits
    ]
    of_modules = [(limit, module.name) for module in modules for limit in module.limits]
    return [*((limit, "the house") for limit in HOUSE), *of_modules, *of_operations]


def _limit_faults(modules: Sequence[Module], changed: Mapping[str, str]) -> list[str]:
    faults = []
    known: dict[str, tuple[Limit, str]] = {}
    for limit, owner in _limits(modules):
        first, first_owner = known.setdefault(limit.name, (limit, owner))
        if first != limit:
            faults.append(f"limit {limit.name!r} is declared by {first_owner!r} and, otherwise, by {owner!r}")
    unknown = sorted(changed.keys() - known.keys() - {"*"})
    names = ", ".join(sorted(known))
    return faults + [f"NEXUS_LIMITS names {name!r}, which nobody declares; there are {names}" for name in unknown]


def _address(operation: Operation, version: Version | None) -> str:
    path = re.sub(r"{[^}]*}", "{}", operation.path)
    return f"{operation.method} {'' if version is None else version.path}{path}"


def _operation_id(operation: Operation, version: Version | None, versions: Versions) -> str:
    of = "" if version is None or len(versions.all) == 1 else f" of {version.name}"
    return f"{operation.endpoint.__name__}{of}"


def _slot_faults(modules: Sequence[Module]) -> list[str]:
    faults = []
    slots = [(slot, module.name) for module in modules for slot in module.slots]
    fills = [(each, module.name) for module in modules for each in module.contributes]
    for slot, owner in slots:
        fillers = [name for each, name in fills if isinstance(each, slot.kind)]
        if slot.single and len(fillers) > 1:
            faults.append(
                f"slot {slot.kind.__qualname__} of {owner!r} takes one filler"
                f" and is filled by {', '.join(map(repr, fillers))}"
            )
        if slot.required and not fillers:
            faults.append(f"slot {slot.kind.__qualname__} of {owner!r} must be filled by a module")
    kinds = tuple(slot.kind for slot, _ in slots)
    for each, name in fills:
        if not isinstance(each, kinds):
            faults.append(f"module {name!r} contributes a {type(each).__qualname__}, but nobody asks for one")
    return faults
