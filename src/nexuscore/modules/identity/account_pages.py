"""Pages of one's own account: who one is, how one gets in, from where, and with which keys."""

from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import Field

from nexuscore.kernel.access import ACCOUNT, can
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http import Exchange, Nav, PageQuery, Pages, Query, Reply, Schema, SignedIn, View, Went
from nexuscore.modules.identity import (
    api_keys,
    cookies,
    factors,
    oauth,
    passkeys,
    passwords,
    profile,
    sessions,
    totp,
)
from nexuscore.modules.identity.factor_schemas import NewPasskey, TotpConfirmation
from nexuscore.modules.identity.limits import MAILS, PROVIDERS
from nexuscore.modules.identity.permissions import MANAGE_ORG_KEYS
from nexuscore.modules.identity.schemas import MeChange, Name, NewEmail, PasswordChange
from nexuscore.modules.identity.way_schemas import ApiKeyQuery, NewApiKey, Scope

mine = Pages("", tag="My account")
Caller = Annotated[Ctx, SignedIn()]
FreshCaller = Annotated[Ctx, SignedIn(fresh=True)]
Somebody = Annotated[Exchange, SignedIn()]
FreshSomebody = Annotated[Exchange, SignedIn(fresh=True)]
_ALL = PageQuery(limit=100)


class KeyForm(Schema):
    """A key as the page asks for it: its end is a number of days."""

    name: Name
    scopes: list[Scope] = Field(min_length=1, max_length=100)
    owner: Literal["me", "organisation"] = "me"
    days: Literal[30, 90, 365, 0] = 90


# --- who one is -------------------------------------------------------------------------------------


@mine.get("/account", title="My account", nav=Nav("You", icon="user", order=10))
async def account_page(ctx: Caller) -> View:
    """Name, language, clock, address."""
    return View("account.html", me=await profile.me(ctx), zones=sorted(available_timezones()))


@mine.post("/account")
async def change_account_page(ctx: Caller, given: MeChange) -> Went:
    """Change it."""
    await profile.change(ctx, given)
    went = Went("/console/account", say="Your account is changed.")
    went.language = given.locale
    return went


@mine.post("/account/email", shows=account_page, limit=MAILS)
async def change_email_page(exchange: FreshSomebody, given: NewEmail) -> Went:
    """Ask to use another address."""
    await profile.ask_for_email(exchange, given.email)
    return Went("/console/account", say="We mailed a link to the new address. It counts once you follow it.")


@mine.post("/account/close", shows=account_page)
async def close_account_page(ctx: FreshCaller) -> Reply:
    """Close the account for good."""
    await profile.close(ctx)
    return cookies.take(ctx.app, Went("/console/sign-in", say="Your account is closed."))


# --- how one gets in --------------------------------------------------------------------------------


@mine.get("/security", title="Security", nav=Nav("You", icon="shield", order=20))
async def security_page(ctx: Caller) -> View:
    """Password, second factors, passkeys, linked accounts."""
    return View(
        "security.html",
        me=await profile.me(ctx),
        held=await factors.status(ctx),
        passkeys=await passkeys.page(ctx, _ALL),
        linked=await oauth.page(ctx, _ALL),
        providers=oauth.shown(ctx.app),
    )


@mine.post("/security/password", shows=security_page)
async def change_password_page(exchange: Somebody, given: PasswordChange) -> Went:
    """Another password; every other session ends."""
    await passwords.change(exchange, given)
    return Went("/console/security", say="Your password is changed. Every other session has ended.")


@mine.get("/security/totp", title="Authenticator app")
async def totp_page(ctx: Caller) -> View:
    """Type the first code."""
    return View("totp.html", draft=None)


@mine.post("/security/totp", shows=security_page)
async def set_up_totp_page(ctx: FreshCaller) -> View:
    """A secret for an app, shown this once."""
    return View("totp.html", title="", draft=await totp.set_up(ctx))


@mine.post("/security/totp/confirm", shows=totp_page)
async def confirm_totp_page(ctx: FreshCaller, given: TotpConfirmation) -> View | Went:
    """Turn it on."""
    return _with_codes(await totp.confirm(ctx, given.code), "The authenticator app is on.")


@mine.post("/security/totp/remove", shows=security_page)
async def remove_totp_page(ctx: FreshCaller) -> Went:
    """Turn it off."""
    await totp.turn_off(ctx)
    return Went("/console/security", say="The authenticator app is off.", kind="warning")


@mine.post("/security/recovery-codes", shows=security_page)
async def make_recovery_codes_page(ctx: FreshCaller) -> View | Went:
    """Ten new codes, shown this once."""
    return _with_codes(await factors.new_recovery_codes(ctx), "")


@mine.post("/security/passkeys", shows=security_page, max_body=65_536)
async def add_passkey_page(ctx: FreshCaller, given: NewPasskey) -> View | Went:
    """Keep the passkey the browser made."""
    made = await passkeys.add(ctx, given)
    return _with_codes(made.recovery_codes, "The passkey is added.")


@mine.post("/security/passkeys/{passkey_id}/remove", shows=security_page)
async def remove_passkey_page(ctx: FreshCaller, passkey_id: UUID) -> Went:
    """Remove a passkey."""
    await passkeys.remove(ctx, passkey_id)
    return Went("/console/security", say="The passkey is removed.", kind="warning")


@mine.post("/security/linked/{linked_id}/remove", shows=security_page)
async def unlink_page(ctx: FreshCaller, linked_id: UUID) -> Went:
    """Take a link to a provider away."""
    await oauth.unlink(ctx, linked_id)
    return Went("/console/security", say="The link is removed.", kind="warning")


@mine.post("/security/link/{provider}", shows=security_page, outdoors=True, limit=PROVIDERS)
async def link_provider_page(exchange: FreshSomebody, provider: str) -> Reply:
    """Begin to link a provider; the page that answers leads there."""
    begun = await oauth.start(
        exchange,
        provider,
        browser=cookies.browser_of(exchange.app, exchange),
        cookie=True,
        return_to="/console/security",
        owner=exchange.identity.actor.id,
    )
    view = View("leave.html", title=oauth.provider(exchange.app, provider).label, url=begun.url)
    return cookies.name_browser(exchange.app, view, begun.browser)


def _with_codes(codes: list[str] | None, say: str) -> View | Went:
    if codes is None:
        return Went("/console/security", say=say)
    return View("recovery_codes.html", codes=codes, done=say)


# --- from where, and with which keys ----------------------------------------------------------------


@mine.get("/sessions", title="Sessions", nav=Nav("You", icon="device", order=30))
async def sessions_page(ctx: Caller, query: Annotated[PageQuery, Query()]) -> View:
    """Where one is signed in."""
    return View("sessions.html", sessions=await sessions.page(ctx, query))


@mine.post("/sessions/{session_id}/end", shows=sessions_page)
async def end_session_page(ctx: Caller, session_id: UUID) -> Went:
    """End one of them."""
    if ctx.actor.id is not None:
        await sessions.revoke(ctx, ctx.actor.id, session_id, "revoked")
    return Went("/console/sessions", say="The session has ended.")


@mine.post("/sessions/end-all", shows=sessions_page)
async def end_sessions_page(ctx: Caller) -> Reply:
    """End them all, this one too."""
    if ctx.actor.id is not None:
        await sessions.revoke_sessions(ctx, ctx.actor.id, "signed_out_everywhere")
    return cookies.take(ctx.app, Went("/console/sign-in", say="You are signed out everywhere."))


@mine.get("/api-keys", title="API keys", nav=Nav("Build", icon="key", order=20))
async def api_keys_page(ctx: Caller, query: Annotated[ApiKeyQuery, Query()]) -> View:
    """One's own keys, or the organisation's."""
    held = {name: each.meaning for name, each in sorted(ctx.app.permissions.items()) if can(ctx, name)}
    return View(
        "api_keys.html",
        keys=await api_keys.page(ctx, query, query.owner),
        owner=query.owner,
        scopes={ACCOUNT: "", **held},
        for_org=can(ctx, MANAGE_ORG_KEYS.name) and ctx.org is not None,
    )


@mine.post("/api-keys")
async def create_api_key_page(ctx: FreshCaller, given: KeyForm) -> View:
    """Make a key, and show it this once."""
    ends = ctx.now + timedelta(days=given.days) if given.days else None
    new = NewApiKey(name=given.name, scopes=given.scopes, owner=given.owner, expires_at=ends)
    made = await api_keys.create(ctx, new)
    return View("api_key.html", title=made.key.name, key=made.key, secret=made.secret)


@mine.post("/api-keys/{key_id}/revoke", shows=api_keys_page)
async def revoke_api_key_page(ctx: Caller, key_id: UUID) -> Went:
    """End a key."""
    await api_keys.revoke(ctx, key_id)
    return Went("/console/api-keys", say="The key is revoked.", kind="warning")
