"""Finding people."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, or_, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.filters import holding
from nexuscore.modules.identity.emails import normalise_email
from nexuscore.modules.identity.tables import User

_ONE = select(User).where(User.id == bindparam("user_id"))
_MANY = select(User).where(User.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
_CALLED = (
    _MANY.where(or_(User.email.ilike(bindparam("words")), User.name.ilike(bindparam("words"))))
    .order_by(User.name, User.id)
    .limit(bindparam("most"))
)
_BY_EMAIL = select(User).where(User.email == bindparam("address"))


async def user(ctx: Ctx, user_id: UUID) -> User:
    """One person, in whatever state their account is; `NotFoundError` when there is none."""
    return await ctx.db.one(_ONE, user_id=user_id)


async def users(ctx: Ctx, ids: Sequence[UUID]) -> list[User]:
    """Those of these people there are, in no order."""
    return await ctx.db.all(_MANY, ids=list(ids))


async def users_called(ctx: Ctx, words: str, *, among: Sequence[UUID], most: int = 5) -> list[User]:
    """A few of these people whose name or address holds these words."""
    return await ctx.db.all(_CALLED, ids=list(among), words=holding(words), most=most)


async def user_by_email(ctx: Ctx, email: str) -> User | None:
    """Whose login name this address is, however it is spelled."""
    return await ctx.db.first(_BY_EMAIL, address=normalise_email(email))
