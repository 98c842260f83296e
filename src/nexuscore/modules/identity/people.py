"""What the platform's people do with accounts: see, suspend, restore, give roles."""

from typing import Literal

from sqlalchemy import bindparam, case, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.filters import equals, since, until
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.tables import columns
from nexuscore.modules.identity import sessions, single_use
from nexuscore.modules.identity.errors import AccountClosed, LastAdmin
from nexuscore.modules.identity.events import AccountRestored, AccountSuspended, PlatformRoleChanged
from nexuscore.modules.identity.memory import memory
from nexuscore.modules.identity.schemas import UserOut
from nexuscore.modules.identity.tables import Milestone, User
from nexuscore.modules.identity.way_schemas import PlatformRole

FIRST_ADMIN = "first_admin"

USERS = Listing(
    select(*columns(User, UserOut.model_fields)),
    by=User.id,
    sorts=(User.email,),
    filters={
        "state": equals(User.state, Literal["active", "unverified", "suspended", "deactivated"]),
        "platform_role": equals(User.platform_role, PlatformRole),
        "since": since(User.created_at),
        "until": until(User.created_at),
    },
    search=(User.email, User.name),
)
_SUSPEND = (
    update(User)
    .where(User.id == bindparam("user_id"), or_(User.state == "active", User.state == "unverified"))
    .values(state="suspended", state_reason=bindparam("why"))
    .returning(User)
)
_RESTORE = (
    update(User)
    .where(User.id == bindparam("user_id"), User.state == "suspended")
    .values(
        state=case(
            (
                or_(
                    User.email_verified_at.is_not(None),
                    User.phone_verified_at.is_not(None),
                    User.telegram_id.is_not(None),
                ),
                "active",
            ),
            else_="unverified",
        ),
        state_reason=None,
    )
    .returning(User)
)
_SET_ROLE = update(User).where(User.id == bindparam("user_id")).values(platform_role=bindparam("role")).returning(User)
_OTHER_ADMINS = select(func.count()).where(
    User.platform_role == "admin", User.state == "active", User.id != bindparam("user_id")
)
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('identity.admins', 0))"
_REMEMBER = insert(Milestone).on_conflict_do_nothing()


async def page(ctx: Ctx, query: PageQuery) -> Json:
    """Everybody's accounts, the newest first."""
    return await ctx.db.page(USERS, query)


async def suspend(ctx: Ctx, user: User, reason: str) -> User:
    """Close an account for now: its sessions, links and keys end within seconds."""
    await _keep_an_admin(ctx, user)
    suspended = await ctx.db.first(_SUSPEND, user_id=user.id, why=reason)
    if suspended is None:
        raise AccountClosed
    await sessions.revoke_sessions(ctx, user.id, "suspended")
    await single_use.kill(ctx, user.id)
    ctx.emit(AccountSuspended(user_id=user.id, reason=reason))
    return suspended


async def restore(ctx: Ctx, user: User) -> User:
    """Open a suspended account again."""
    restored = await ctx.db.first(_RESTORE, user_id=user.id)
    if restored is None:
        raise AccountClosed
    ctx.emit(AccountRestored(user_id=user.id))
    return restored


async def set_platform_role(ctx: Ctx, user: User, role: str) -> User:
    """Give somebody another role on the platform. The only way to one, so that the first admin is never forgotten."""
    if role != "admin":
        await _keep_an_admin(ctx, user)
    changed = await ctx.db.one(_SET_ROLE, user_id=user.id, role=role)
    if role == "admin":
        await ctx.db.execute(_REMEMBER, name=FIRST_ADMIN, at=ctx.now)
    if user.platform_role != role:
        ctx.emit(PlatformRoleChanged(user_id=user.id, before=user.platform_role, after=role))
    memory(ctx.app).sessions.clear()
    return changed


async def _keep_an_admin(ctx: Ctx, user: User) -> None:
    """Two admins who take each other's role at the same moment wait for each other here."""
    if user.platform_role != "admin":
        return
    await ctx.db.raw(_ONE_AT_A_TIME)
    if not await ctx.db.value(_OTHER_ADMINS, user_id=user.id):
        raise LastAdmin
