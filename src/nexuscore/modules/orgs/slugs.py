"""Slugs: the short names of organisations in links. A slug once taken is never somebody else's."""

import re
import unicodedata

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from nexuscore.kernel.ctx import Ctx
from nexuscore.modules.orgs.errors import LimitReached, SlugTaken
from nexuscore.modules.orgs.tables import Slug

LONGEST = 80
MOST = 20  # slugs of one organisation, former ones included
_TRIES = 50
_TAKE = upsert(Slug).on_conflict_do_nothing().returning(Slug.slug)
_OWN = select(Slug.slug).where(Slug.slug == bindparam("wanted"))
_NUMBER = select(func.count()).select_from(Slug)
_LIKE = select(Slug.slug).where(Slug.slug.op("~")(bindparam("pattern")))


def slug_of(name: str) -> str:
    """A slug for a name: plain letters and digits, joined by hyphens."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall("[a-z0-9]+", plain))[:LONGEST].strip("-") or "organisation"


async def take(ctx: Ctx, slug: str) -> None:
    """Take `slug` for the context's organisation, or find that it was its own before."""
    if await ctx.db.first(_TAKE, slug=slug) is not None:
        if await ctx.db.value(_NUMBER) > MOST:
            raise LimitReached(
                "An organisation can have {limit} short names over time. Use one of the former ones.",
                details={"what": "slugs", "limit": MOST},
                limit=MOST,
            )
        return
    if await ctx.db.first(_OWN, wanted=slug) is None:
        raise SlugTaken


async def take_like(ctx: Ctx, name: str) -> str:
    """Take the slug of `name` for the context's organisation, with the first free number behind it if it must be."""
    base = slug_of(name)
    slug = base
    for _ in range(_TRIES):
        if await ctx.db.first(_TAKE, slug=slug) is not None:
            return slug
        slug = f"{base}-{await _free_number(ctx, base)}"
    raise SlugTaken


async def _free_number(ctx: Ctx, base: str) -> int:
    async with ctx.across_orgs("a slug must be free in the whole house") as everywhere:
        rows = await everywhere.db.all(_LIKE, pattern=f"^{base}-[0-9]{{1,9}}$")
    taken = {int(row.slug.rpartition("-")[2]) for row in rows}
    return next(number for number in range(2, len(taken) + 3) if number not in taken)
