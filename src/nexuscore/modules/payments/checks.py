"""Payments held against themselves, their invoices and the journal, for `nexus billing verify`."""

from collections.abc import Sequence

from nexuscore.kernel.ctx import Ctx
from nexuscore.modules import books
from nexuscore.modules.books import Check, Finding

_SUMS = (
    "SELECT p.id, p.state, p.received, p.refunded, p.refunding, coalesce(r.done, 0) AS done,"
    " coalesce(r.waiting, 0) AS waiting, coalesce(r.from_applied, 0) AS from_applied, p.applied,"
    " coalesce(r.open_unapplied, 0) AS open_unapplied, coalesce(r.bounced, 0) AS bounced, p.unapplied"
    " FROM payments p LEFT JOIN (SELECT payment_id,"
    "  sum(amount) FILTER (WHERE state = 'succeeded')::bigint AS done,"
    "  sum(amount) FILTER (WHERE state = 'pending')::bigint AS waiting,"
    "  sum(amount) FILTER (WHERE state = 'failed' AND done_at IS NOT NULL)::bigint AS bounced,"
    "  sum(from_applied) FILTER (WHERE state IN ('pending', 'succeeded') OR done_at IS NOT NULL)::bigint"
    "   AS from_applied,"
    "  sum(from_unapplied) FILTER (WHERE state IN ('pending', 'succeeded') OR done_at IS NOT NULL)::bigint"
    "   AS open_unapplied FROM payment_refunds GROUP BY payment_id) r ON r.payment_id = p.id ORDER BY p.id"
)
_INVOICED = (
    "SELECT p.id, p.receipt, p.applied, coalesce(i.amount, 0) AS recorded FROM payments p"
    " LEFT JOIN invoice_payments i ON i.kind = 'payment' AND i.reference = p.id::text AND i.invoice_id = p.invoice_id"
    " WHERE p.applied IS DISTINCT FROM coalesce(i.amount, 0) ORDER BY p.id"
)
_RETURNED = (
    "SELECT r.id, r.from_applied, coalesce(i.amount, 0) AS recorded FROM payment_refunds r"
    " LEFT JOIN invoice_payments i ON i.kind = 'refund' AND i.reference = r.id::text"
    " WHERE CASE WHEN r.done_at IS NULL THEN 0 ELSE r.from_applied END IS DISTINCT FROM coalesce(i.amount, 0)"
    " ORDER BY r.id"
)
_JOURNAL = (
    "SELECT coalesce(k.currency, j.currency) AS currency, coalesce(k.kept, 0) AS kept, coalesce(j.booked, 0) AS booked"
    " FROM (SELECT currency, sum(kept)::bigint AS kept FROM ("
    "   SELECT currency, unapplied AS kept FROM payments"
    "   UNION ALL SELECT currency, CASE state WHEN 'failed' THEN amount - from_unapplied ELSE -from_unapplied END"
    "    FROM payment_refunds WHERE done_at IS NOT NULL"
    "   UNION ALL SELECT currency, -lost_unapplied FROM payment_disputes) AS k GROUP BY currency) k"
    " FULL JOIN (SELECT p.currency, -sum(p.amount)::bigint AS booked FROM journal_entries e"
    "  JOIN journal_postings p ON p.entry_id = e.id"
    "  WHERE p.account = $1 AND starts_with(e.source, 'payments.') GROUP BY p.currency) j USING (currency)"
)
_HELD = (
    "SELECT coalesce(d.currency, j.currency) AS currency, coalesce(d.held, 0) AS held, coalesce(j.booked, 0) AS booked"
    " FROM (SELECT currency, sum(amount)::bigint AS held FROM payment_disputes WHERE held GROUP BY currency) d"
    " FULL JOIN (SELECT p.currency, sum(p.amount)::bigint AS booked FROM journal_postings p"
    "  WHERE p.account = $1 GROUP BY p.currency) j USING (currency)"
)


_COSTS = (
    "SELECT coalesce(k.currency, j.currency) AS currency, coalesce(k.kept, 0) AS kept, coalesce(j.booked, 0) AS booked"
    " FROM (SELECT currency, sum(kept)::bigint AS kept FROM ("
    "   SELECT fee_currency AS currency, fee AS kept FROM payments WHERE fee IS NOT NULL"
    "   UNION ALL SELECT fee_currency, fee FROM payment_disputes WHERE fee_currency IS NOT NULL"
    "  ) AS k GROUP BY currency) k"
    " FULL JOIN (SELECT p.currency, sum(p.amount)::bigint AS booked FROM journal_entries e"
    "  JOIN journal_postings p ON p.entry_id = e.id"
    "  WHERE p.account = $1 AND starts_with(e.source, 'payments.') GROUP BY p.currency) j USING (currency)"
)


async def refunds_sum(ctx: Ctx) -> Sequence[Finding]:
    """What a payment says of its refunds is what they sum to, and no more went back than came."""
    found = []
    for row in await ctx.db.raw(_SUMS):
        if (row.refunded, row.refunding) != (row.done, row.waiting):
            said, real = (row.refunded, row.refunding), (row.done, row.waiting)
            found.append(Finding(f"payment {row.id}", f"refunded, refunding: says {said}, its refunds say {real}"))
        if row.from_applied > row.applied or row.open_unapplied > row.unapplied + row.bounced:
            found.append(Finding(f"payment {row.id}", "more went back than came"))
    return found


async def invoices_agree(ctx: Ctx) -> Sequence[Finding]:
    """What paid or left an invoice is recorded with it."""
    paid = [
        Finding(f"payment {row.id}", f"paid {row.applied} of its invoice, which says {row.recorded}")
        for row in await ctx.db.raw(_INVOICED)
    ]
    return paid + [
        Finding(f"refund {row.id}", f"took {row.from_applied} off its invoice, which says {row.recorded}")
        for row in await ctx.db.raw(_RETURNED)
    ]


async def journal_agrees(ctx: Ctx) -> Sequence[Finding]:
    """What is kept for customers, and what banks hold back, is on those accounts."""
    kept = [
        Finding(f"kept in {row.currency}", f"{row.kept} are kept, {row.booked} are booked")
        for row in await ctx.db.raw(_JOURNAL, books.UNAPPLIED.code)
        if row.kept != row.booked
    ]
    return kept + [
        Finding(f"disputed in {row.currency}", f"{row.held} are held back, {row.booked} are booked")
        for row in await ctx.db.raw(_HELD, books.DISPUTED.code)
        if row.held != row.booked
    ]


async def costs_agree(ctx: Ctx) -> Sequence[Finding]:
    """What the provider kept for itself is on its account."""
    return [
        Finding(f"fees in {row.currency}", f"{row.kept} were kept by the provider, {row.booked} are booked")
        for row in await ctx.db.raw(_COSTS, books.PROCESSOR_FEES.code)
        if row.kept != row.booked
    ]


CHECKS = (
    Check("refunds sum to what payments say", refunds_sum),
    Check("payments are recorded with their invoices", invoices_agree),
    Check("money kept and held back is booked", journal_agrees),
    Check("what providers keep is booked", costs_agree),
)
