"""What the first page shows of the house itself: requests and jobs of the last hour, and what waits."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from nexuscore.kernel import queue, siblings
from nexuscore.kernel.access import Permission
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http.pages import Figure, Figures
from nexuscore.kernel.i18n import translate

JOBS = Permission("console.jobs", "See what the workers do, and retry what failed.", ("platform:admin",))
LOAD = Permission("console.load", "See how much is asked of the installation, and how it goes.", ("platform:admin",))


class RequestFigures(Figures):
    """Requests and jobs of the last hour, over all processes of this machine."""

    permission: ClassVar[str | None] = LOAD.name
    of: ClassVar[Literal["organisation", "platform"]] = "platform"

    async def figures(self, ctx: Ctx) -> Sequence[Figure]:
        """How many were answered, how many of them failed, how long they took; and the jobs."""
        hour = await siblings.hour(ctx.app)
        requests, errors = [float(each.requests) for each in hour], [float(each.errors) for each in hour]
        times = [1000 * each.seconds / each.requests if each.requests else 0.0 for each in hour]
        jobs = [float(each.jobs) for each in hour]
        asked, failed = sum(each.requests for each in hour), sum(each.jobs_failed for each in hour)
        mean = 1000 * sum(each.seconds for each in hour) / asked if asked else 0.0
        lately = translate(ctx.locale, "in the last hour")
        tries = translate(ctx.locale, "in the last hour; tries that failed: {number}", number=failed)
        return [
            Figure(translate(ctx.locale, "Requests"), asked, requests, lately, order=10),
            Figure(translate(ctx.locale, "Failed requests"), int(sum(errors)), errors, lately, order=11),
            Figure(translate(ctx.locale, "Time for an answer, ms"), round(mean, 1), times, lately, order=12),
            Figure(translate(ctx.locale, "Jobs done"), int(sum(jobs)) - failed, jobs, tries, "/console/jobs", 13),
        ]


class JobFigures(Figures):
    """How the workers keep up."""

    permission: ClassVar[str | None] = JOBS.name
    of: ClassVar[Literal["organisation", "platform"]] = "platform"

    async def figures(self, ctx: Ctx) -> Sequence[Figure]:
        """Jobs that are due, and those that were given up."""
        counts = await queue.counts(ctx.db)
        due, parked = sum(row.due for row in counts), sum(row.parked for row in counts)
        return [
            Figure(translate(ctx.locale, "Jobs due"), due, href="/console/jobs", order=60),
            Figure(translate(ctx.locale, "Jobs given up"), parked, href="/console/jobs", order=61),
        ]
