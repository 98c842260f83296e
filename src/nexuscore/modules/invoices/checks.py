"""Invoices held against the journal, their payments and their numbers, for `nexus billing verify`."""

from collections.abc import Sequence

from nexuscore.kernel.ctx import Ctx
from nexuscore.modules import books
from nexuscore.modules.books import Check, Finding

# What is receivable for an invoice is what is charged, less what was paid, credited and given up.
_RECEIVABLE = (
    "SELECT i.id, i.number, i.state, i.currency, CASE WHEN i.state IN ('draft', 'void') THEN 0 ELSE"
    " i.total - i.amount_credited - i.amount_paid + i.amount_refunded - i.written_off END AS owed,"
    " coalesce(j.booked, 0) AS booked FROM invoices i LEFT JOIN ("
    "  SELECT e.subject, p.currency, sum(p.amount)::bigint AS booked FROM journal_entries e"
    "  JOIN journal_postings p ON p.entry_id = e.id WHERE p.account = $1 AND starts_with(e.source, 'invoices.')"
    "  GROUP BY e.subject, p.currency) j ON j.subject = i.id AND j.currency = i.currency"
)
_MOVED = (
    "SELECT i.id, i.number, i.currency, i.amount_paid, i.amount_refunded, i.amount_credited,"
    " coalesce(p.paid, 0) AS paid, coalesce(p.refunded, 0) AS refunded, coalesce(c.credited, 0) AS credited"
    " FROM invoices i LEFT JOIN (SELECT invoice_id,"
    "  (coalesce(sum(amount) FILTER (WHERE kind = 'payment'), 0)"
    "   - coalesce(sum(amount) FILTER (WHERE kind = 'reversal'), 0))::bigint AS paid,"
    "  coalesce(sum(amount) FILTER (WHERE kind = 'refund'), 0)::bigint AS refunded"
    "  FROM invoice_payments GROUP BY invoice_id) p ON p.invoice_id = i.id"
    " LEFT JOIN (SELECT invoice_id, sum(total)::bigint AS credited FROM credit_notes GROUP BY invoice_id) c"
    "  ON c.invoice_id = i.id"
)
_GST = (
    "SELECT coalesce((SELECT sum(gst_amount) FROM invoices WHERE number IS NOT NULL AND state <> 'void'), 0)"
    " - coalesce((SELECT sum(gst_amount) FROM credit_notes), 0) AS charged,"
    " -coalesce((SELECT sum(p.amount) FROM journal_postings p JOIN journal_entries e ON e.id = p.entry_id"
    "  WHERE p.account = $1 AND starts_with(e.source, 'invoices.')), 0) AS booked"
)
_NUMBERS = (
    "SELECT c.series || '-' || c.month AS month, c.last, count(n.number) AS given,"
    " count(DISTINCT substr(n.number, length(c.series) + 9)::bigint) FILTER"
    "  (WHERE substr(n.number, length(c.series) + 9)::bigint BETWEEN 1 AND c.last) AS in_order"
    " FROM invoice_counters c LEFT JOIN (SELECT number FROM invoices UNION ALL SELECT number FROM credit_notes) n"
    "  ON starts_with(n.number, c.series || '-' || c.month || '-') GROUP BY c.series, c.month, c.last"
)


async def receivables(ctx: Ctx) -> Sequence[Finding]:
    """What is owed for every invoice is what is booked for it."""
    return [
        Finding(_name(row), f"{row.owed} {row.currency} are owed, {row.booked} are booked")
        for row in await ctx.db.raw(f"{_RECEIVABLE} ORDER BY i.id", books.RECEIVABLE.code)
        if row.owed != row.booked
    ]


async def sums(ctx: Ctx) -> Sequence[Finding]:
    """What an invoice says was paid, refunded and credited is what its payments and credit notes sum to."""
    found = []
    for row in await ctx.db.raw(f"{_MOVED} ORDER BY i.id"):
        said = (row.amount_paid, row.amount_refunded, row.amount_credited)
        real = (row.paid, row.refunded, row.credited)
        if said != real:
            found.append(Finding(_name(row), f"paid, refunded, credited: says {said}, its records say {real}"))
    return found


async def gst(ctx: Ctx) -> Sequence[Finding]:
    """The GST of all invoices less that of all credit notes is what is booked."""
    (row,) = await ctx.db.raw(_GST, books.GST_OUTPUT.code)
    if row.charged == row.booked:
        return []
    return [Finding("GST", f"{row.charged} SGD are charged, {row.booked} are booked")]


async def numbering(ctx: Ctx) -> Sequence[Finding]:
    """Every number of a month up to the last was given, and once."""
    return [
        Finding(row.month, f"the last number is {row.last}, {row.given} were given, {row.in_order} of them in order")
        for row in await ctx.db.raw(_NUMBERS)
        if not row.last == row.given == row.in_order
    ]


def _name(row: object) -> str:
    return f"invoice {getattr(row, 'number', None) or getattr(row, 'id', '')}"


CHECKS = (
    Check("invoices are booked as they are owed", receivables),
    Check("payments and credit notes sum to what invoices say", sums),
    Check("GST is booked as it is charged", gst),
    Check("numbers have no gap", numbering),
)
