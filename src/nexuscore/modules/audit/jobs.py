"""What the audit does by the clock: it seals every minute, and once a day moves and removes what is due."""

from datetime import date, timedelta

from nexuscore.kernel import clock
from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.jobs import Job, every, outcall
from nexuscore.modules.audit import archives, exports, files, seals
from nexuscore.modules.audit.archives import Moved
from nexuscore.modules.audit.exports import MakeExport
from nexuscore.modules.audit.files import Made, Order

HOURS = timedelta(hours=4)


class SealLog(Job, name="audit.seal", retries=1000):
    """Seal what has been committed. While one waits to be tried again, the next minutes add no other."""


class ArchiveMonth(Job, name="audit.archive", retries=8, timeout=HOURS):
    """Move a month of the log to the archive."""

    month: date


class PruneMonth(Job, name="audit.prune", retries=8, timeout=HOURS):
    """Take facts whose time is over out of an archived month."""

    month: date


@every("* * * * *")
async def seal_every_minute(ctx: Ctx) -> None:
    """Seal what has been committed since the last minute."""
    ctx.enqueue(SealLog(), unique="seal")


@every("37 4 * * *")
async def move_and_remove(ctx: Ctx) -> None:
    """Archive months that are old enough, prune the archive, and remove the files of expired exports."""
    for month in await archives.months_due(ctx):
        ctx.enqueue(ArchiveMonth(month=month), unique=str(month))
    for month in await archives.months_to_prune(ctx):
        ctx.enqueue(PruneMonth(month=month), unique=str(month))
    await archives.remove_superseded(ctx)
    await exports.expire(ctx)


@outcall(SealLog)
async def seal_log(ctx: Ctx, job: SealLog) -> bool | None:
    """There is nothing to claim: the sealer takes its own turn."""
    return True


@seal_log.call
async def _seal(app: App, claimed: bool) -> None:
    await seals.seal_all(app)
    await seals.remember(app)


@seal_log.record
async def _sealed(ctx: Ctx, claimed: bool, answer: None) -> None:
    """The seals are written; a fact about them would have to be sealed in turn."""


@outcall(ArchiveMonth, concurrency=1)
async def archive_month(ctx: Ctx, job: ArchiveMonth) -> date | None:
    """The month, if it is due and sealed; otherwise tomorrow is another day."""
    return job.month if await archives.is_ready(ctx, job.month) else None


@archive_month.call
async def _archive(app: App, month: date) -> Moved:
    return await archives.write(app, month, clock.now())


@archive_month.record
async def _archived(ctx: Ctx, month: date, moved: Moved) -> None:
    await archives.moved(ctx, moved)


@outcall(PruneMonth, concurrency=1)
async def prune_month(ctx: Ctx, job: PruneMonth) -> date | None:
    """The month, if something in it is over."""
    return job.month if job.month in await archives.months_to_prune(ctx) else None


@prune_month.call
async def _prune(app: App, month: date) -> Moved:
    return await archives.prune(app, month, clock.now())


@prune_month.record
async def _pruned(ctx: Ctx, month: date, moved: Moved) -> None:
    await archives.pruned(ctx, moved)


@outcall(MakeExport)
async def make_export(ctx: Ctx, job: MakeExport) -> Order | None:
    """The export, if it is still to be made."""
    return await exports.claim(ctx, job)


@make_export.call
async def _make(app: App, order: Order) -> Made:
    return await files.make(app, order)


@make_export.record
async def _made(ctx: Ctx, order: Order, made: Made) -> None:
    await exports.record(ctx, order, made)
