"""Whether what is summed up beside the ledger is what the ledger says."""

from typing import Any

from nexuscore.kernel.ctx import Ctx

# Each finds what must not be: an organisation, what is wrong there, what is written down and what it ought to be.
_TOTALS = """
WITH told AS (
  SELECT e.org_id, who.user_id, per.period, per.starts, e.cost_micro - e.absorbed_micro AS spent, 0 AS reserved
    FROM usage_entries e
   CROSS JOIN LATERAL (SELECT '00000000-0000-0000-0000-000000000000'::uuid AS user_id
                       UNION SELECT e.user_id WHERE e.user_id IS NOT NULL) who
   CROSS JOIN LATERAL (VALUES ('day', e.day), ('month', date_trunc('month', e.day)::date)) per (period, starts)
   WHERE e.kind = 'spend'
  UNION ALL
  SELECT r.org_id, who.user_id, per.period, per.starts, 0, r.amount_micro
    FROM usage_reservations r
   CROSS JOIN LATERAL (SELECT '00000000-0000-0000-0000-000000000000'::uuid AS user_id
                       UNION SELECT r.user_id WHERE r.user_id IS NOT NULL) who
   CROSS JOIN LATERAL (VALUES ('day', r.day), ('month', date_trunc('month', r.day)::date)) per (period, starts)
   WHERE r.state = 'open'
), summed AS (
  SELECT org_id, user_id, period, starts, sum(spent) AS spent, sum(reserved) AS reserved FROM told GROUP BY 1, 2, 3, 4
)
SELECT coalesce(t.org_id, s.org_id) AS org_id, 'total of a ' || coalesce(t.period, s.period) AS what,
       coalesce(t.spent_micro, 0) || '/' || coalesce(t.reserved_micro, 0) AS written,
       coalesce(s.spent, 0) || '/' || coalesce(s.reserved, 0) AS ought
  FROM usage_totals t FULL JOIN summed s USING (org_id, user_id, period, starts)
 WHERE (coalesce(t.spent_micro, 0), coalesce(t.reserved_micro, 0)) <> (coalesce(s.spent, 0), coalesce(s.reserved, 0))
"""
_SNAPSHOTS = """
SELECT s.org_id, 'snapshot ' || s.number AS what, s.balance_micro::text AS written, sum(e.amount_micro)::text AS ought
  FROM usage_snapshots s JOIN usage_entries e ON e.org_id = s.org_id AND e.number <= s.number
 GROUP BY s.org_id, s.number, s.balance_micro HAVING sum(e.amount_micro) <> s.balance_micro
"""
_CREDITS = """
SELECT org_id, 'credits below zero' AS what, sum(amount_micro)::text AS written, '0 or more' AS ought
  FROM usage_entries GROUP BY org_id HAVING sum(amount_micro) < 0
"""
_NUMBERS = """
SELECT a.org_id, 'numbers of entries' AS what, a.last_number::text AS written, count(e.id)::text AS ought
  FROM usage_accounts a LEFT JOIN usage_entries e ON e.org_id = a.org_id
 GROUP BY a.org_id, a.last_number
HAVING a.last_number <> count(e.id) OR a.last_number <> coalesce(max(e.number), 0)
"""
_BILLS = """
SELECT b.org_id, 'bill ' || b.key AS what, coalesce(sum((line ->> 'cost_micro')::numeric), 0)::text AS written,
       coalesce((SELECT sum(e.billable_micro) FROM usage_billed_entries m JOIN usage_entries e ON e.id = m.entry_id
                  WHERE m.bill_id = b.id), 0)::text AS ought
  FROM usage_bills b LEFT JOIN LATERAL jsonb_array_elements(b.lines) line ON true GROUP BY b.org_id, b.id
HAVING coalesce(sum((line ->> 'cost_micro')::numeric), 0) <>
       coalesce((SELECT sum(e.billable_micro) FROM usage_billed_entries m JOIN usage_entries e ON e.id = m.entry_id
                  WHERE m.bill_id = b.id), 0)
"""

_RECOGNISED = """
SELECT a.org_id, 'sums of the entries to ' || a.recognised_to AS what,
       a.spent_micro || '/' || a.given_micro || '/' || a.bought_micro AS written,
       coalesce(s.spent, 0) || '/' || coalesce(s.given, 0) || '/' || coalesce(s.bought, 0) AS ought
  FROM usage_accounts a LEFT JOIN LATERAL (
    SELECT -sum(e.amount_micro) FILTER (WHERE e.kind = 'spend') AS spent,
           sum(e.amount_micro) FILTER (WHERE e.kind = 'grant') AS given,
           sum(e.amount_micro) FILTER (WHERE e.kind IN ('purchase', 'taken_back')) AS bought
      FROM usage_entries e WHERE e.org_id = a.org_id AND e.number <= a.recognised_to) s ON true
 WHERE (a.spent_micro, a.given_micro, a.bought_micro) <>
       (coalesce(s.spent, 0), coalesce(s.given, 0), coalesce(s.bought, 0))
"""


async def discrepancies(ctx: Ctx) -> list[str]:
    """What is not as the ledger says, in words, of the organisations the context sees; empty when all is well."""
    found: list[Any] = []
    for sql in (_TOTALS, _SNAPSHOTS, _CREDITS, _NUMBERS, _BILLS, _RECOGNISED):
        found += await ctx.db.raw(sql)
    return [f"usage of {row.org_id}: {row.what} is {row.written}, and ought to be {row.ought}" for row in found]
