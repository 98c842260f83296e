"""Who can be invoiced: any organisation, found by its name, UEN or GST number."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, or_, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.modules import orgs
from nexuscore.modules.orgs import Organisation

MOST = 12
_COLUMNS = (Organisation.id, Organisation.name, Organisation.uen, Organisation.gst_number, Organisation.billing_email)
_WORDS: Any = bindparam("words")
_FIND = (
    select(*_COLUMNS)
    .where(
        ~Organisation.is_deleted,
        or_(
            Organisation.name.ilike(_WORDS, escape="\\"),
            Organisation.uen.ilike(_WORDS, escape="\\"),
            Organisation.gst_number.ilike(_WORDS, escape="\\"),
        ),
    )
    .order_by(Organisation.name, Organisation.id)
    .limit(MOST)
)


async def find_customers(ctx: Ctx, words: str) -> Sequence[Any]:
    """At most a dozen organisations these words mean; without words, the first by name."""
    plain = words.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    async with ctx.across_orgs("a customer is looked for") as everywhere:
        return await everywhere.db.all(_FIND, words=f"%{plain}%")


async def customer(ctx: Ctx, org_id: UUID) -> Organisation:
    """One of them; `NotFoundError` when there is none."""
    async with ctx.in_org(org_id) as there:
        return await orgs.organisation(there, org_id)
