"""What the console's search finds in the log: a fact by its id, a request by its own, and types of facts."""

from collections.abc import Sequence
from typing import ClassVar
from urllib.parse import urlencode

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http.pages import Finder, Found
from nexuscore.kernel.i18n import translate
from nexuscore.kernel.ids import uuid_in
from nexuscore.modules.audit.permissions import READ, READ_ALL

_SHORTEST = 8  # of what may be the id of a request
_ONE = "SELECT id, type FROM events WHERE id = $1"
_LATELY = """
    SELECT DISTINCT request_id
      FROM (SELECT request_id FROM events ORDER BY {} LIMIT 5000) AS lately WHERE request_id = $1
"""
_HERE, _EVERYWHERE = _LATELY.format("time DESC, id DESC"), _LATELY.format("id DESC")  # each as its index lies
PLACE = "/console/audit"


class FactFinder(Finder):
    """The organisation's facts, and the types there are."""

    permission: ClassVar[str | None] = READ.name

    async def find(self, ctx: Ctx, words: str) -> Sequence[Found]:
        """A fact, or what a request did, or types that are called so."""
        number = uuid_in(words)
        facts = await ctx.db.raw(_ONE, number) if number is not None else []
        types = [type for type in sorted(ctx.app.event_types) if words.casefold() in type][:5]
        requests = await ctx.db.raw(_HERE, words) if len(words) >= _SHORTEST else []
        fact, request = translate(ctx.locale, "Fact"), translate(ctx.locale, "Request")
        kind = translate(ctx.locale, "Facts of a type")
        return [
            *(Found(row.type, fact, f"{PLACE}/{row.id}", str(row.id)) for row in facts),
            *(Found(row.request_id, request, _asking(PLACE, row.request_id)) for row in requests),
            *(Found(type, kind, f"{PLACE}?type={type}") for type in types),
        ]


class WholeLogFinder(Finder):
    """What a request did, whoever's it was, for who runs the platform."""

    permission: ClassVar[str | None] = READ_ALL.name

    async def find(self, ctx: Ctx, words: str) -> Sequence[Found]:
        """The way to its facts; looking at them is a fact itself."""
        if len(words) < _SHORTEST:
            return []
        async with ctx.across_orgs("a request looked for by its id") as everywhere:
            rows = await everywhere.db.raw(_EVERYWHERE, words)
        kind = translate(ctx.locale, "Request, in the whole log")
        return [Found(row.request_id, kind, _asking(f"{PLACE}/everywhere", row.request_id)) for row in rows]


def _asking(place: str, request_id: str) -> str:
    return f"{place}?{urlencode({'request_id': request_id})}"
