"""Finding people."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.modules.identity.emails import normalise_email
from nexuscore.modules.identity.tables import User

_ONE = select(User).where(User.id == bindparam("user_id"))
_MANY = select(User).where(User.id == any_(bindparam("ids", type_=ARRAY(Uuid))))
_BY_EMAIL = select(User).where(User.email == bindparam("address"))


async def user(ctx: Ctx, user_id: UUID) -> User:
    """One person, in whatever state their account is; `NotFoundError` when there is none."""
    return await ctx.db.one(_ONE, user_id=user_id)


async def users(ctx: Ctx, ids: Sequence[UUID]) -> list[User]:
    """Those of these people there are, in no order."""
    return await ctx.db.all(_MANY, ids=list(ids))


async def user_by_email(ctx: Ctx, email: str) -> User | None:
    """Whose login name this address is, however it is spelled."""
    return await ctx.db.first(_BY_EMAIL, address=normalise_email(email))
