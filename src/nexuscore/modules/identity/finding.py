"""People the console's search finds, for who may see everybody's accounts."""

from collections.abc import Sequence
from typing import ClassVar

from sqlalchemy import bindparam, or_, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.filters import holding
from nexuscore.kernel.http.pages import Finder, Found
from nexuscore.kernel.i18n import translate
from nexuscore.kernel.ids import uuid_in
from nexuscore.modules.identity.permissions import SEE_USERS
from nexuscore.modules.identity.tables import User

_people = select(User.id, User.name, User.email)
_CALLED = (
    _people.where(or_(User.email.ilike(bindparam("words")), User.name.ilike(bindparam("words"))))
    .order_by(User.id.desc())
    .limit(5)
)
_NUMBERED = _people.where(User.id == bindparam("number"))


class AccountFinder(Finder):
    """Everybody by name, address or id."""

    permission: ClassVar[str | None] = SEE_USERS.name

    async def find(self, ctx: Ctx, words: str) -> Sequence[Found]:
        """The newest few."""
        number = uuid_in(words)
        if number is None:
            rows = await ctx.db.all(_CALLED, words=holding(words))
        else:
            rows = await ctx.db.all(_NUMBERED, number=number)
        kind = translate(ctx.locale, "Account")
        return [
            Found(row.name or row.email or str(row.id), kind, f"/console/people/{row.id}", row.email or "")
            for row in rows
        ]
