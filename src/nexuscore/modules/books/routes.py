"""The books over HTTP, for those who run the platform: parse, call one verb, return."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Query

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.http import Can, Page, Routes
from nexuscore.modules.books import reports
from nexuscore.modules.books.permissions import READ
from nexuscore.modules.books.schemas import EntryOut, EntryQuery, Report

routes = Routes("/books", tag="Books")

CanRead = Annotated[Ctx, Can(READ)]
First = Annotated[date | None, Query(description="From this day on.")]
Last = Annotated[date | None, Query(description="Until this day, included.")]
Org = Annotated[UUID | None, Query(description="Movements with this organisation alone.")]


@routes.get("/accounts", answer=Report, replica=True)
async def read_accounts(ctx: CanRead, since: First = None, until: Last = None, org_id: Org = None) -> Report:
    """What moved on every account, over all organisations or with one."""
    async with ctx.across_orgs("the report of all accounts") as everywhere:
        accounts = await reports.report(everywhere, since=since, until=until, org_id=org_id)
    return Report(since=since, until=until, accounts=accounts)


@routes.get("/entries", answer=Page[EntryOut], replica=True)
async def list_entries(ctx: CanRead, query: Annotated[EntryQuery, Query()]) -> Json:
    """The journal of all organisations and of the platform, newest first."""
    async with ctx.across_orgs("the whole journal") as everywhere:
        return await reports.page(everywhere, query)
