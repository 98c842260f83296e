"""Posting: one statement per entry, held against the chart before and by the database after."""

from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.ids import uuid7
from nexuscore.modules.books.chart import Account
from nexuscore.modules.books.entries import Entry
from nexuscore.modules.books.errors import AlreadyPosted, EntryRefused
from nexuscore.modules.books.events import EntryPosted
from nexuscore.modules.books.settings import BooksSettings

_POST = (
    "WITH entry AS ("
    " INSERT INTO journal_entries (id, org_id, posted_on, posted_at, source, reference, memo, subject, posted_by)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING id, org_id)"
    " INSERT INTO journal_postings (entry_id, number, org_id, account, currency, amount)"
    " SELECT entry.id, posting.number, entry.org_id, posting.account, posting.currency, posting.amount"
    " FROM entry, unnest($10::text[], $11::text[], $12::bigint[])"
    " WITH ORDINALITY AS posting (account, currency, amount, number) RETURNING number"
)


async def post(ctx: Ctx, entry: Entry) -> UUID:
    """Write an entry into the books of the context's organisation, or outside any into the platform's; its id."""
    known = {account.code for account in ctx.app.fillers(Account)}
    unknown = {posting.account.code for posting in entry.postings} - known
    if unknown:
        raise EntryRefused(details={"source": entry.source, "unknown": sorted(unknown)})
    id = uuid7()
    written = await ctx.db.raw(
        _POST,
        id,
        ctx.org,
        entry.on or today(ctx),
        ctx.now,
        entry.source,
        entry.reference,
        entry.memo,
        entry.subject,
        ctx.actor.id,
        [posting.account.code for posting in entry.postings],
        [posting.money.currency for posting in entry.postings],
        [posting.money.minor for posting in entry.postings],
    )
    if not written:
        raise AlreadyPosted(details={"source": entry.source, "reference": entry.reference})
    ctx.emit(EntryPosted(entry_id=id, source=entry.source, reference=entry.reference))
    return id


def today(ctx: Ctx) -> date:
    """The day it is where the books are kept."""
    return ctx.now.astimezone(zone(ctx.app)).date()


def zone(app: App) -> ZoneInfo:
    """Where the books are kept, and so when a day, a month and a quarter begin."""
    return ZoneInfo(app.settings[BooksSettings].time_zone)
