"""What the console's search finds of quotes: by number, and by the customer's name."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic_core import from_json

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http.pages import Finder, Found
from nexuscore.kernel.i18n import translate
from nexuscore.kernel.paging import PageQuery
from nexuscore.modules.quotes.lists import QUOTES, quotes
from nexuscore.modules.quotes.permissions import MANAGE

_MOST = 6
_ASKS = QUOTES.asks(PageQuery)


class QuoteFinder(Finder):
    """Quotes of everybody."""

    permission: ClassVar[str | None] = MANAGE.name

    async def find(self, ctx: Ctx, words: str) -> Sequence[Found]:
        """The newest few with these words."""
        found = from_json(await quotes(ctx, _ASKS.model_validate({"limit": _MOST, "q": words})))["data"]
        kind = translate(ctx.locale, "Quote")
        place = "/console/billing/platform/quotes"
        return [Found(f"{row['number']} · {row['customer']}", kind, f"{place}/{row['id']}") for row in found]
