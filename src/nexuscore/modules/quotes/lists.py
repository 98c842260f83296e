"""Lists of quotes as the console shows them: each with what its newest version comes to."""

from sqlalchemy import and_, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.filters import equals
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.tables import columns
from nexuscore.modules.orgs import Organisation
from nexuscore.modules.quotes.schemas import State
from nexuscore.modules.quotes.tables import Quote, QuoteVersion

_SHOWN = (
    *("id", "org_id", "number", "state", "revision", "sent_at", "valid_until", "accepted_at", "accepted_name"),
    *("invoice_id", "created_at"),
)
_NEWEST = and_(QuoteVersion.quote_id == Quote.id, QuoteVersion.revision == Quote.revision)
_SUMS = (QuoteVersion.currency, QuoteVersion.total)
_SORTS = {
    "number": Quote.number,
    "created_at": Quote.created_at,
    "valid_until": Quote.valid_until,
    "total": QuoteVersion.total,
}
QUOTES = Listing(
    select(*columns(Quote, _SHOWN), *_SUMS, Organisation.name.label("customer"))
    .join(QuoteVersion, _NEWEST)
    .join(Organisation, Organisation.id == Quote.org_id),
    by=Quote.id,
    sorts={**_SORTS, "customer": Organisation.name},
    filters={"state": equals(Quote.state, State), "org_id": equals(Quote.org_id)},
    search=(Quote.number, Organisation.name, Organisation.uen),
)
OURS = Listing(
    select(*columns(Quote, _SHOWN), *_SUMS).join(QuoteVersion, _NEWEST).where(Quote.state != "draft"),
    by=Quote.id,
    sorts=_SORTS,
    filters={"state": equals(Quote.state, State)},
    search=(Quote.number,),
)


async def quotes(ctx: Ctx, query: PageQuery) -> Json:
    """Everybody's quotes, drafts too, newest first."""
    async with ctx.across_orgs("the quotes of everybody") as everywhere:
        return await everywhere.db.page(QUOTES, query)


async def ours(ctx: Ctx, query: PageQuery) -> Json:
    """What the context's organisation was offered, newest first."""
    return await ctx.db.page(OURS, query)
