"""Usage over HTTP: parse, call one verb, return."""

from typing import Annotated, Any

from fastapi import Query

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.http import Can, Page, PageQuery, Routes
from nexuscore.modules import orgs
from nexuscore.modules.usage import answers, caps, credits, purchases
from nexuscore.modules.usage.permissions import BUY, CAP, GRANT, READ, READ_OWN
from nexuscore.modules.usage.schemas import (
    CapIn,
    CapOut,
    EntryOut,
    GrantIn,
    OrderIn,
    OrderOut,
    OwnUsageOut,
    TermsIn,
    TermsOut,
    UsageOut,
)
from nexuscore.modules.usage.tables import UsageAccount, UsageEntry

routes = Routes("/usage", tag="Usage")

CanRead = Annotated[Ctx, Can(READ)]
CanReadOwn = Annotated[Ctx, Can(READ_OWN)]
CanCap = Annotated[Ctx, Can(CAP)]
CanBuy = Annotated[Ctx, Can(BUY)]
CanGrant = Annotated[Ctx, Can(GRANT)]


@routes.get("", answer=UsageOut)
async def read_usage(ctx: CanRead) -> Any:
    """Where the organisation stands: credits, terms, and what is spent and left this day and month."""
    return await answers.standing(ctx)


@routes.get("/mine", answer=OwnUsageOut)
async def read_own_usage(ctx: CanReadOwn) -> Any:
    """What is spent and left for whoever asks, this day and month."""
    return await answers.own(ctx)


@routes.get("/entries", answer=Page[EntryOut], listing=answers.ENTRIES)
async def list_usage(ctx: CanRead, query: Annotated[PageQuery, Query()]) -> Json:
    """The ledger, the latest entry first."""
    return await answers.entries(ctx, query)


@routes.get("/caps", answer=list[CapOut])
async def list_usage_caps(ctx: CanRead) -> Any:
    """How much may be spent in a day and in a month: by the organisation, and by members with caps of their own."""
    return [caps.shown(cap) for cap in await caps.every_cap(ctx)]


@routes.put("/caps", answer=CapOut, needs_key=True)
async def set_usage_cap(ctx: CanCap, new: CapIn) -> Any:
    """Set both caps of the organisation, or of one member."""
    return caps.shown(await caps.set_cap(ctx, new.user_id, new.day_micro, new.month_micro))


@routes.post("/orders", answer=OrderOut, status=201, needs_key=True)
async def order_credits(ctx: CanBuy, new: OrderIn) -> Any:
    """Order credits: an invoice is made at once, and the credits are there once it is paid."""
    invoice = await purchases.order(ctx, new.amount_minor)
    names = ("number", "subtotal", "gst_amount", "total", "currency")
    return {"invoice_id": invoice.id, **{name: getattr(invoice, name) for name in names}}


@routes.post("/grants", answer=EntryOut, status=201, needs_key=True, errors=(NotFoundError,))
async def grant_credits(ctx: CanGrant, new: GrantIn) -> UsageEntry:
    """Give an organisation credits."""
    async with ctx.in_org(new.organisation_id) as inside:
        await orgs.organisation(inside, new.organisation_id)
        return await credits.grant(inside, new.amount_micro, reason=new.reason)


@routes.put("/terms", answer=TermsOut, needs_key=True, errors=(NotFoundError,))
async def set_usage_terms(ctx: CanGrant, new: TermsIn) -> UsageAccount:
    """Let an organisation pay afterwards, by invoice, or in advance; and set when it is warned."""
    async with ctx.in_org(new.organisation_id) as inside:
        await orgs.organisation(inside, new.organisation_id)
        return await credits.set_terms(inside, is_postpaid=new.is_postpaid, warn_below_micro=new.warn_below_micro)
