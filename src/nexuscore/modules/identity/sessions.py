"""Sessions: opened by a sign-in, carried by tokens or a cookie, listed, ended."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, func, insert, select, update

from nexuscore.kernel.crypto import hash_token, new_token
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.modules.identity import devices, tokens
from nexuscore.modules.identity.events import SessionRevoked, SignedIn, SignedOut
from nexuscore.modules.identity.memory import SessionState, memory
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.tables import RefreshToken, Session, User

_LIVE = (Session.revoked_at.is_(None), Session.expires_at > bindparam("now"))
_OPEN = insert(Session).returning(Session)
_KEEP = insert(RefreshToken)
_USE = (
    update(RefreshToken)
    .where(
        RefreshToken.hash == bindparam("token_hash"),
        RefreshToken.used_at.is_(None),
        RefreshToken.expires_at > bindparam("now"),
    )
    .values(used_at=bindparam("now"))
    .returning(RefreshToken)
)
_REUSED = (
    select(Session.id, Session.user_id)
    .join(RefreshToken, RefreshToken.session_id == Session.id)
    .where(RefreshToken.hash == bindparam("token_hash"), RefreshToken.used_at.is_not(None))
)
_SEEN = (
    update(Session)
    .where(Session.id == bindparam("session_id"), *_LIVE)
    .values(last_seen_at=bindparam("now"), expires_at=bindparam("until"))
)
_STATE = (
    select(
        Session.id,
        Session.user_id,
        Session.org_id,
        Session.authenticated_at,
        Session.expires_at,
        Session.last_seen_at,
        Session.factors,
        User.platform_role,
        User.locale,
        User.time_zone,
    )
    .join(User, User.id == Session.user_id)
    .where(User.state == "active", *_LIVE)
)
_STATE_BY_ID = _STATE.where(Session.id == bindparam("session_id"))
_STATE_BY_COOKIE = _STATE.where(Session.cookie_hash == bindparam("cookie"))
_REVOKE = (
    update(Session)
    .where(Session.user_id == bindparam("owner"), Session.revoked_at.is_(None))
    .values(revoked_at=bindparam("now"), revoked_why=bindparam("why"), cookie_hash=None)
    .returning(Session.id)
)
_REVOKE_ONE = _REVOKE.where(Session.id == bindparam("session_id"))
_REVOKE_OTHERS = _REVOKE.where(Session.id != bindparam("session_id"))
_FRESHEN = (
    update(Session).where(Session.id == bindparam("session_id"), *_LIVE).values(authenticated_at=bindparam("now"))
)
_ADD_FACTOR = (
    update(Session)
    .where(
        Session.id == bindparam("session_id"),
        func.array_position(Session.factors, bindparam("factor")).is_(None),
        *_LIVE,
    )
    .values(factors=func.array_append(Session.factors, bindparam("factor")))
)
_SWITCH = update(Session).where(Session.id == bindparam("session_id"), *_LIVE).values(org_id=bindparam("org"))
_KNOWN_DEVICE = select(
    func.count().label("sessions"),
    func.count()
    .filter(Session.device == bindparam("on"), Session.country.is_not_distinct_from(bindparam("place")))
    .label("same"),
).where(Session.user_id == bindparam("owner"))
_SIGNED_IN_AT = update(User).where(User.id == bindparam("owner")).values(last_sign_in_at=bindparam("now"))
LISTED = Listing(
    select(
        Session.id,
        Session.device,
        Session.agent,
        func.host(Session.ip).label("ip"),
        Session.country,
        Session.factors,
        Session.created_at,
        Session.last_seen_at,
        Session.expires_at,
        (Session.id == bindparam("current")).label("current"),
    ).where(Session.user_id == bindparam("owner"), *_LIVE),
    by=Session.id,
    sorts=(Session.last_seen_at, Session.created_at),
)
_SEEN_EVERY = timedelta(minutes=1)
_SWEEP = delete(Session).where(Session.expires_at < bindparam("before"))
_SWEEP_REVOKED = delete(Session).where(Session.revoked_at < bindparam("before"))


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that just began or went on, with what its owner is given. `refresh` or `cookie`, never both."""

    session_id: UUID
    user_id: UUID
    device: str = ""
    country: str | None = None
    new_device: bool = False
    access: str = field(repr=False, default="")
    expires_in: int = 0
    refresh: str = field(repr=False, default="")
    cookie: str = field(repr=False, default="")


async def open(ctx: Ctx, user: User, factors: list[str], *, cookie: bool) -> Opened:
    """Begin a session on the device the context comes from: tokens for a program, a cookie for a browser."""
    agent = devices.clip(ctx.actor.agent)
    device, country = devices.device(agent), devices.country(ctx.app, ctx.actor.ip)
    known = await ctx.db.one(_KNOWN_DEVICE, owner=user.id, on=device, place=country)
    token = new_token("nxc_") if cookie else None
    session = await ctx.db.one(
        _OPEN,
        user_id=user.id,
        cookie_hash=token.hash if token else None,
        factors=factors,
        device=device,
        agent=agent,
        ip=ctx.actor.ip,
        country=country,
        created_at=ctx.now,
        last_seen_at=ctx.now,
        authenticated_at=ctx.now,
        expires_at=ctx.now + _life(ctx),
    )
    await ctx.db.execute(_SIGNED_IN_AT, owner=user.id, now=ctx.now)
    new_device = known.sessions > 0 and known.same == 0
    ctx.emit(
        SignedIn(
            user_id=user.id,
            session_id=session.id,
            factors=factors,
            device=device,
            country=country,
            new_device=new_device,
        )
    )
    opened = Opened(session.id, user.id, device, country, new_device)
    return replace(opened, cookie=token.value) if token else await _with_tokens(ctx, opened)


async def refresh(ctx: Ctx, token: str) -> Opened | None:
    """The next pair of tokens. None when the token does not hold; one that was used before ends its session.

    That end must be committed: do not raise through the transaction.
    """
    token_hash = hash_token(token)
    used = await ctx.db.first(_USE, token_hash=token_hash, now=ctx.now)
    if used is None:
        stolen = await ctx.db.first(_REUSED, token_hash=token_hash)
        if stolen is not None:
            await _end(ctx, stolen.user_id, stolen.id, "refresh_token_reused")
        return None
    state = await ctx.db.first(_STATE_BY_ID, session_id=used.session_id, now=ctx.now)
    if state is None:
        return None
    await ctx.db.execute(_SEEN, session_id=state.id, now=ctx.now, until=ctx.now + _life(ctx))
    return await _with_tokens(ctx, Opened(state.id, state.user_id))


async def _with_tokens(ctx: Ctx, opened: Opened) -> Opened:
    token = new_token("nxr_")
    await ctx.db.execute(
        _KEEP,
        session_id=opened.session_id,
        hash=token.hash,
        created_at=ctx.now,
        expires_at=ctx.now + _life(ctx),
    )
    access, seconds = tokens.sign_access(ctx.app, opened.user_id, opened.session_id)
    return replace(opened, access=access, expires_in=seconds, refresh=token.value)


async def page(ctx: Ctx, query: PageQuery) -> Json:
    """The caller's live sessions, the newest first."""
    return await ctx.db.page(LISTED, query, owner=ctx.actor.id, current=ctx.actor.session, now=ctx.now)


async def sign_out(ctx: Ctx) -> None:
    """End the session the request came with."""
    if ctx.actor.session is None or ctx.actor.id is None:
        return
    if await _revoke_one(ctx, ctx.actor.id, ctx.actor.session, "signed_out"):
        ctx.emit(SignedOut(user_id=ctx.actor.id, session_id=ctx.actor.session))


async def revoke(ctx: Ctx, user_id: UUID, session_id: UUID, reason: str) -> None:
    """End one session of a person; one that is not theirs, or over, is not there."""
    if not await _end(ctx, user_id, session_id, reason):
        raise NotFoundError


async def _end(ctx: Ctx, user_id: UUID, session_id: UUID, reason: str) -> bool:
    ended = await _revoke_one(ctx, user_id, session_id, reason)
    if ended:
        ctx.emit(SessionRevoked(user_id=user_id, session_id=session_id, reason=reason))
    return ended


async def revoke_sessions(ctx: Ctx, user_id: UUID, reason: str, *, keep: UUID | None = None) -> int:
    """End every session of a person, but for `keep`: access, refresh and cookie. How many there were."""
    if keep is None:
        ended = await ctx.db.all(_REVOKE, owner=user_id, now=ctx.now, why=reason)
    else:
        ended = await ctx.db.all(_REVOKE_OTHERS, owner=user_id, session_id=keep, now=ctx.now, why=reason)
    for row in ended:
        memory(ctx.app).sessions.forget(row.id)
        ctx.emit(SessionRevoked(user_id=user_id, session_id=row.id, reason=reason))
    return len(ended)


async def _revoke_one(ctx: Ctx, user_id: UUID, session_id: UUID, reason: str) -> bool:
    row = await ctx.db.first(_REVOKE_ONE, owner=user_id, session_id=session_id, now=ctx.now, why=reason)
    memory(ctx.app).sessions.forget(session_id)
    return row is not None


async def freshen(ctx: Ctx) -> None:
    """Note that the caller proved a moment ago who they are."""
    if ctx.actor.session is not None:
        await ctx.db.execute(_FRESHEN, session_id=ctx.actor.session, now=ctx.now)
        memory(ctx.app).sessions.forget(ctx.actor.session)


async def add_factor(ctx: Ctx, factor: str) -> None:
    """Note that the caller's session has shown one more factor."""
    if ctx.actor.session is not None:
        await ctx.db.execute(_ADD_FACTOR, session_id=ctx.actor.session, factor=factor, now=ctx.now)
        memory(ctx.app).sessions.forget(ctx.actor.session)


async def switch_org(ctx: Ctx, org: UUID | None) -> None:
    """Let the caller's session go on in another organisation; whoever calls has checked that it may."""
    if ctx.actor.session is not None:
        await ctx.db.execute(_SWITCH, session_id=ctx.actor.session, org=org, now=ctx.now)
        memory(ctx.app).sessions.forget(ctx.actor.session)


async def state_of(ctx: Ctx, session_id: UUID) -> SessionState | None:
    """A live session of an active person, and a note that it was seen; at most once a minute."""
    return await _seen(ctx, await ctx.db.first(_STATE_BY_ID, session_id=session_id, now=ctx.now))


async def state_of_cookie(ctx: Ctx, cookie: str) -> SessionState | None:
    """The same by the cookie that carries it."""
    return await _seen(ctx, await ctx.db.first(_STATE_BY_COOKIE, cookie=hash_token(cookie), now=ctx.now))


async def _seen(ctx: Ctx, row: Any) -> SessionState | None:
    if row is None:
        return None
    expires_at = row.expires_at
    if ctx.now - row.last_seen_at >= _SEEN_EVERY:
        expires_at = ctx.now + _life(ctx)
        await ctx.db.execute(_SEEN, session_id=row.id, now=ctx.now, until=expires_at)
    return SessionState(
        id=row.id,
        user_id=row.user_id,
        platform_role=row.platform_role,
        locale=row.locale,
        time_zone=row.time_zone,
        org=row.org_id,
        factors=len(set(row.factors)),
        authenticated_at=row.authenticated_at,
        expires_at=expires_at,
    )


async def sweep(ctx: Ctx) -> None:
    """Remove sessions that ended a month ago, with their tokens."""
    month_ago = ctx.now - timedelta(days=30)
    await ctx.db.execute(_SWEEP, before=month_ago)
    await ctx.db.execute(_SWEEP_REVOKED, before=month_ago)


def _life(ctx: Ctx) -> timedelta:
    return timedelta(days=ctx.app.settings[IdentitySettings].refresh_days)
