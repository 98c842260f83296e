"""Signing in through a provider: begun in one browser, finished in the same one, once.

Who somebody is: the issuer and its subject, never an address. An account is linked by an address only when
both sides proved it; else its owner signs in another way and links the provider from there.
"""

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import timedelta
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.errors import AuthenticationError, ConflictError, NexusError, NotFoundError
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.tables import columns
from nexuscore.modules.identity import single_use
from nexuscore.modules.identity.directory import user as one_user
from nexuscore.modules.identity.emails import normalise_email
from nexuscore.modules.identity.events import EmailVerified, ProviderLinked, ProviderUnlinked, UserRegistered
from nexuscore.modules.identity.exchanges import begin
from nexuscore.modules.identity.oauth_schemas import LinkedOut
from nexuscore.modules.identity.oauth_tables import LinkedAccount
from nexuscore.modules.identity.providers import Provider, read_providers
from nexuscore.modules.identity.roles import first_role
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.sign_in import SignInStep, proceed
from nexuscore.modules.identity.single_use import OAUTH
from nexuscore.modules.identity.tables import Secret, User
from nexuscore.modules.identity.vouching import Vouched, VouchingFailed, doors_of, trade
from nexuscore.modules.identity.ways_in import require_way_in

_PURPOSE = "identity.oauth"
_KNOWN = (
    update(LinkedAccount)
    .where(LinkedAccount.issuer == bindparam("from_issuer"), LinkedAccount.subject == bindparam("with_subject"))
    .values(last_used_at=bindparam("now"))
    .returning(LinkedAccount)
)
_LINK = insert(LinkedAccount).on_conflict_do_nothing().returning(LinkedAccount)
_PROVED = select(User).where(
    User.email == bindparam("address"), User.email_verified_at.is_not(None), User.state == "active"
)
_NEW = insert(User).on_conflict_do_nothing().returning(User)
MINE = Listing(
    select(*columns(LinkedAccount, LinkedOut.model_fields)).where(LinkedAccount.user_id == bindparam("owner")),
    by=LinkedAccount.id,
)
_LOCK = select(User).where(User.id == bindparam("owner")).with_for_update()
_UNLINK = (
    delete(LinkedAccount)
    .where(LinkedAccount.id == bindparam("linked_id"), LinkedAccount.user_id == bindparam("owner"))
    .returning(LinkedAccount)
)


class NotLinked(ConflictError):
    """The provider vouched for somebody whom no account here is linked with, and none may be made."""

    code = "oauth_not_linked"
    message = "Sign in another way first, then link this provider under your account."


class LinkedElsewhere(ConflictError):
    """Told only to somebody whom the provider vouched for."""

    code = "oauth_linked_elsewhere"
    message = "This is linked with another account already."


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the browser, and the name it is told apart by."""

    url: str
    browser: str


@dataclass(frozen=True, slots=True)
class Finished:
    """What a flow came to: a step of signing in, or None when it linked an account; and how it was begun."""

    step: SignInStep | None
    cookie: bool
    return_to: str


def providers(app: App) -> dict[str, Provider]:
    """The providers of the settings, by name."""
    given = app.settings[IdentitySettings].providers
    return {} if given is None else read_providers(given.get_secret_value())


def provider(app: App, name: str) -> Provider:
    """One of them."""
    found = providers(app).get(name)
    if found is None:
        raise NotFoundError
    return found


async def start(
    exchange: Exchange, name: str, *, browser: str | None, cookie: bool, return_to: str, owner: UUID | None = None
) -> Begun:
    """Begin a flow in this browser: to sign in, or with `owner` to link the provider with that account."""
    app = exchange.app
    vouching = provider(app, name)
    settings = app.settings[IdentitySettings]
    doors = await doors_of(vouching)
    browser = browser or token_urlsafe(24)
    verifier, nonce = token_urlsafe(48), token_urlsafe(24)
    data = {
        "provider": name,
        "browser": _hash(browser),
        "sealed": app.keyring.seal(_PURPOSE, f"{verifier}\n{nonce}"),
        "cookie": cookie,
        "return_to": return_to,
        "owner": str(owner) if owner else None,
    }
    async with begin(exchange) as ctx:
        secret = await single_use.issue(ctx, OAUTH, None, timedelta(minutes=settings.challenge_minutes), data=data)
    query = {
        "response_type": "code",
        "client_id": vouching.client_id,
        "redirect_uri": _redirect_uri(app, name),
        "scope": " ".join(vouching.scopes or _scopes(vouching)),
        "state": secret.token,
        "code_challenge": _challenge(verifier),
        "code_challenge_method": "S256",
        **({} if vouching.is_github else {"nonce": nonce}),
    }
    joint = "&" if "?" in doors.authorize else "?"
    return Begun(f"{doors.authorize}{joint}{urlencode(query)}", browser)


async def finish(exchange: Exchange, name: str, *, browser: str | None, state: str, code: str) -> Finished:
    """Finish a flow: in the browser that began it, once, with a code its provider gave."""
    app = exchange.app
    vouching = provider(app, name)
    async with begin(exchange) as ctx:
        flow = await single_use.redeem(ctx, OAUTH, state)
    data = flow.data
    if data["provider"] != name or browser is None or data["browser"] != _hash(browser):
        raise VouchingFailed
    verifier, _, nonce = app.keyring.open_sealed(_PURPOSE, data["sealed"]).decode().partition("\n")
    vouched = await trade(vouching, code, verifier, _redirect_uri(app, name), nonce)
    async with begin(exchange) as ctx:
        step = await _arrive(ctx, vouching, vouched, flow)
    if isinstance(step, NexusError):
        raise step
    return Finished(step, data["cookie"], data["return_to"])


async def _arrive(ctx: Ctx, vouching: Provider, vouched: Vouched, flow: Secret) -> SignInStep | NexusError | None:
    known = await ctx.db.first(_KNOWN, from_issuer=vouched.issuer, with_subject=vouched.subject, now=ctx.now)
    owner = flow.data["owner"]
    if owner is not None:
        return await _link_to_caller(ctx, vouching, vouched, known, UUID(owner))
    if known is not None:
        user = await one_user(ctx, known.user_id)
    else:
        found = await _whose(ctx, vouched)
        if isinstance(found, NexusError):
            return found
        user = found
        if not await _link(ctx, vouching, vouched, user.id):
            return VouchingFailed()
    return await proceed(ctx, user, "oauth", cookie=flow.data["cookie"])


async def _link_to_caller(
    ctx: Ctx, vouching: Provider, vouched: Vouched, known: LinkedAccount | None, owner: UUID
) -> NexusError | None:
    if ctx.actor.id != owner:
        return AuthenticationError()
    if known is not None:
        return None if known.user_id == owner else LinkedElsewhere()
    return None if await _link(ctx, vouching, vouched, owner) else LinkedElsewhere()


async def _whose(ctx: Ctx, vouched: Vouched) -> User | NexusError:
    """The account of somebody who comes for the first time: theirs by a proved address, or a new one."""
    address = normalise_email(vouched.email) if vouched.email and vouched.email_verified else None
    if address is not None:
        proved = await ctx.db.first(_PROVED, address=address)
        if proved is not None:
            return proved
    settings = ctx.app.settings[IdentitySettings]
    if not settings.provider_sign_up:
        return NotLinked()
    made = await ctx.db.first(
        _NEW,
        email=address,
        email_verified_at=ctx.now if address else None,
        name=vouched.name[:255],
        state="active",
        locale=ctx.locale,
        time_zone=settings.default_time_zone,
        platform_role=first_role(settings),
    )
    if made is None:  # the address has an account that did not prove it, or is closed: never linked by itself
        return NotLinked()
    ctx.emit(UserRegistered(user_id=made.id))
    if address is not None:
        ctx.emit(EmailVerified(user_id=made.id))
    return made


async def _link(ctx: Ctx, vouching: Provider, vouched: Vouched, owner: UUID) -> bool:
    row = await ctx.db.first(
        _LINK,
        user_id=owner,
        provider=vouching.name,
        issuer=vouched.issuer,
        subject=vouched.subject,
        email=vouched.email,
        last_used_at=ctx.now,
    )
    if row is None:
        return False
    ctx.emit(ProviderLinked(user_id=owner, provider=vouching.name))
    return True


async def page(ctx: Ctx, query: PageQuery) -> Json:
    """The providers the caller's account is linked with."""
    return await ctx.db.page(MINE, query, owner=ctx.actor.id)


async def unlink(ctx: Ctx, linked_id: UUID) -> None:
    """Take a link away, unless it is the only way in."""
    user = await ctx.db.one(_LOCK, owner=ctx.actor.id)
    gone = await ctx.db.one(_UNLINK, linked_id=linked_id, owner=user.id)
    await require_way_in(ctx, user)
    ctx.emit(ProviderUnlinked(user_id=user.id, provider=gone.provider))


def _redirect_uri(app: App, name: str) -> str:
    """Where providers send people back to. From the settings alone: what the request's Host says is nothing."""
    return f"{app.kernel.public_url.rstrip('/')}/api/v1/auth/oauth/{name}/callback"


def _scopes(vouching: Provider) -> list[str]:
    return ["read:user", "user:email"] if vouching.is_github else ["openid", "email", "profile"]


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _hash(browser: str) -> str:
    return hashlib.sha256(browser.encode()).hexdigest()


def safe_path(path: str) -> str:
    """A path of this installation to return to; anything that could lead elsewhere becomes the console."""
    plain = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if plain else "/console"


def shown(app: App) -> list[dict[str, Any]]:
    """What a sign-in page needs to draw its buttons."""
    return [{"name": each.name, "label": each.shown} for each in providers(app).values()]
