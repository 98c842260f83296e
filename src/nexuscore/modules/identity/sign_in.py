"""Signing in: a first factor, a second one if the person has set one up, then a session.

Every way in ends in `proceed`, which asks for the second factor, or in `finish`, when nothing is left to prove.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter
from uuid import UUID

from sqlalchemy import bindparam, select, update

from nexuscore.kernel.crypto import hash_token
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import NexusError
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.ids import uuid7
from nexuscore.modules.identity import counters, devices, mails, sessions, single_use
from nexuscore.modules.identity.counters import Counter, Exceeded
from nexuscore.modules.identity.emails import mailbox, normalise_email
from nexuscore.modules.identity.errors import AccountSuspended, InvalidCredentials
from nexuscore.modules.identity.events import SignInChallenged, SignInFailed
from nexuscore.modules.identity.exchanges import begin
from nexuscore.modules.identity.factors import factors_of
from nexuscore.modules.identity.hashing import Verdict, verify
from nexuscore.modules.identity.schemas import Credentials
from nexuscore.modules.identity.sessions import Opened
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.single_use import SIGN_IN
from nexuscore.modules.identity.tables import User

_BY_EMAIL = select(User.id, User.password_hash).where(User.email == bindparam("address"))
_UNCHANGED = select(User).where(
    User.id == bindparam("owner"), User.password_hash.is_not_distinct_from(bindparam("verified"))
)
_BETTER = update(User).where(User.id == bindparam("owner")).values(password_hash=bindparam("better"))


@dataclass(frozen=True, slots=True)
class Challenge:
    """A sign-in that waits for one of these second factors. Nothing is open until `meet` was called."""

    id: UUID
    factors: list[str]
    expires_in: int


SignInStep = Opened | Challenge


def account_counters(settings: IdentitySettings, whom: str) -> list[Counter]:
    """How often somebody's password may be tried, whichever operation takes it. `whom` is a mailbox or an id."""
    return [
        Counter("sign_in", whom, settings.sign_in_per_minute, timedelta(minutes=1)),
        failures(settings, whom),
    ]


def failures(settings: IdentitySettings, whom: str) -> Counter:
    """The wider limit of an account, which a success clears; what its address may is not cleared."""
    return Counter("sign_in", whom, settings.sign_in_failures_per_day, timedelta(days=1))


def whom(user: User) -> str:
    """What an account's tries are counted under: the same as a stranger's who knows only the address."""
    return mailbox(user.email) if user.email else str(user.id)


async def with_password(exchange: Exchange, given: Credentials) -> SignInStep:
    """Sign in by e-mail and password. Unknown, unverified and closed accounts fail like a wrong password."""
    app, started = exchange.app, perf_counter()
    settings = app.settings[IdentitySettings]
    email = normalise_email(given.email)
    account = mailbox(email)
    async with begin(exchange) as ctx:
        exceeded = await counters.count(ctx, *account_counters(settings, account))
        found = await ctx.db.first(_BY_EMAIL, address=email)
        _note_exceeded(ctx, exceeded, account, found)
    if exceeded is not None:
        raise exceeded.error()
    stored = found.password_hash if found is not None else None
    verdict = await verify(app, given.password, stored)
    async with begin(exchange) as ctx:
        user = await ctx.db.first(_UNCHANGED, owner=found.id if found is not None else uuid7(), verified=stored)
        step = await _decide(ctx, user, verdict, cookie=given.session == "cookie")
        if isinstance(step, NexusError):
            fail(ctx, account, user, step.code)
        else:
            await counters.clear(ctx, failures(settings, account))
    if isinstance(step, NexusError):
        await asyncio.sleep(max(0.0, settings.failure_floor_ms / 1000 - (perf_counter() - started)))
        raise step
    return step


async def _decide(ctx: Ctx, user: User | None, verdict: Verdict, *, cookie: bool) -> SignInStep | NexusError:
    if user is None or not verdict.right:
        return InvalidCredentials()
    if verdict.better is not None:
        await ctx.db.execute(_BETTER, owner=user.id, better=verdict.better)
    return await proceed(ctx, user, "password", cookie=cookie)


async def proceed(ctx: Ctx, user: User, factor: str, *, cookie: bool) -> SignInStep | NexusError:
    """Go on after a first factor was right: ask for a second one, or begin the session.

    An error is returned, not raised, so that the transaction with its facts can commit; raise it afterwards.
    """
    refused = refusal(user)
    if refused is not None:
        return refused
    factors = await factors_of(ctx, user)
    if not factors:
        return await finish(ctx, user, [factor], cookie=cookie)
    lasts = timedelta(minutes=ctx.app.settings[IdentitySettings].challenge_minutes)
    secret = await single_use.issue(ctx, SIGN_IN, user.id, lasts, data={"factor": factor, "cookie": cookie})
    device = devices.device(devices.clip(ctx.actor.agent))
    ctx.emit(SignInChallenged(user_id=user.id, factors=factors, device=device))
    return Challenge(secret.id, factors, int(lasts.total_seconds()))


async def meet(ctx: Ctx, challenge: UUID, user: User, factor: str) -> Opened | NexusError:
    """Begin the session a challenge stands for, after `factor` was right. The challenge is used up by it."""
    secret = await single_use.redeem_id(ctx, SIGN_IN, challenge)
    refused = refusal(user)
    if refused is not None:
        return refused
    return await finish(ctx, user, [secret.data["factor"], factor], cookie=secret.data["cookie"])


async def finish(ctx: Ctx, user: User, factors: list[str], *, cookie: bool) -> Opened:
    """Begin the session; nothing is left to prove."""
    opened = await sessions.open(ctx, user, factors, cookie=cookie)
    if opened.new_device:
        await mails.post(
            ctx,
            user,
            mails.NewDevice(
                at=ctx.now,
                zone=user.time_zone,
                device=opened.device,
                place=opened.country or "",
                sessions=mails.page(ctx.app, "sessions"),
            ),
        )
    return opened


def refusal(user: User) -> NexusError | None:
    """Why somebody who proved who they are may still not come in."""
    if user.state == "suspended":
        return AccountSuspended()
    return None if user.state == "active" else InvalidCredentials()


def fail(ctx: Ctx, account: str, user: User | None, reason: str) -> None:
    """Note a sign-in that failed. `account` is hashed: the log names no stranger's address."""
    ctx.emit(
        SignInFailed(
            user_id=user.id if user is not None else None,
            account=hash_token(account).hex(),
            reason=reason,
            device=devices.device(devices.clip(ctx.actor.agent)),
        )
    )


def _note_exceeded(ctx: Ctx, exceeded: Exceeded | None, account: str, user: User | None) -> None:
    """One fact for the first try too many, not one for each."""
    if exceeded is not None and exceeded.first:
        fail(ctx, account, user, "rate_limited")
