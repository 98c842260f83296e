"""Usage held against itself and the journal, for `nexus billing verify`."""

from nexuscore.kernel.ctx import Ctx
from nexuscore.modules.books import Check, Finding
from nexuscore.modules.usage.purchases import RECOGNISED, SOURCE
from nexuscore.modules.usage.verify import discrepancies

_BOOKED = (
    "SELECT coalesce(a.org_id, j.org_id) AS org_id, coalesce(a.recognised_minor, 0) AS kept,"
    " coalesce(j.booked, 0) AS booked FROM usage_accounts a FULL JOIN"
    " (SELECT e.org_id, sum(p.amount)::bigint AS booked FROM journal_entries e"
    "  JOIN journal_postings p ON p.entry_id = e.id AND p.account = 'credits'"
    "  WHERE e.source = $1 GROUP BY e.org_id) j ON j.org_id = a.org_id"
    " WHERE coalesce(a.recognised_minor, 0) <> coalesce(j.booked, 0) ORDER BY 1"
)
_UNCREDITED = (
    "SELECT i.id, i.number, i.subtotal, e.amount_micro FROM invoices i"
    " LEFT JOIN usage_entries e ON e.org_id = i.org_id AND e.source = 'invoice:' || i.id::text"
    " WHERE i.source = $1 AND i.state = 'paid' AND i.subtotal > 0 AND i.paid_at < now() - interval '1 hour'"
    " AND e.id IS NULL ORDER BY i.id"
)


async def ledger(ctx: Ctx) -> list[Finding]:
    """Totals, snapshots, numbers and bills are what the ledger says."""
    return [Finding("usage", found) for found in await discrepancies(ctx)]


async def journal(ctx: Ctx) -> list[Finding]:
    """Spent credits are booked as often as they are counted, and whoever paid for credits has them."""
    found = [
        Finding(f"organisation {row.org_id}", f"recognised {row.kept} of its credits, and {row.booked} are booked")
        for row in await ctx.db.raw(_BOOKED, RECOGNISED)
    ]
    return found + [
        Finding(f"invoice {row.number}", f"was paid for credits of {row.subtotal}, and none were added")
        for row in await ctx.db.raw(_UNCREDITED, SOURCE)
    ]


CHECKS = (Check("usage is what its ledger says", ledger), Check("spent credits are booked", journal))
