"""Passwords: changed by their owner, forgotten, chosen anew by a mailed link."""

from datetime import timedelta

from sqlalchemy import bindparam, func, or_, update

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import AuthenticationError
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.jobs import Job, worker
from nexuscore.modules.identity import devices, mails, policy, sessions, single_use
from nexuscore.modules.identity.counters import Counter, clear
from nexuscore.modules.identity.directory import user as one_user, user_by_email
from nexuscore.modules.identity.emails import mailbox, normalise_email
from nexuscore.modules.identity.errors import InvalidCredentials, SecretInvalid
from nexuscore.modules.identity.events import (
    EmailVerified,
    PasswordChanged,
    PasswordResetRequested,
    Reauthenticated,
)
from nexuscore.modules.identity.exchanges import begin, guard
from nexuscore.modules.identity.factors import factors_of
from nexuscore.modules.identity.hashing import make_hash, verify
from nexuscore.modules.identity.schemas import PasswordChange, PasswordReset
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.sign_in import account_counters, fail, failures, whom
from nexuscore.modules.identity.single_use import RESET_PASSWORD, owner_of
from nexuscore.modules.identity.tables import User

_SET = (
    update(User)
    .where(User.id == bindparam("owner"), or_(User.state == "active", User.state == "unverified"))
    .values(password_hash=bindparam("made"), password_changed_at=bindparam("now"))
    .returning(User)
)
_SET_AND_PROVE = (
    update(User)
    .where(User.id == bindparam("owner"), or_(User.state == "active", User.state == "unverified"))
    .values(
        password_hash=bindparam("made"),
        password_changed_at=bindparam("now"),
        state="active",
        email_verified_at=func.coalesce(User.email_verified_at, bindparam("now")),
    )
    .returning(User)
)


class SendReset(Job, name="identity.send_reset"):
    """Mail a link to choose a new password, if there is an account to mail."""

    email: str


async def prove(exchange: Exchange, password: str) -> User:
    """The caller, after their password was right; every wrong one counts against the account."""
    app, actor = exchange.app, exchange.identity.actor
    settings = app.settings[IdentitySettings]
    if actor.kind != "user" or actor.session is None:
        raise AuthenticationError
    async with begin(exchange) as ctx:
        user = await one_user(ctx, actor.id)
    account = whom(user)
    await guard(exchange, *account_counters(settings, account))
    verdict = await verify(app, password, user.password_hash)
    async with begin(exchange) as ctx:
        if verdict.right:
            await clear(ctx, failures(settings, account))
        else:
            fail(ctx, account, user, "wrong_password")
    if not verdict.right:
        raise InvalidCredentials
    return user


async def reauthenticate(exchange: Exchange, password: str) -> None:
    """Let the caller do sensitive things for the next minutes."""
    user = await prove(exchange, password)
    async with begin(exchange) as ctx:
        await note_fresh(ctx, user, "password")


async def note_fresh(ctx: Ctx, user: User, factor: str) -> None:
    """Note that the caller proved again, by `factor`, who they are."""
    if ctx.actor.session is not None:
        await sessions.freshen(ctx)
        ctx.emit(Reauthenticated(user_id=user.id, session_id=ctx.actor.session, factor=factor))


async def change(exchange: Exchange, given: PasswordChange) -> None:
    """Set a new password; every other session of the caller ends."""
    settings = exchange.app.settings[IdentitySettings]
    user = await prove(exchange, given.current)
    async with begin(exchange) as ctx:
        second = bool(await factors_of(ctx, user))
    policy.require(given.new, settings, policy.about(user), field="new", second_factor=second)
    made = await make_hash(exchange.app, given.new)
    async with begin(exchange) as ctx:
        changed = await ctx.db.one(_SET, owner=user.id, made=made, now=ctx.now)
        await _tell(ctx, changed, "owner")
        await sessions.revoke_sessions(ctx, user.id, "password_changed", keep=ctx.actor.session)


async def forgot(exchange: Exchange, email: str) -> None:
    """Ask for a link to choose a new password. Whether there is an account only the mailbox's owner learns."""
    settings = exchange.app.settings[IdentitySettings]
    address = normalise_email(email)
    await guard(exchange, Counter("mail", mailbox(address), settings.mails_per_hour, timedelta(hours=1)))
    async with begin(exchange) as ctx:
        ctx.enqueue(SendReset(email=address))


@worker(SendReset)
async def send_reset(ctx: Ctx, job: SendReset) -> None:
    """Mail the link; nothing to somebody without an account, or with a closed one."""
    user = await user_by_email(ctx, job.email)
    if user is None or user.state not in ("active", "unverified"):
        return
    minutes = ctx.app.settings[IdentitySettings].reset_minutes
    secret = await single_use.issue(ctx, RESET_PASSWORD, user.id, timedelta(minutes=minutes))
    link = mails.page(ctx.app, "reset-password", token=secret.token)
    await mails.post(ctx, user, mails.Reset(link=link, minutes=minutes))
    ctx.emit(PasswordResetRequested(user_id=user.id))


async def reset(exchange: Exchange, given: PasswordReset) -> None:
    """Choose a new password by a mailed link. It signs nobody in: the second factor is asked for as ever."""
    settings = exchange.app.settings[IdentitySettings]
    async with begin(exchange) as ctx:
        secret = await single_use.peek(ctx, RESET_PASSWORD, given.token)
        user = await one_user(ctx, owner_of(secret))
        second = bool(await factors_of(ctx, user))
    policy.require(given.password, settings, policy.about(user), second_factor=second)
    made = await make_hash(exchange.app, given.password)
    async with begin(exchange) as ctx:
        await single_use.redeem(ctx, RESET_PASSWORD, given.token)
        changed = await ctx.db.first(_SET_AND_PROVE, owner=user.id, made=made, now=ctx.now)
        if changed is None:
            raise SecretInvalid
        if user.email_verified_at is None:
            ctx.emit(EmailVerified(user_id=user.id))
        await _tell(ctx, changed, "reset")
        await sessions.revoke_sessions(ctx, user.id, "password_reset")
        await clear(ctx, failures(settings, whom(user)))


async def _tell(ctx: Ctx, user: User, by: str) -> None:
    """What follows a new password: older links are dead, and its owner is told."""
    await single_use.kill(ctx, user.id)
    ctx.emit(PasswordChanged(user_id=user.id, by=by))
    message = mails.PasswordChanged(
        at=ctx.now,
        zone=user.time_zone,
        device=devices.device(devices.clip(ctx.actor.agent)),
        reset=mails.page(ctx.app, "forgot-password"),
    )
    await mails.post(ctx, user, message)
