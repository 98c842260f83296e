"""Notes the console's search finds."""

from collections.abc import Sequence
from typing import ClassVar

from sqlalchemy import bindparam, select

from examples.notes.permissions import READ
from examples.notes.tables import Note
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.filters import holding
from nexuscore.kernel.http.pages import Finder, Found
from nexuscore.kernel.i18n import translate

_CALLED = select(Note.id, Note.title).where(Note.title.ilike(bindparam("words"))).order_by(Note.id.desc()).limit(5)


class NoteFinder(Finder):
    """The organisation's notes by their titles."""

    permission: ClassVar[str | None] = READ.name

    async def find(self, ctx: Ctx, words: str) -> Sequence[Found]:
        """The newest few."""
        rows = await ctx.db.all(_CALLED, words=holding(words))
        kind = translate(ctx.locale, "Note")
        return [Found(row.title, kind, f"/console/notes/{row.id}") for row in rows]
