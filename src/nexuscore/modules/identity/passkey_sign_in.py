"""Signing in by a passkey alone: no name is asked, and the authenticator checked who holds it, so it counts as two.

The challenge belongs to the browser that asked for it: a cookie says which one that is.
"""

from typing import Any

from nexuscore.kernel.crypto import hash_token, new_token
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import NexusError
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.modules.identity import ceremonies, cookies, passkeys
from nexuscore.modules.identity.directory import user as one_user
from nexuscore.modules.identity.errors import PasskeyRefused
from nexuscore.modules.identity.exchanges import begin
from nexuscore.modules.identity.factor_schemas import PasskeySignIn
from nexuscore.modules.identity.factors import PASSKEY, VERIFIED
from nexuscore.modules.identity.sessions import Opened
from nexuscore.modules.identity.sign_in import fail, finish, refusal, whom


async def ask(exchange: Exchange) -> tuple[dict[str, Any], str]:
    """What the browser is asked, and the name it is to be known by."""
    browser = cookies.browser_of(exchange.app, exchange) or new_token("nxb_").value
    async with begin(exchange) as ctx:
        challenge = await passkeys.ask(ctx, passkeys.SHOW, None, _about(browser))
    return ceremonies.request_options(exchange.app, challenge, [], verify=True), browser


async def sign_in(exchange: Exchange, given: PasskeySignIn) -> Opened:
    """Sign in whoever's passkey signed the challenge of this browser. Nothing says which part of it was wrong."""
    browser = cookies.browser_of(exchange.app, exchange)
    async with begin(exchange) as ctx:
        outcome = await _decide(ctx, given, browser)
    if isinstance(outcome, NexusError):
        raise outcome
    return outcome


async def _decide(ctx: Ctx, given: PasskeySignIn, browser: str | None) -> Opened | NexusError:
    passkey = None
    if browser is not None:
        passkey = await passkeys.accept(ctx, given.credential, _about(browser), verify=True)
    if passkey is None:
        fail(ctx, given.credential.raw_id, None, PasskeyRefused.code)
        return PasskeyRefused()
    user = await one_user(ctx, passkey.user_id)
    refused = refusal(user)
    if refused is not None:
        fail(ctx, whom(user), user, refused.code)
        return refused
    return await finish(ctx, user, [PASSKEY, VERIFIED], cookie=given.session == "cookie")


def _about(browser: str) -> dict[str, Any]:
    return {"sign_in": hash_token(browser).hex()}
