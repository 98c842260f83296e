"""The page of jobs: what the workers have to do, when schedules ran, and what was given up."""

from typing import Annotated, Any

from nexuscore.console.figures import JOBS
from nexuscore.kernel import queue
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http import Can, Nav, Pages, View, Went

pages = Pages("/jobs")
CanSee = Annotated[Ctx, Can(JOBS)]
_STATES = ("due", "later", "running", "parked")


@pages.get(title="Jobs", nav=Nav("Platform", icon="jobs", order=30))
async def jobs_page(ctx: CanSee) -> View:
    """Queues, schedules, and what failed its last try."""
    counts = {row.kind: row for row in await queue.counts(ctx.db)}
    kinds: list[dict[str, Any]] = [
        {"kind": kind, **{state: counts[kind][state] if kind in counts else 0 for state in _STATES}}
        for kind in sorted({*counts, *ctx.app.workers})
    ]
    last = await queue.last_due(ctx.db)
    schedules = [
        {"name": name, "cron": each.cron, "last": last.get(name)} for name, each in sorted(ctx.app.schedules.items())
    ]
    parked = [
        {"id": row.id, "kind": row.kind, "tries": row.attempts + 1, "since": row.updated, "error": _said(row.error)}
        for row in await queue.parked(ctx.db)
    ]
    return View("jobs.html", kinds=kinds, schedules=schedules, parked=parked)


@pages.post("/{job_id}/retry", shows=jobs_page)
async def retry_job_page(ctx: CanSee, job_id: int) -> Went:
    """Queue a job again, with all its tries."""
    await queue.retry(ctx.db, job_id)
    return Went("/console/jobs", say="The job is queued again.")


@pages.post("/{job_id}/drop", shows=jobs_page)
async def drop_job_page(ctx: CanSee, job_id: int) -> Went:
    """Give a job up for good."""
    await queue.drop(ctx.db, job_id)
    return Went("/console/jobs", say="The job is dropped.", kind="warning")


def _said(trace: dict[str, str] | None) -> str:
    if not trace:
        return ""
    return f"{trace.get('exception_type')}: {' '.join(str(trace.get('exception_message')).split())}"
