"""Who is asking: an access token or an API key in `Authorization: Bearer`, or a browser's session cookie.

A request pays for a signature and a look into memory; the database is asked when memory is older than 3 seconds.
"""

from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from math import inf
from typing import Literal
from uuid import UUID

from nexuscore.kernel import clock
from nexuscore.kernel.access import ACCOUNT, ANONYMOUS, Actor, PermissionDenied
from nexuscore.kernel.app import App
from nexuscore.kernel.crypto import hash_token
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.http.auth import ORG_HEADER, Authenticator, Identity, parse_org
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.modules.identity import api_keys, cookies, sessions, tokens
from nexuscore.modules.identity.errors import CsrfFailed, InvalidToken
from nexuscore.modules.identity.memory import KeyState, Known, SessionState, memory
from nexuscore.modules.identity.roles import permissions_of
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.slots import Grants, Memberships

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class SignedInPeople(Authenticator):
    """The filler of the kernel's slot."""

    async def identify(self, app: App, exchange: Exchange) -> Identity:
        """Who asks; what is sent and does not hold is refused, but a stale cookie is only ignored."""
        given = exchange.headers.get("authorization")
        if given is not None:
            return await _bearer(app, exchange, given)
        cookie = cookies.session_of(app, exchange)
        if cookie is not None:
            state = await _state_of_cookie(app, cookie)
            if state is not None:
                if exchange.method not in _SAFE and not cookies.csrf_holds(app, exchange, state.id):
                    raise CsrfFailed
                return await _identity(app, exchange, state)
        return Identity(replace(ANONYMOUS, ip=exchange.ip, agent=exchange.headers.get("user-agent")))

    def schemes(self) -> dict[str, dict[str, object]]:
        """The OpenAPI security schemes."""
        return {
            "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT or API key"},
            "cookie": {"type": "apiKey", "in": "cookie", "name": cookies.SESSION},
        }

    def form_token(self, app: App, identity: Identity) -> str | None:
        """The token of the session, which the pages' own forms carry in a field."""
        session = identity.actor.session
        return None if session is None else cookies.csrf_token(app, session)


async def _bearer(app: App, exchange: Exchange, given: str) -> Identity:
    scheme, _, token = given.partition(" ")
    if scheme.lower() != "bearer":
        raise InvalidToken
    if token.strip().startswith(api_keys.PREFIX):
        return await _key(app, exchange, token.strip())
    claims = tokens.read_access(app, token.strip())
    state = await _state(app, claims.session_id)
    if state is None or state.user_id != claims.user_id:
        raise InvalidToken
    return await _identity(app, exchange, state)


async def _key(app: App, exchange: Exchange, token: str) -> Identity:
    """Who an API key stands for, and what it may do here: never more than its owner still may."""
    known, place = memory(app).keys, api_keys.place_of(token)
    state = known.get(place)
    if state is None:
        async with app.context() as ctx:
            state = await api_keys.state_of(ctx, place)
        if state is None:
            raise InvalidToken
        known.keep(place, state)
    if state.expires_at is not None and state.expires_at <= clock.now():
        raise InvalidToken
    org, held, facts = await _reach_of_key(app, exchange, state)
    actor = Actor(
        "key",
        state.user_id or state.id,
        state.scopes & held,
        ip=exchange.ip,
        agent=exchange.headers.get("user-agent"),
        facts={**facts, "key": state.id},
    )
    return Identity(actor, org, state.locale)


async def _reach_of_key(
    app: App, exchange: Exchange, state: KeyState
) -> tuple[UUID | None, frozenset[str], dict[str, object]]:
    """The organisation a key acts in, and what its owner may do there."""
    named = _named_org(exchange)
    if state.org_id is not None:
        if named not in (None, state.org_id):
            raise NotFoundError
        grants = await _grants_of_key(app, state.org_id, state.scopes)
        return state.org_id, grants.permissions, {"org_role": grants.role}
    held = permissions_of(app, state.platform_role or "guest") | {ACCOUNT}
    if named is None or state.user_id is None:
        return None, held, {}
    in_org = await _grants(app, state.user_id, named)
    if in_org is None:
        raise NotFoundError
    return named, _together(held, in_org.permissions), {"org_role": in_org.role}


async def _grants_of_key(app: App, org: UUID, scopes: frozenset[str]) -> Grants:
    for memberships in app.fillers(Memberships):  # type: ignore[type-abstract]  # asked for, not made
        grants = await memberships.key_grants(app, org, scopes)
        if grants is not None:
            return grants
    raise InvalidToken


async def _state(app: App, session_id: UUID) -> SessionState | None:
    known = memory(app).sessions
    state = known.get(session_id)
    if state is None:
        async with app.context() as ctx:
            state = await sessions.state_of(ctx, session_id)
        return None if state is None else known.keep(session_id, await _placed(app, state))
    return state if state.expires_at > clock.now() else None


async def _state_of_cookie(app: App, cookie: str) -> SessionState | None:
    known, place = memory(app), hash_token(cookie)
    session_id = known.cookies.get(place)
    if session_id is not None:
        return await _state(app, session_id)
    async with app.context() as ctx:
        state = await sessions.state_of_cookie(ctx, cookie)
    if state is None:
        return None
    known.cookies.keep(place, state.id)
    return known.sessions.keep(state.id, await _placed(app, state))


async def _placed(app: App, state: SessionState) -> SessionState:
    """The state with the organisation its owner works in when they have not chosen one."""
    for memberships in app.fillers(Memberships):  # type: ignore[type-abstract]  # asked for, not made
        if state.org is None:
            return replace(state, org=await memberships.default_org(app, state.user_id))
    return state


async def _identity(app: App, exchange: Exchange, state: SessionState) -> Identity:
    """Who a session stands for here; as a moment ago, while nothing of what that was made of has changed."""
    here, named = memory(app), _named_org(exchange)
    place = (state.id, named)
    known = here.identities.get(place)
    if known is not None and known.state is state and clock.seconds() < known.until:
        actor, org = known.identity.actor, known.identity.org
        grants = None if org is None else here.grants.get((state.user_id, org))
        if grants is known.grants and actor.ip == exchange.ip and actor.agent == exchange.headers.get("user-agent"):
            return known.identity
    identity = await _made(app, exchange, state, named)
    if identity.org is not None or state.org is None:  # else they may become a member again at any moment
        grants = None if identity.org is None else here.grants.get((state.user_id, identity.org))
        until = (state.authenticated_at + _sudo(app)).timestamp() if identity.actor.fresh else inf
        here.identities.keep(place, Known(identity, state, grants, until))
    return identity


async def _made(app: App, exchange: Exchange, state: SessionState, named: UUID | None) -> Identity:
    facts: dict[str, object] = {}
    role = state.platform_role
    if role == "admin" and state.factors < 2 and app.settings[IdentitySettings].require_second_factor_for_admins:
        role = "user"
        facts["second_factor_missing"] = True
    org, permissions = state.org, permissions_of(app, role)
    if named is not None:
        org = named
    if org is not None:
        grants = await _grants(app, state.user_id, org)
        if grants is not None:
            permissions = _together(permissions, grants.permissions)
            facts["org_role"] = grants.role
        elif named is not None:
            raise NotFoundError
        else:
            org = None
    actor = Actor(
        "user",
        state.user_id,
        permissions,
        session=state.id,
        fresh=clock.now() - state.authenticated_at < _sudo(app),
        ip=exchange.ip,
        agent=exchange.headers.get("user-agent"),
        facts=facts,
    )
    return Identity(actor, org, state.locale, state.time_zone)


def _sudo(app: App) -> timedelta:
    return timedelta(minutes=app.settings[IdentitySettings].sudo_minutes)


@lru_cache(maxsize=1024)
def _together(platform: frozenset[str], org: frozenset[str]) -> frozenset[str]:
    """What both give: few pairs, asked for with every request."""
    return platform | org


def _named_org(exchange: Exchange) -> UUID | None:
    """The organisation a request is about: the one its path names as `{org_id}`, else the one of the header."""
    if "{org_id}" in exchange.route:
        place = exchange.route.strip("/").split("/").index("{org_id}")
        try:
            return UUID(exchange.path.strip("/").split("/")[place])
        except ValueError:
            return None  # the operation refuses it by the parameter's name
    named = exchange.headers.get(ORG_HEADER)
    return None if named is None else parse_org(named)


async def _grants(app: App, user_id: UUID, org: UUID) -> Grants | None:
    known, place = memory(app).grants, (user_id, org)
    found = known.get(place)
    if found is None:
        found = known.keep(place, await _ask_for_grants(app, user_id, org))
    return found or None


async def _ask_for_grants(app: App, user_id: UUID, org: UUID) -> Grants | Literal[False]:
    for memberships in app.fillers(Memberships):  # type: ignore[type-abstract]  # asked for, not made
        grants = await memberships.grants(app, user_id, org)
        if grants is not None:
            return grants
    async with app.context(actor=Actor("user", user_id)) as ctx:
        ctx.emit(PermissionDenied(operation="organisation", permission="member", id=str(org)))
    return False
