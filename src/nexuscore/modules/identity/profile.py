"""The caller's own account: read, changed, moved to another address, closed."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Text, bindparam, cast, delete, func, select, update
from sqlalchemy.dialects.postgresql import JSONB

from nexuscore.kernel.access import require_fresh
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.jobs import Job, worker
from nexuscore.modules import mail
from nexuscore.modules.identity import api_keys, factors, mails, sessions, single_use
from nexuscore.modules.identity.counters import Counter
from nexuscore.modules.identity.directory import user as one_user, user_by_email
from nexuscore.modules.identity.emails import mailbox, normalise_email
from nexuscore.modules.identity.errors import SecretInvalid
from nexuscore.modules.identity.events import (
    AccountDeactivated,
    AccountDeleted,
    EmailChanged,
    EmailChangeRequested,
    UserChanged,
)
from nexuscore.modules.identity.exchanges import begin, guard
from nexuscore.modules.identity.memory import memory
from nexuscore.modules.identity.oauth_tables import LinkedAccount
from nexuscore.modules.identity.schemas import Me, MeChange
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.single_use import CHANGE_EMAIL, owner_of
from nexuscore.modules.identity.tables import Session, User

_LARGEST_PREFERENCES = 16_384
_ME = select(
    *(getattr(User, name) for name in Me.model_fields if name != "has_password"),
    User.password_hash.is_not(None).label("has_password"),
).where(User.id == bindparam("owner"))
_CHANGE = update(User).where(User.id == bindparam("owner"))
_MERGE = (
    update(User)
    .where(User.id == bindparam("owner"))
    .values(
        preferences=func.jsonb_strip_nulls(
            User.preferences.op("||", return_type=JSONB())(bindparam("given", type_=JSONB()))
        )
    )
    .returning(func.octet_length(cast(User.preferences, Text)))
)
_YIELD_ADDRESS = (
    update(User)
    .where(User.email == bindparam("address"), User.state == "unverified", User.id != bindparam("owner"))
    .values(email=None, state="deactivated")
    .returning(User.id)
)
_MOVE = (
    update(User)
    .where(User.id == bindparam("owner"), User.state == "active")
    .values(email=bindparam("address"), email_verified_at=bindparam("now"))
)
_CLOSE = (
    update(User)
    .where(User.id == bindparam("owner"))
    .values(
        email=None,
        email_verified_at=None,
        phone=None,
        phone_verified_at=None,
        telegram_id=None,
        name="",
        company="",
        preferences={},
        password_hash=None,
        state="deactivated",
        state_reason=None,
        platform_role="user",
    )
)
_FORGET_LINKS = delete(LinkedAccount).where(LinkedAccount.user_id == bindparam("owner"))
_FORGET_SESSIONS = delete(Session).where(Session.user_id == bindparam("owner"))


class StartEmailChange(Job, name="identity.start_email_change"):
    """Mail a link to the address somebody wants to use from now on."""

    user_id: UUID
    email: str


async def me(ctx: Ctx) -> Any:
    """The caller's account."""
    return await ctx.db.one(_ME, owner=ctx.actor.id)


async def change(ctx: Ctx, given: MeChange) -> Any:
    """Change the given fields of the caller's account."""
    fields: dict[str, Any] = given.model_dump(exclude_none=True, exclude={"preferences"})
    if fields:
        await ctx.db.execute(_CHANGE, owner=ctx.actor.id, **fields)
    changed = sorted(fields)
    if given.preferences is not None:
        size = await ctx.db.value(_MERGE, owner=ctx.actor.id, given=given.preferences)
        if size > _LARGEST_PREFERENCES:
            raise ValidationError.of([Fault("preferences", "too_large", "These are too many preferences.")])
        changed.append("preferences")
    if changed and ctx.actor.id is not None:
        ctx.emit(UserChanged(user_id=ctx.actor.id, fields=changed))
    if ctx.actor.session is not None:
        memory(ctx.app).sessions.forget(ctx.actor.session)
    return await me(ctx)


async def ask_for_email(exchange: Exchange, email: str) -> None:
    """Ask to use another address; it has to be confirmed there. The answer tells nothing about it."""
    settings = exchange.app.settings[IdentitySettings]
    address = normalise_email(email)
    async with begin(exchange) as ctx:
        require_fresh(ctx)
    await guard(exchange, Counter("mail", mailbox(address), settings.mails_per_hour, timedelta(hours=1)))
    async with begin(exchange) as ctx:
        if ctx.actor.id is not None:
            ctx.enqueue(StartEmailChange(user_id=ctx.actor.id, email=address))
            ctx.emit(EmailChangeRequested(user_id=ctx.actor.id))


@worker(StartEmailChange)
async def start_email_change(ctx: Ctx, job: StartEmailChange) -> None:
    """Mail the link to the new address; or, when somebody has it already, tell them instead."""
    user, owner = await one_user(ctx, job.user_id), await user_by_email(ctx, job.email)
    if user.state != "active" or user.email == job.email:
        return
    if owner is not None and owner.state != "unverified":
        await mails.tell_owner(ctx, owner)
        return
    hours = ctx.app.settings[IdentitySettings].verification_hours
    await single_use.kill(ctx, user.id, CHANGE_EMAIL)
    secret = await single_use.issue(ctx, CHANGE_EMAIL, user.id, timedelta(hours=hours), data={"email": job.email})
    message = mails.ConfirmEmail(link=mails.page(ctx.app, "confirm-email", token=secret.token), hours=hours)
    await mail.send(ctx, message, to=job.email, locale=user.locale)


async def confirm_email(exchange: Exchange, token: str) -> None:
    """Move an account to the address the token was mailed to; what was mailed to the old one is dead."""
    async with begin(exchange) as ctx:
        secret = await single_use.redeem(ctx, CHANGE_EMAIL, token)
        await _move(ctx, await one_user(ctx, owner_of(secret)), secret.data["email"])


async def _move(ctx: Ctx, user: User, address: str) -> None:
    for squatter in await ctx.db.all(_YIELD_ADDRESS, address=address, owner=user.id):
        await single_use.kill(ctx, squatter.id)
    if not await ctx.db.execute(_MOVE, owner=user.id, address=address, now=ctx.now):
        raise SecretInvalid
    await single_use.kill(ctx, user.id)
    ctx.emit(EmailChanged(user_id=user.id))
    if user.email is not None:
        message = mails.EmailChanged(at=ctx.now, zone=user.time_zone, new=mails.veiled(address))
        await mail.send(ctx, message, to=user.email, locale=user.locale)


async def close(ctx: Ctx) -> None:
    """Close the caller's account for good: nobody can sign in to it, and nothing in it says whose it was."""
    user = await one_user(ctx, ctx.actor.id)  # type: ignore[arg-type]  # SignedIn: somebody is there
    await ctx.db.execute(_CLOSE, owner=user.id)
    await sessions.revoke_sessions(ctx, user.id, "account_deleted")
    await single_use.kill(ctx, user.id)
    await ctx.db.execute(_FORGET_SESSIONS, owner=user.id)
    await factors.forget(ctx, user.id)
    await api_keys.forget(ctx, user.id)
    await ctx.db.execute(_FORGET_LINKS, owner=user.id)
    ctx.emit(AccountDeactivated(user_id=user.id))
    ctx.emit(AccountDeleted(user_id=user.id))
