"""What the console's search finds of invoices: by number, and by the customer's name."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic_core import from_json

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http.pages import Finder, Found
from nexuscore.kernel.i18n import translate
from nexuscore.kernel.paging import PageQuery
from nexuscore.modules import books
from nexuscore.modules.invoices.lists import CREDIT_NOTES, INVOICES
from nexuscore.modules.invoices.permissions import MANAGE

_MOST = 6
_INVOICES, _NOTES = INVOICES.asks(PageQuery), CREDIT_NOTES.asks(PageQuery)


class InvoiceFinder(Finder):
    """Invoices, drafts too."""

    permission: ClassVar[str | None] = MANAGE.name

    async def find(self, ctx: Ctx, words: str) -> Sequence[Found]:
        """The newest few with these words."""
        asked = _INVOICES.model_validate({"limit": _MOST, "q": words})
        async with ctx.across_orgs("the search of the console") as everywhere:
            found = await everywhere.db.page(INVOICES, asked, today=books.today(ctx))
        kind, draft = translate(ctx.locale, "Invoice"), translate(ctx.locale, "Draft")
        return [
            Found(
                f"{row['number'] or draft} · {row['customer']}", kind, f"/console/billing/platform/invoices/{row['id']}"
            )
            for row in from_json(found)["data"]
        ]


class CreditNoteFinder(Finder):
    """Credit notes."""

    permission: ClassVar[str | None] = MANAGE.name

    async def find(self, ctx: Ctx, words: str) -> Sequence[Found]:
        """The newest few with these words."""
        asked = _NOTES.model_validate({"limit": _MOST, "q": words})
        async with ctx.across_orgs("the search of the console") as everywhere:
            found = await everywhere.db.page(CREDIT_NOTES, asked)
        kind = translate(ctx.locale, "Credit note")
        return [
            Found(f"{row['number']} · {row['customer']}", kind, f"/console/billing/platform/credit-notes/{row['id']}")
            for row in from_json(found)["data"]
        ]
