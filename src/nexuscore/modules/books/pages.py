"""The books in the console: every account with its balance, that they sum to zero, and the journal behind one."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

from pydantic_core import from_json

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.http import Nav, PageQuery, Pages, Query, Schema, View
from nexuscore.modules.books import reports
from nexuscore.modules.books.chart import Account
from nexuscore.modules.books.routes import CanRead
from nexuscore.modules.books.schemas import AccountTotals

pages = Pages("/billing/platform/books", tag="Books")
KINDS = ("asset", "liability", "income", "expense")


class Span(Schema):
    """The days to add up, both included; all of them, unless it is said."""

    since: date | None = None
    until: date | None = None


@pages.get(title="Books", nav=Nav("Platform", icon="columns", order=41))
async def books_page(ctx: CanRead, span: Annotated[Span, Query()]) -> View:
    """What moved on every account, by kind, and what it all sums to."""
    async with ctx.across_orgs("the report of all accounts") as everywhere:
        accounts = await reports.report(everywhere, since=span.since, until=span.until)
    rows = [row.model_dump() for kind in KINDS for row in accounts if row.kind == kind]
    return View("books.html", accounts=rows, sums=sums_of(accounts), since=span.since, until=span.until)


def sums_of(accounts: Sequence[AccountTotals]) -> dict[str, dict[str, int]]:
    """Debits, credits and what is left of them, by currency."""
    found: dict[str, dict[str, int]] = {}
    for row in accounts:
        sums = found.setdefault(row.currency, {"debit": 0, "credit": 0, "balance": 0})
        sums["debit"] += row.debit
        sums["credit"] += row.credit
        sums["balance"] += row.balance
    return dict(sorted(found.items()))


@pages.get("/journal", title="Journal", nav=Nav("Platform", icon="list", order=42), listing=reports.JOURNAL)
async def journal_page(ctx: CanRead, query: Annotated[PageQuery, Query()]) -> View:
    """Every movement of money, newest first."""
    return View("journal.html", entries=await _entries(ctx, query))


@pages.get("/accounts/{account}", title="Account", listing=reports.JOURNAL)
async def books_account_page(ctx: CanRead, account: str, query: Annotated[PageQuery, Query()]) -> View:
    """One account: its balances, and the entries that moved it."""
    known = {each.code: each for each in ctx.app.fillers(Account)}
    async with ctx.across_orgs("the report of all accounts") as everywhere:
        balances = [row for row in await reports.report(everywhere) if row.account == account]
    if account not in known and not balances:
        raise NotFoundError
    asked = query.model_copy(update={"account": account})
    meaning = known[account].meaning if account in known else balances[0].meaning
    entries = await _entries(ctx, asked, account)
    return View("account.html", title=account, account=account, meaning=meaning, balances=balances, entries=entries)


async def _entries(ctx: Ctx, query: PageQuery, account: str = "") -> dict[str, Any]:
    """A page of the journal as rows of a table: where the money came from and where it went, and how much."""
    async with ctx.across_orgs("the whole journal") as everywhere:
        page: dict[str, Any] = from_json(await everywhere.db.page(reports.JOURNAL, query))
    return {**page, "data": [row for entry in page["data"] for row in _rows(entry, account)]}


def _rows(entry: dict[str, Any], account: str) -> list[dict[str, Any]]:
    """A row for each currency of an entry; of one account, its own amount."""
    rows = []
    for currency in dict.fromkeys(posting["currency"] for posting in entry["postings"]):
        moved = [posting for posting in entry["postings"] if posting["currency"] == currency]
        own = sum(each["amount"] for each in moved if each["account"] == account)
        rows.append(
            {
                **entry,
                "currency": currency,
                "debits": [each["account"] for each in moved if each["amount"] > 0],
                "credits": [each["account"] for each in moved if each["amount"] < 0],
                "amount": own if account else sum(each["amount"] for each in moved if each["amount"] > 0),
            }
        )
    return rows
