"""What the first page shows of the log."""

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar, Literal

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http.pages import Figure, Figures
from nexuscore.kernel.i18n import translate
from nexuscore.modules.audit.permissions import READ, READ_ALL

_BY_DAY = """
    SELECT count(e.id) AS facts
      FROM generate_series(date_trunc('day', $1::timestamptz), $2::timestamptz, interval '1 day') AS day
      LEFT JOIN events e ON e.time >= day AND e.time < day + interval '1 day' AND ($3::text IS NULL OR e.type = $3)
     GROUP BY day ORDER BY day
"""


class FactFigures(Figures):
    """The organisation's facts of two weeks, day by day."""

    permission: ClassVar[str | None] = READ.name

    async def figures(self, ctx: Ctx) -> Sequence[Figure]:
        """How much happened."""
        name = translate(ctx.locale, "What happened")
        return [await _of(ctx, name, None, "/console/audit", 20)]


class SignInFigures(Figures):
    """Everybody's sign-ins of two weeks, for who runs the platform."""

    permission: ClassVar[str | None] = READ_ALL.name
    of: ClassVar[Literal["organisation", "platform"]] = "platform"

    async def figures(self, ctx: Ctx) -> Sequence[Figure]:
        """Those that worked, and those that did not."""
        async with ctx.across_orgs("figures of the platform") as everywhere:
            return [
                await _of(everywhere, translate(ctx.locale, "Sign-ins"), "user.signed_in", "/console/people", 40),
                await _of(
                    everywhere,
                    translate(ctx.locale, "Failed sign-ins"),
                    "user.sign_in_failed",
                    "/console/audit/everywhere?type=user.sign_in_failed",
                    41,
                ),
            ]


async def _of(ctx: Ctx, name: str, type: str | None, href: str, order: int) -> Figure:
    days = await ctx.db.raw(_BY_DAY, ctx.now - timedelta(days=13), ctx.now, type)
    series = [float(day.facts) for day in days]
    return Figure(name, int(sum(series)), series, translate(ctx.locale, "in two weeks"), href, order)
