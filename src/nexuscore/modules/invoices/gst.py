"""The GST return of a quarter: the boxes of form F5 that follow from what was invoiced.

An invoice counts in the quarter of its day, a credit note in the quarter of its own. An invoice that is cancelled in a
later quarter is taken off in that one: what was filed stays as it was filed.
"""

from datetime import date, timedelta

from nexuscore.kernel import sheets
from nexuscore.kernel.ctx import Ctx
from nexuscore.modules.invoices.schemas import GstBoxes, GstReport, GstRow

_DOCUMENTS = """
WITH documents AS (
  SELECT 'invoice' AS kind, i.number, i.issued_on AS day, i.customer, i.currency, i.gst_rate, l.line->>'code' AS code,
    sum((l.line->>'amount')::bigint)::bigint AS net,
    CASE WHEN l.line->>'code' = 'SR' THEN i.gst_amount ELSE 0 END AS gst
  FROM invoices i CROSS JOIN jsonb_array_elements(i.lines) AS l(line)
  WHERE i.number IS NOT NULL GROUP BY i.id, l.line->>'code'
  UNION ALL
  SELECT 'void', i.number, i.voided_on, i.customer, i.currency, i.gst_rate, l.line->>'code',
    -sum((l.line->>'amount')::bigint)::bigint, CASE WHEN l.line->>'code' = 'SR' THEN -i.gst_amount ELSE 0 END
  FROM invoices i CROSS JOIN jsonb_array_elements(i.lines) AS l(line)
  WHERE i.number IS NOT NULL AND i.state = 'void' GROUP BY i.id, l.line->>'code'
  UNION ALL
  SELECT 'credit_note', n.number, n.issued_on, i.customer, n.currency, n.gst_rate, l.line->>'code',
    -(l.line->>'net')::bigint, -(l.line->>'gst')::bigint
  FROM credit_notes n JOIN invoices i ON i.id = n.invoice_id CROSS JOIN jsonb_array_elements(n.lines) AS l(line)
)
SELECT kind, number, day, customer->>'name' AS customer, customer->>'gst_number' AS gst_number, currency, code,
  gst_rate::text AS gst_rate, net, gst
FROM documents WHERE day >= $1 AND day < $2 ORDER BY day, number, kind, code
"""
COLUMNS = ("kind", "number", "day", "customer", "gst_number", "currency", "code", "gst_rate", "net", "gst")


async def rows(ctx: Ctx, year: int, quarter: int) -> list[GstRow]:
    """Every document of a quarter, a row per GST code; what is taken off is below zero."""
    since, until = quarter_of(year, quarter)
    async with ctx.across_orgs("the GST return is of everybody's invoices") as everywhere:
        found = await everywhere.db.raw(_DOCUMENTS, since, until)
    return [GstRow(**dict(row.items())) for row in found]


async def report(ctx: Ctx, year: int, quarter: int) -> GstReport:
    """The boxes of form F5, in cents. What was bought is not known here, so boxes 5, 7 and 8 are for the accountant."""
    since, until = quarter_of(year, quarter)
    found = await rows(ctx, year, quarter)
    sgd = [row for row in found if row.currency == "SGD"]
    nets = {code: sum(row.net for row in sgd if row.code == code) for code in ("SR", "ZR", "ES", "OS")}
    foreign = sorted({row.currency for row in found} - {"SGD"})
    boxes = GstBoxes(
        box1_standard_rated=nets["SR"],
        box2_zero_rated=nets["ZR"],
        box3_exempt=nets["ES"],
        box4_total=nets["SR"] + nets["ZR"] + nets["ES"],
        box6_output_tax=sum(row.gst for row in sgd),
        box13_revenue=sum(nets.values()),
    )
    return GstReport(
        year=year,
        quarter=quarter,
        since=since,
        until=until - timedelta(days=1),
        boxes=boxes,
        out_of_scope=nets["OS"],
        documents=len({(row.kind, row.number) for row in found}),
        not_in_sgd=foreign,
    )


async def csv(ctx: Ctx, year: int, quarter: int) -> bytes:
    """The rows behind the boxes, for a spreadsheet."""
    lines = [sheets.line(COLUMNS)]
    lines += [sheets.line(getattr(row, name) for name in COLUMNS) for row in await rows(ctx, year, quarter)]
    return b"".join(lines)


def quarter_of(year: int, quarter: int) -> tuple[date, date]:
    """The first day of a quarter, and of the next."""
    return date(year, 3 * quarter - 2, 1), date(year + quarter // 4, (3 * quarter) % 12 + 1, 1)
