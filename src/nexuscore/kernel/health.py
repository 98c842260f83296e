"""Is it well: what the process depends on, asked in one look. A module adds to it with a check of its own.

    class StoreCheck(HealthCheck):
        name = "store"

        async def look(self, app: App) -> Finding: ...

    module = Module(..., contributes=(StoreCheck(),))

Without what is `required` the process is not ready; without the rest it is degraded, and goes on.
"""

import asyncio
import os
import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from weakref import WeakKeyDictionary

import psutil

from nexuscore.kernel import metrics, migrate, queue
from nexuscore.kernel.log import get_logger

if TYPE_CHECKING:
    from nexuscore.kernel.app import App

State = Literal["up", "degraded", "down"]
PATIENCE = 2.0  # seconds a check may take
FRESH = 2.0  # seconds a look is good for, so that nobody can wear us out by asking
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: the state, and the figures behind it, for administrators."""

    state: State
    facts: dict[str, Any] = field(default_factory=dict)


class HealthCheck(ABC):
    """The slot: one thing the app depends on. What `look` raises, or a look that takes too long, is "down"."""

    name: ClassVar[str]
    required: ClassVar[bool] = False

    def applies(self, app: "App") -> bool:
        """Whether this app depends on it at all."""
        return True

    @abstractmethod
    async def look(self, app: "App") -> Finding:
        """How it is now."""


@dataclass(frozen=True, slots=True)
class Health:
    """One look at everything."""

    checks: dict[str, Finding]
    required: frozenset[str]

    @property
    def ready(self) -> bool:
        """Whether everything is there without which no request can be answered."""
        return all(self.checks[name].state != "down" for name in self.required)

    @property
    def status(self) -> Literal["healthy", "degraded", "unhealthy"]:
        """In one word."""
        if not self.ready:
            return "unhealthy"
        return "healthy" if all(each.state == "up" for each in self.checks.values()) else "degraded"


class _Looks:
    """The last looks at an app, and the lock that makes many who ask at once wait for one."""

    def __init__(self) -> None:
        self.last: dict[bool, tuple[float, Health]] = {}
        self.lock = asyncio.Lock()


_looks: "WeakKeyDictionary[App, _Looks]" = WeakKeyDictionary()


async def look(app: "App", *, required_only: bool = False) -> Health:
    """How the app is; a look a moment ago counts."""
    looks = _looks.setdefault(app, _Looks())
    async with looks.lock:
        found = looks.last.get(required_only)
        if found is None or monotonic() - found[0] > FRESH:
            found = looks.last[required_only] = (monotonic(), await _look(app, required_only=required_only))
        return found[1]


async def _look(app: "App", *, required_only: bool) -> Health:
    known = app.fillers(HealthCheck)  # type: ignore[type-abstract]  # asked for, not made
    checks = [each for each in known if each.applies(app) and (each.required or not required_only)]
    found = await asyncio.gather(*(_found(app, each) for each in checks))
    return Health(
        {check.name: finding for check, finding in zip(checks, found, strict=True) if finding is not None},
        frozenset(each.name for each in checks if each.required),
    )


async def _found(app: "App", check: HealthCheck) -> Finding:
    started = monotonic()
    try:
        async with asyncio.timeout(PATIENCE):
            finding = await check.look(app)
    except Exception as error:  # noqa: BLE001 - whatever keeps it from answering, it is down
        _log.warning("health_check_failed", check=check.name, reason=f"{type(error).__name__}: {error}")
        finding = Finding("down", {"reason": type(error).__name__})
    return Finding(finding.state, {**finding.facts, "took_ms": round((monotonic() - started) * 1000, 1)})


# --- what the kernel itself depends on --------------------------------------------------------------


class DatabaseCheck(HealthCheck):
    """Whether the database answers, and how much of the pool is used."""

    name = "database"
    required = True

    async def look(self, app: "App") -> Finding:
        """A statement of the simplest kind."""
        async with app.database.transaction() as db:
            await db.raw("SELECT 1")
        connections, idle, limit = pool_sizes(app)
        used = connections - idle
        state: State = "degraded" if limit and used > 0.8 * limit else "up"
        return Finding(state, {"connections": connections, "used": used, "limit": limit})


class MigrationsCheck(HealthCheck):
    """Whether the database has the shape this code was written for."""

    name = "migrations"

    async def look(self, app: "App") -> Finding:
        """What the database says of itself, held against the files."""
        async with app.database.transaction() as db:
            applied = [str(row.version_num) for row in await db.raw(f"SELECT version_num FROM {migrate.VERSIONS}")]
        lacking = await asyncio.to_thread(migrate.lacking, app, applied)
        return Finding("degraded" if lacking else "up", {"lacking": lacking})


class JobsCheck(HealthCheck):
    """Whether jobs that are due are done."""

    name = "jobs"

    async def look(self, app: "App") -> Finding:
        """How long the oldest waits, and how many wait for a person."""
        lag, waiting, dead = await figures_of_queue(app)
        state: State = "degraded" if lag > app.kernel.job_lag_s else "up"
        return Finding(state, {"lag_s": round(lag, 1), "waiting": waiting, "dead": dead})


class RedisCheck(HealthCheck):
    """Whether Redis answers, where one is named. Without it limits and the cache go on, each process for itself."""

    name = "redis"

    def applies(self, app: "App") -> bool:
        """Whether one is named."""
        return app.redis is not None

    async def look(self, app: "App") -> Finding:
        """A command of the simplest kind."""
        if app.redis is not None:
            await app.redis.call("PING")
        return Finding("up")


class MemoryCheck(HealthCheck):
    """How much of the memory it may have the process uses: 90 % is too much, 95 % is nearly the end."""

    name = "memory"

    async def look(self, app: "App") -> Finding:
        """Resident memory, and the limit of its container or machine."""
        used, limit = psutil.Process().memory_info().rss, _memory_limit()
        share = used / limit
        state: State = "up" if share <= 0.9 else "degraded" if share < 0.95 else "down"
        return Finding(state, {"used_mb": used // 2**20, "limit_mb": limit // 2**20, "share": round(share, 3)})


class DiskCheck(HealthCheck):
    """Whether the data folder has room."""

    name = "disk"

    async def look(self, app: "App") -> Finding:
        """What is free where the data folder is, or will be."""
        folder = app.kernel.data.absolute()
        while not folder.exists():
            folder = folder.parent
        disk = shutil.disk_usage(folder)
        share = disk.free / disk.total
        return Finding("up" if share > 0.05 else "degraded", {"free_mb": disk.free // 2**20, "share": round(share, 3)})


def pool_sizes(app: "App") -> tuple[int, int, int]:
    """The pool's connections, how many of them are idle, and how many there may be."""
    try:
        pool = app.database.pool
    except RuntimeError:
        return 0, 0, 0
    return pool.get_size(), pool.get_idle_size(), pool.get_max_size()


async def figures_of_queue(app: "App") -> tuple[float, int, int]:
    """The queue's lag in seconds, how many jobs wait and how many are dead; `/metrics` shows it too."""
    async with app.database.transaction() as db:
        counts = await queue.counts(db)
        lag = await queue.lag(db)
    metrics.show_queue([(row.kind, row.due, row.later, row.parked) for row in counts], lag)
    return lag, sum(row.due for row in counts), sum(row.parked for row in counts)


def _memory_limit() -> int:
    """What the process may use: the smallest limit of its control groups, or all there is."""
    limits = [int(psutil.virtual_memory().total)]
    for place in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        if os.access(place, os.R_OK):
            said = Path(place).read_text().strip()
            limits += [int(said)] if said.isdigit() and int(said) else []
    return min(limits)
