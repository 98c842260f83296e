"""What the journal adds up to: per account, and for one thing."""

from datetime import date
from uuid import UUID

from sqlalchemy import and_, bindparam, exists, func, literal_column, select
from sqlalchemy.orm import aliased

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.filters import Filter, equals, since, until
from nexuscore.kernel.money import Money
from nexuscore.kernel.paging import Listing
from nexuscore.kernel.tables import columns
from nexuscore.modules.books.chart import Account
from nexuscore.modules.books.schemas import AccountTotals, EntryOut, EntryQuery
from nexuscore.modules.books.tables import JournalEntry, JournalPosting

_TOTALS = (
    "SELECT p.account, p.currency, coalesce(sum(p.amount) FILTER (WHERE p.amount > 0), 0)::bigint AS debit,"
    " coalesce(-sum(p.amount) FILTER (WHERE p.amount < 0), 0)::bigint AS credit"
    " FROM journal_postings p JOIN journal_entries e ON e.id = p.entry_id"
    " WHERE e.posted_on >= coalesce($1, '-infinity'::date) AND e.posted_on <= coalesce($2, 'infinity'::date)"
    " AND ($3::uuid IS NULL OR e.org_id = $3)"
    " GROUP BY p.account, p.currency ORDER BY p.account, p.currency"
)
_BALANCE = (
    select(func.coalesce(func.sum(JournalPosting.amount), 0).op("::")(literal_column("bigint")))
    .join(JournalEntry, JournalEntry.id == JournalPosting.entry_id)
    .where(
        JournalEntry.subject == bindparam("about"),
        JournalPosting.account == bindparam("on"),
        JournalPosting.currency == bindparam("of"),
    )
)
_POSTINGS = (
    select(
        func.json_agg(
            func.json_build_object(
                "account", JournalPosting.account, "currency", JournalPosting.currency, "amount", JournalPosting.amount
            ).op("ORDER BY")(JournalPosting.number)
        )
    )
    .where(JournalPosting.entry_id == JournalEntry.id)
    .scalar_subquery()
    .label("postings")
)
_ENTRIES = select(*columns(JournalEntry, [name for name in EntryOut.model_fields if name != "postings"]), _POSTINGS)
_MOVED = aliased(JournalPosting)
JOURNAL = Listing(
    _ENTRIES,
    by=JournalEntry.id,
    filters={
        "account": Filter(
            str,
            lambda value: exists().where(_MOVED.entry_id == JournalEntry.id, _MOVED.account == value),
            "Only what moved this account.",
            JournalPosting.account,
        ),
        "org_id": equals(JournalEntry.org_id),
        "subject": equals(JournalEntry.subject),
        "since": since(JournalEntry.posted_on, date),
        "until": until(JournalEntry.posted_on, date),
    },
    search=(JournalEntry.memo, JournalEntry.source, JournalEntry.reference),
)
_OF_ORG = JournalEntry.org_id == bindparam("of_org")
_ABOUT = JournalEntry.subject == bindparam("about")
_LISTINGS = {
    (False, False): Listing(_ENTRIES, by=JournalEntry.id),
    (True, False): Listing(_ENTRIES.where(_OF_ORG), by=JournalEntry.id),
    (False, True): Listing(_ENTRIES.where(_ABOUT), by=JournalEntry.id),
    (True, True): Listing(_ENTRIES.where(and_(_OF_ORG, _ABOUT)), by=JournalEntry.id),
}


async def report(
    ctx: Ctx, *, since: date | None = None, until: date | None = None, org_id: UUID | None = None
) -> list[AccountTotals]:
    """What moved on every account from `since` to `until`, both included, as far as the scope sees."""
    chart = {account.code: account for account in ctx.app.fillers(Account)}
    totals = []
    for row in await ctx.db.raw(_TOTALS, since, until, org_id):
        account = chart.get(row.account, Account(row.account, "An account of a module that is gone", "asset"))
        totals.append(
            AccountTotals(
                account=account.code,
                meaning=account.meaning,
                kind=account.kind,
                currency=row.currency,
                debit=row.debit,
                credit=row.credit,
                balance=row.debit - row.credit,
            )
        )
    return totals


async def balance(ctx: Ctx, account: Account, subject: UUID, currency: str) -> Money:
    """What is on an account for one thing, such as what is receivable for an invoice."""
    return Money(await ctx.db.value(_BALANCE, about=subject, on=account.code, of=currency), currency)


async def page(ctx: Ctx, query: EntryQuery) -> Json:
    """The journal, newest first, as far as the scope sees."""
    given = {"of_org": query.org_id, "about": query.subject}
    shape = query.org_id is not None, query.subject is not None
    return await ctx.db.page(
        _LISTINGS[shape], query, **{name: value for name, value in given.items() if value is not None}
    )
