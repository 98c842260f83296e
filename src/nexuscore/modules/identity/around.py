"""Around every page: who is signed in, and the way to their account."""

from typing import Any, ClassVar, Literal

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http.pages import Around
from nexuscore.modules.identity.directory import users


class Me(Around):
    """The menu of whoever is signed in."""

    place: ClassVar[Literal["start", "end", "menu"]] = "menu"
    template: ClassVar[str] = "me.html"

    async def look(self, ctx: Ctx) -> dict[str, Any] | None:
        """Name and address; nothing for a key, or for the development token."""
        found = await users(ctx, [ctx.actor.id]) if ctx.actor.id is not None else []
        return {"name": found[0].name, "email": found[0].email or ""} if found else None
