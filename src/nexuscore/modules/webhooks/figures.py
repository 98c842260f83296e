"""What the first page shows of webhooks."""

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http.pages import Figure, Figures
from nexuscore.kernel.i18n import translate
from nexuscore.modules.webhooks.permissions import READ

_BY_DAY = """
    SELECT count(d.id) FILTER (WHERE d.state = 'delivered') AS delivered, count(d.id) FILTER (WHERE d.state = 'failed')
      AS failed
      FROM generate_series(date_trunc('day', $1::timestamptz), $2::timestamptz, interval '1 day') AS day
      LEFT JOIN webhook_deliveries d ON d.created_at >= day AND d.created_at < day + interval '1 day'
     GROUP BY day ORDER BY day
"""


class DeliveryFigures(Figures):
    """Deliveries of two weeks, day by day."""

    permission: ClassVar[str | None] = READ.name

    async def figures(self, ctx: Ctx) -> Sequence[Figure]:
        """Delivered and failed; nothing where nothing was ever sent."""
        days = await ctx.db.raw(_BY_DAY, ctx.now - timedelta(days=13), ctx.now)
        delivered, failed = [float(day.delivered) for day in days], [float(day.failed) for day in days]
        if not sum(delivered) + sum(failed):
            return []
        lately, to = translate(ctx.locale, "in two weeks"), "/console/webhooks/deliveries"
        return [
            Figure(translate(ctx.locale, "Delivered"), int(sum(delivered)), delivered, lately, to, 30),
            Figure(translate(ctx.locale, "Failed deliveries"), int(sum(failed)), failed, lately, to, 31),
        ]
