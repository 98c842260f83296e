"""Events that came in, for the console's search: by our id or their sender's."""

from collections.abc import Sequence
from typing import ClassVar

from sqlalchemy import bindparam, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http.pages import Finder, Found
from nexuscore.kernel.i18n import translate
from nexuscore.kernel.ids import uuid_in
from nexuscore.modules.inbox.permissions import READ
from nexuscore.modules.inbox.providers import providers
from nexuscore.modules.inbox.tables import Message

_messages = select(Message.id, Message.type, Message.provider, Message.event_id)
_NUMBERED = _messages.where(Message.id == bindparam("number"))
_THEIRS = _messages.where(Message.provider == bindparam("of_provider"), Message.event_id == bindparam("words"))


class InboundFinder(Finder):
    """An event by its id here, or the one its provider gave it."""

    permission: ClassVar[str | None] = READ.name

    async def find(self, ctx: Ctx, words: str) -> Sequence[Found]:
        """Those that are called exactly so."""
        number = uuid_in(words)
        rows = await ctx.db.all(_NUMBERED, number=number) if number is not None else []
        for name in providers(ctx.app):  # the index is by provider
            rows += await ctx.db.all(_THEIRS, of_provider=name, words=words)
        kind = translate(ctx.locale, "Inbound event")
        return [Found(row.type, kind, f"/console/inbox/{row.id}", f"{row.provider} {row.event_id}") for row in rows]
