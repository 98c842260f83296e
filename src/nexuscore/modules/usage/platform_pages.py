"""The platform's side of usage: an organisation's credits and terms, and giving it some."""

from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import bindparam, select

from nexuscore.kernel.ctx import Ctx, RowCtx
from nexuscore.kernel.http import Can, Nav, PageQuery, Pages, Query, Schema, View, Went, amount_of
from nexuscore.kernel.paging import Listing
from nexuscore.kernel.tables import columns
from nexuscore.modules import orgs
from nexuscore.modules.usage import answers, credits
from nexuscore.modules.usage.permissions import GRANT
from nexuscore.modules.usage.purchases import micro_of
from nexuscore.modules.usage.routes import CanGrant
from nexuscore.modules.usage.schemas import Said
from nexuscore.modules.usage.settings import UsageSettings
from nexuscore.modules.usage.written import ledger, typed

HOME = "/console/billing/platform/credits"
pages = Pages("/billing/platform/credits", tag="Usage")
_ONE = select(orgs.Organisation).where(orgs.Organisation.id == bindparam("of"))
ORGANISATIONS = Listing(
    select(*columns(orgs.Organisation, ["id", "name", "billing_email", "created_at"])).where(
        ~orgs.Organisation.is_deleted
    ),
    by=orgs.Organisation.id,
    sorts=(orgs.Organisation.name,),
    search=(orgs.Organisation.name, orgs.Organisation.billing_email),
)


async def organisation(ctx: Ctx, organisation_id: UUID) -> orgs.Organisation:
    """Any organisation, for those who serve all."""
    async with ctx.across_orgs("an organisation is found by its id") as everywhere:
        return await everywhere.db.one(_ONE, of=organisation_id)


CanGrantOne = Annotated[RowCtx[orgs.Organisation], Can(GRANT, row=organisation)]


class GrantForm(Schema):
    """Credits for an organisation, as they are typed."""

    amount: str
    reason: Said


class TermsForm(Schema):
    """The terms of an organisation, as they are typed."""

    is_postpaid: bool = False
    warn_below: str | None = Field(None, max_length=30)


@pages.get(title="Credits", nav=Nav("Platform", icon="coins", order=32), listing=ORGANISATIONS)
async def credits_page(ctx: CanGrant, query: Annotated[PageQuery, Query()]) -> View:
    """Every organisation, to find the one that is meant."""
    async with ctx.across_orgs("whoever gives credits looks for whom") as everywhere:
        return View("organisations.html", organisations=await everywhere.db.page(ORGANISATIONS, query))


@pages.get("/{organisation_id}", title="Credits")
async def organisation_credits_page(ctx: CanGrantOne) -> View:
    """Where an organisation stands, and the forms that change it."""
    async with ctx.in_org(ctx.row.id) as there:
        found = await answers.standing(there)
        entries = await answers.entries(there, answers.ENTRIES.asks(PageQuery).model_validate({"limit": 10}))
    title = ctx.row.name
    return View("credits.html", title=title, row=ctx.row, **found, entries=ledger(ctx, entries, {}))


@pages.post("/{organisation_id}/grants", shows=organisation_credits_page, once=True)
async def grant_credits_page(ctx: CanGrantOne, given: GrantForm) -> Went:
    """Give it credits."""
    money = amount_of(given.amount, ctx.app.settings[UsageSettings].currency)
    async with ctx.in_org(ctx.row.id) as there:
        await credits.grant(there, micro_of(money), reason=given.reason)
    return Went(f"{HOME}/{ctx.row.id}", say="The credits are given.")


@pages.post("/{organisation_id}/terms", shows=organisation_credits_page, once=True)
async def set_usage_terms_page(ctx: CanGrantOne, given: TermsForm) -> Went:
    """Let it pay afterwards, or in advance, and set when it is warned."""
    warn = typed(ctx, given.warn_below, "warn_below")
    async with ctx.in_org(ctx.row.id) as there:
        await credits.set_terms(there, is_postpaid=given.is_postpaid, warn_below_micro=warn)
    return Went(f"{HOME}/{ctx.row.id}", say="The terms are set.")
