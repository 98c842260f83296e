"""What the first page shows of money: what came in, and what is still to be paid."""

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar, Literal

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http.pages import Figure, Figures
from nexuscore.kernel.i18n import translate
from nexuscore.kernel.money import Money
from nexuscore.modules import books
from nexuscore.modules.invoices.permissions import READ, REPORT

_DAYS = 30
_BY_DAY = """
    SELECT currency, array_agg(amount ORDER BY day) AS series, sum(amount)::bigint AS total
      FROM (
        SELECT c.currency, day, coalesce(sum(CASE p.kind WHEN 'payment' THEN p.amount ELSE -p.amount END), 0) AS amount
          FROM (SELECT DISTINCT currency FROM invoice_payments WHERE created_at >= $1) AS c
         CROSS JOIN generate_series(date_trunc('day', $1::timestamptz), $2::timestamptz, interval '1 day') AS day
          LEFT JOIN invoice_payments p
            ON p.currency = c.currency AND p.created_at >= day AND p.created_at < day + interval '1 day'
         GROUP BY c.currency, day
      ) AS days
     GROUP BY currency ORDER BY currency
"""
_OWED = """
    SELECT currency, sum(amount_due)::bigint AS due, count(*) AS invoices, count(*) FILTER (WHERE due_on < $1) AS late
      FROM invoices WHERE state IN ('open', 'partly_paid') GROUP BY currency ORDER BY currency
"""


class OwedFigures(Figures):
    """What the organisation has to pay."""

    permission: ClassVar[str | None] = READ.name

    async def figures(self, ctx: Ctx) -> Sequence[Figure]:
        """An amount for each currency; nothing when nothing is owed."""
        return await _owed(ctx, translate(ctx.locale, "To pay"), "/console/billing/invoices") if ctx.org else []


class RevenueFigures(Figures):
    """What came in and what is owed by everybody, for who runs the platform."""

    permission: ClassVar[str | None] = REPORT.name
    of: ClassVar[Literal["organisation", "platform"]] = "platform"

    async def figures(self, ctx: Ctx) -> Sequence[Figure]:
        """Payments less what was sent back, day by day; then what is open."""
        since = ctx.now - timedelta(days=_DAYS - 1)
        async with ctx.across_orgs("figures of the platform") as everywhere:
            came = await everywhere.db.raw(_BY_DAY, since, ctx.now)
            owed = await _owed(everywhere, translate(ctx.locale, "Owed to you"), None)
        name, lately = translate(ctx.locale, "Money received"), translate(ctx.locale, "in 30 days")
        place = "/console/billing/platform/payments"
        return [
            *(
                Figure(name, Money(row.total, row.currency), [int(each) for each in row.series], lately, place, 20)
                for row in came
            ),
            *owed,
        ]


async def _owed(ctx: Ctx, name: str, href: str | None) -> list[Figure]:
    rows = await ctx.db.raw(_OWED, books.today(ctx))
    return [
        Figure(
            name,
            Money(row.due, row.currency),
            note=translate(ctx.locale, "open invoices: {number}, overdue: {late}", number=row.invoices, late=row.late),
            href=href,
            order=21,
        )
        for row in rows
    ]
