"""The second factor: asked for after every first one, and taken as proof that somebody is still there.

Every try counts: against the challenge, against the person's day, against the address. A try that ends in an error
or says nothing opens nothing; a challenge that was tried too often is over, and the first factor is asked for again.
"""

from typing import Any, cast
from uuid import UUID

from nexuscore.kernel.access import Actor
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import AuthenticationError, NexusError
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.modules.identity import (
    ceremonies,
    counters,
    factors,
    passkeys,
    recovery_codes,
    sessions,
    single_use,
    totp,
)
from nexuscore.modules.identity.directory import user as one_user
from nexuscore.modules.identity.errors import SecondFactorInvalid, SecondFactorOff, SecretInvalid
from nexuscore.modules.identity.exchanges import begin
from nexuscore.modules.identity.factor_schemas import ChallengeProof, Proof
from nexuscore.modules.identity.factors import PASSKEY, RECOVERY_CODE, TOTP
from nexuscore.modules.identity.passwords import note_fresh
from nexuscore.modules.identity.sessions import Opened
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.sign_in import fail, meet, whom
from nexuscore.modules.identity.single_use import SIGN_IN, owner_of
from nexuscore.modules.identity.tables import User


async def ask_for_passkey(exchange: Exchange, challenge: UUID) -> dict[str, Any]:
    """What the browser is asked when a passkey is to meet a challenge: one of that person's."""
    async with begin(exchange) as ctx:
        owner = owner_of(await single_use.peek_id(ctx, SIGN_IN, challenge))
        return await _options(ctx, owner, {"second_factor": str(challenge)}, verify=False)


async def answer(exchange: Exchange, given: ChallengeProof) -> Opened:
    """Meet the challenge of a sign-in: the session begins."""
    async with begin(exchange) as ctx:
        outcome = await _meet(ctx, given)
    if isinstance(outcome, NexusError):
        raise outcome
    return outcome


async def _meet(ctx: Ctx, given: ChallengeProof) -> Opened | NexusError:
    most = ctx.app.settings[IdentitySettings].second_factor_tries
    secret = await single_use.count_try(ctx, SIGN_IN, given.challenge, most)
    if secret is None:
        return SecretInvalid()
    user = await one_user(ctx, owner_of(secret))
    factor = await _shown(ctx, user, given, {"second_factor": str(given.challenge)}, verify=False)
    if isinstance(factor, NexusError):
        fail(ctx, whom(user), user, factor.code)
        return factor
    return await meet(ctx, given.challenge, user, factor)


async def ask_again_for_passkey(exchange: Exchange) -> dict[str, Any]:
    """What the browser is asked when the caller is to prove by a passkey that they are still there."""
    actor = _person(exchange)
    async with begin(exchange) as ctx:
        user = await factors.lock(ctx, actor.id)
        return await _options(ctx, user.id, {"reauthenticate": str(actor.session)}, verify=True)


async def reauthenticate(exchange: Exchange, given: Proof) -> None:
    """Let the caller do sensitive things for the next minutes, by a factor instead of the password."""
    actor = _person(exchange)
    async with begin(exchange) as ctx:
        user = await factors.lock(ctx, actor.id)
        factor = await _shown(ctx, user, given, {"reauthenticate": str(actor.session)}, verify=True)
        if isinstance(factor, NexusError):
            fail(ctx, whom(user), user, factor.code)
        else:
            await sessions.add_factor(ctx, factor)
            await note_fresh(ctx, user, factor)
    if isinstance(factor, NexusError):
        raise factor


async def _options(ctx: Ctx, user_id: UUID, about: dict[str, Any], *, verify: bool) -> dict[str, Any]:
    known = await passkeys.of(ctx, user_id)
    if not known:
        raise SecondFactorOff
    challenge = await passkeys.ask(ctx, passkeys.SHOW, user_id, about)
    return ceremonies.request_options(ctx.app, challenge, known, verify=verify)


async def _shown(ctx: Ctx, user: User, given: Proof, about: dict[str, Any], *, verify: bool) -> str | NexusError:
    """Which factor was right. An error is returned, not raised, so that the try stays counted."""
    if given.passkey is not None:
        passkey = await passkeys.accept(ctx, given.passkey, about, verify=verify)
        return PASSKEY if passkey is not None and passkey.user_id == user.id else SecondFactorInvalid()
    tries = factors.tries(ctx.app, user)
    exceeded = await counters.count(ctx, tries)
    if exceeded is not None:
        return exceeded.error()
    factor = await _typed(ctx, user, given)
    if factor is None:
        return SecondFactorInvalid()
    await counters.clear(ctx, tries)
    return factor


async def _typed(ctx: Ctx, user: User, given: Proof) -> str | None:
    if given.code is not None and await totp.accept(ctx, user, given.code):
        return TOTP
    if isinstance(given, ChallengeProof) and given.recovery_code is not None:
        return RECOVERY_CODE if await recovery_codes.use(ctx, user, given.recovery_code) else None
    return None


def _person(exchange: Exchange) -> Actor:
    actor = exchange.identity.actor
    if actor.kind != "user" or actor.session is None:
        raise AuthenticationError
    return cast(Actor, actor)
