"""Second factors and passkeys over HTTP: parse, call one verb, return."""

from typing import Any
from uuid import UUID

from nexuscore.kernel.db import Json
from nexuscore.kernel.http import Page, Reply, Routes
from nexuscore.kernel.limits import SIGN_IN
from nexuscore.modules.identity import (
    cookies,
    factors,
    passkey_sign_in,
    passkeys,
    second_factor,
    totp,
)
from nexuscore.modules.identity.errors import (
    AccountSuspended,
    LastWayIn,
    PasskeyNotAdded,
    PasskeyRefused,
    PasskeysUnavailable,
    SecondFactorInvalid,
    SecondFactorOff,
    SecondFactorRequired,
    SecretInvalid,
    TooManyPasskeys,
    TotpAlreadyOn,
    TotpOff,
)
from nexuscore.modules.identity.factor_schemas import (
    ChallengeProof,
    ChallengeToMeet,
    NewPasskey,
    PasskeyMade,
    PasskeyName,
    PasskeyOptions,
    PasskeyOut,
    PasskeySignIn,
    Proof,
    RecoveryCodes,
    SecondFactors,
    TotpConfirmation,
    TotpDraft,
)
from nexuscore.modules.identity.factor_tables import Passkey
from nexuscore.modules.identity.limits import CODES, PASSKEYS
from nexuscore.modules.identity.routes import Anybody, Caller, FreshCaller, ListQuery, Somebody, answered
from nexuscore.modules.identity.schemas import ChallengeOut, SignedInOut

auth = Routes("/auth", tag="Signing in")
me = Routes("/me", tag="Second factors and passkeys")


@auth.post(
    "/second-factor",
    answer=SignedInOut,
    errors=(SecondFactorInvalid, SecretInvalid, AccountSuspended),
    priority="critical",
    limit=CODES,
)
async def meet_challenge(exchange: Anybody, given: ChallengeProof) -> SignedInOut | ChallengeOut | Reply:
    """Answer the challenge of a sign-in with one second factor: the session begins. Every try counts."""
    return answered(exchange, await second_factor.answer(exchange, given))


@auth.post(
    "/second-factor/options",
    answer=PasskeyOptions,
    errors=(SecretInvalid, SecondFactorOff, PasskeysUnavailable),
    limit=CODES,
    priority="critical",
)
async def ask_for_passkey(exchange: Anybody, given: ChallengeToMeet) -> PasskeyOptions:
    """What to ask the browser for, to meet a challenge with a passkey."""
    return PasskeyOptions(public_key=await second_factor.ask_for_passkey(exchange, given.challenge))


@auth.post(
    "/passkey/options", answer=PasskeyOptions, errors=(PasskeysUnavailable,), priority="critical", limit=PASSKEYS
)
async def begin_passkey_sign_in(exchange: Anybody) -> Reply:
    """What to ask the browser for, to sign in by a passkey. A cookie binds it to this browser for five minutes."""
    options, browser = await passkey_sign_in.ask(exchange)
    body = PasskeyOptions(public_key=options).model_dump_json().encode()
    return cookies.name_browser(exchange.app, Reply(200, body), browser)


@auth.post(
    "/passkey",
    answer=SignedInOut,
    errors=(PasskeyRefused, AccountSuspended),
    max_body=65_536,
    limit=SIGN_IN,
    priority="critical",
)
async def sign_in_with_passkey(exchange: Anybody, given: PasskeySignIn) -> SignedInOut | ChallengeOut | Reply:
    """Sign in by a passkey: no name, no password, and no second factor, since the passkey is both."""
    return answered(exchange, await passkey_sign_in.sign_in(exchange, given))


@auth.post("/reauthenticate/options", answer=PasskeyOptions, errors=(SecondFactorOff, PasskeysUnavailable), limit=CODES)
async def ask_again_for_passkey(exchange: Somebody) -> PasskeyOptions:
    """What to ask the browser for, to prove by a passkey that one is still there."""
    return PasskeyOptions(public_key=await second_factor.ask_again_for_passkey(exchange))


@auth.post("/reauthenticate/second-factor", status=204, errors=(SecondFactorInvalid,), limit=CODES)
async def reauthenticate_by_factor(exchange: Somebody, given: Proof) -> None:
    """Prove again who is there, by a code of the app or by a passkey instead of the password."""
    await second_factor.reauthenticate(exchange, given)


@me.get("/second-factors", answer=SecondFactors)
async def read_second_factors(ctx: Caller) -> dict[str, Any]:
    """What the caller has set up, and whether their role demands it."""
    return await factors.status(ctx)


@me.post("/totp", answer=TotpDraft, errors=(TotpAlreadyOn,))
async def set_up_totp(ctx: FreshCaller) -> TotpDraft:
    """Begin with an authenticator app: a secret for it. Nothing changes until a code of it was confirmed."""
    return TotpDraft.model_validate(await totp.set_up(ctx))


@me.post("/totp/confirm", answer=RecoveryCodes, errors=(SecondFactorInvalid, TotpOff))
async def confirm_totp(ctx: FreshCaller, given: TotpConfirmation) -> RecoveryCodes:
    """Turn the app on. From now on signing in asks for it."""
    return RecoveryCodes(recovery_codes=await totp.confirm(ctx, given.code))


@me.delete("/totp", errors=(TotpOff, SecondFactorRequired))
async def remove_totp(ctx: FreshCaller) -> None:
    """Forget the app. With the last second factor the recovery codes go too."""
    await totp.turn_off(ctx)


@me.post("/recovery-codes", answer=RecoveryCodes, errors=(SecondFactorOff,))
async def make_recovery_codes(ctx: FreshCaller) -> RecoveryCodes:
    """Ten new recovery codes, shown this once. The ones before stop working."""
    return RecoveryCodes(recovery_codes=await factors.new_recovery_codes(ctx))


@me.post("/passkeys/options", answer=PasskeyOptions, errors=(TooManyPasskeys, PasskeysUnavailable))
async def begin_passkey(ctx: FreshCaller) -> PasskeyOptions:
    """What to ask the browser for, to make a passkey."""
    return PasskeyOptions(public_key=await passkeys.begin_adding(ctx))


@me.post("/passkeys", answer=PasskeyMade, status=201, errors=(PasskeyNotAdded, TooManyPasskeys), max_body=65_536)
async def add_passkey(ctx: FreshCaller, new: NewPasskey) -> PasskeyMade:
    """Keep the passkey the browser made."""
    return await passkeys.add(ctx, new)


@me.get("/passkeys", answer=Page[PasskeyOut], listing=passkeys.LISTED)
async def list_my_passkeys(ctx: Caller, query: ListQuery) -> Json:
    """The caller's passkeys, the newest first."""
    return await passkeys.page(ctx, query)


@me.patch("/passkeys/{passkey_id}", answer=PasskeyOut)
async def rename_passkey(ctx: Caller, passkey_id: UUID, given: PasskeyName) -> Passkey:
    """Call a passkey something else."""
    return await passkeys.rename(ctx, passkey_id, given.name)


@me.delete("/passkeys/{passkey_id}", errors=(LastWayIn, SecondFactorRequired))
async def remove_passkey(ctx: FreshCaller, passkey_id: UUID) -> None:
    """Remove a passkey: it signs nobody in any more."""
    await passkeys.remove(ctx, passkey_id)
