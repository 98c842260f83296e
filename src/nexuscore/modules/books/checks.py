"""Checks: what every module that keeps money holds against the journal. `nexus billing verify` runs them all."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.modules.books.chart import Account

_UNBALANCED = (
    "SELECT e.id, e.source, p.currency, sum(p.amount) AS off FROM journal_entries e"
    " LEFT JOIN journal_postings p ON p.entry_id = e.id GROUP BY e.id, p.currency"
    " HAVING sum(p.amount) IS DISTINCT FROM 0 ORDER BY e.id"
)
_STRANGE = (
    "SELECT account, count(*) AS postings FROM journal_postings WHERE account <> ALL($1::text[])"
    " GROUP BY account ORDER BY account"
)
_MISPLACED = (
    "SELECT e.id FROM journal_entries e JOIN journal_postings p ON p.entry_id = e.id"
    " WHERE p.org_id IS DISTINCT FROM e.org_id GROUP BY e.id ORDER BY e.id"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not add up: about what, and in words and figures what is wrong with it."""

    subject: str
    what: str


@dataclass(frozen=True, slots=True)
class Check:
    """The slot: a named check over all organisations. It changes nothing; no finding is good."""

    name: str
    run: Callable[[Ctx], Awaitable[Sequence[Finding]]]


async def entries_balance(ctx: Ctx) -> list[Finding]:
    """Every entry sums to zero in every currency, and its postings are in its own organisation."""
    found = [
        Finding(f"entry {row.id}", f"{row.source} is off by {row.off} {row.currency}")
        for row in await ctx.db.raw(_UNBALANCED)
    ]
    misplaced = await ctx.db.raw(_MISPLACED)
    return found + [Finding(f"entry {row.id}", "its postings are in another organisation") for row in misplaced]


async def accounts_are_known(ctx: Ctx) -> list[Finding]:
    """Every account is in the chart."""
    chart = [account.code for account in ctx.app.fillers(Account)]
    return [
        Finding(f"account {row.account}", f"has {row.postings} postings and is in no module's chart")
        for row in await ctx.db.raw(_STRANGE, chart)
    ]


CHECKS = (Check("entries sum to zero", entries_balance), Check("accounts are known", accounts_are_known))


async def verify(app: App) -> list[tuple[Check, Sequence[Finding]]]:
    """What every module's checks find, each in a transaction of its own."""
    found = []
    for check in app.fillers(Check):
        async with app.context(across=True) as ctx:
            found.append((check, await check.run(ctx)))
    return found
