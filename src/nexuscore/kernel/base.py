"""The kernel's own manifest: the tables, jobs and events that are there before any module."""

from datetime import timedelta

from nexuscore.kernel.access import PermissionDenied
from nexuscore.kernel.alarms import HookSender, PagerDutySender
from nexuscore.kernel.alerts import AlertSender
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.events import Heard, LoggedEvent
from nexuscore.kernel.health import (
    DatabaseCheck,
    DiskCheck,
    HealthCheck,
    JobsCheck,
    MemoryCheck,
    MigrationsCheck,
    RedisCheck,
)
from nexuscore.kernel.http.auth import Authenticator
from nexuscore.kernel.http.documents import Chapter
from nexuscore.kernel.http.health import SEE_HEALTH
from nexuscore.kernel.http.idempotency import StoredAnswer
from nexuscore.kernel.http.pages import Around, Figures, Finder, Frame, More
from nexuscore.kernel.jobs import Worker, every
from nexuscore.kernel.module import Greeting, Module, Slot, Warming
from nexuscore.kernel.queue import Listen, Tick, Ticked, run_tick
from nexuscore.kernel.seeds import Seed


async def _listen(ctx: Ctx, job: Listen) -> None:
    """Never called: `queue.work` tells listeners one by one, each in its own transaction."""


@every("17 3 * * *")
async def sweep(ctx: Ctx) -> None:
    """Make room: old outcomes of jobs, marks of listeners, stored answers; and next months' partitions."""
    month = ctx.now - timedelta(days=30)
    await ctx.db.raw("DELETE FROM pgqueuer_log WHERE created < $1", month)
    await ctx.db.raw("DELETE FROM heard WHERE heard_at < $1", month)
    await ctx.db.raw("DELETE FROM idempotency WHERE expires_at < $1", ctx.now)
    await ctx.db.raw("SELECT nexus_event_partitions(3)")


PAGES = (Slot(Frame, single=True), Slot(Around), Slot(Finder), Slot(Figures), Slot(More))

kernel = Module(
    name="kernel",
    package=__package__,
    tables=(LoggedEvent, Heard, Ticked, StoredAnswer),
    events=(PermissionDenied,),
    workers=(Worker(Listen, _listen), Worker(Tick, run_tick)),
    schedules=(sweep,),
    permissions=(SEE_HEALTH,),
    slots=(
        Slot(Authenticator, single=True),
        Slot(Greeting),
        Slot(Warming),
        Slot(HealthCheck),
        Slot(AlertSender),
        Slot(Chapter),
        Slot(Seed),
        *PAGES,
    ),
    contributes=(
        HookSender(),
        PagerDutySender(),
        DatabaseCheck(),
        MigrationsCheck(),
        JobsCheck(),
        RedisCheck(),
        MemoryCheck(),
        DiskCheck(),
    ),
)
