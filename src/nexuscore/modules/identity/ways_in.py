"""The ways into an account: whoever gives one up must keep another."""

from sqlalchemy import bindparam, func, select

from nexuscore.kernel.ctx import Ctx
from nexuscore.modules.identity.errors import LastWayIn
from nexuscore.modules.identity.factor_tables import Passkey
from nexuscore.modules.identity.oauth_tables import LinkedAccount
from nexuscore.modules.identity.tables import User

_LEFT = select(
    select(func.count(LinkedAccount.id)).where(LinkedAccount.user_id == bindparam("owner")).scalar_subquery()
    + select(func.count(Passkey.id)).where(Passkey.user_id == bindparam("owner")).scalar_subquery()
)


async def require_way_in(ctx: Ctx, user: User) -> None:
    """Stop here when nothing is left to sign in by: no password, no address or number that was proved, no other."""
    if user.password_hash is not None or user.email_verified_at is not None or user.phone_verified_at is not None:
        return
    if not await ctx.db.value(_LEFT, owner=user.id):
        raise LastWayIn
