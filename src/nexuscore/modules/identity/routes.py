"""Identity over HTTP: parse, call one verb, return."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from nexuscore.kernel.ctx import Ctx, RowCtx
from nexuscore.kernel.db import Json
from nexuscore.kernel.http import Can, Exchange, Page, PageQuery, Public, Reply, Routes, SignedIn
from nexuscore.kernel.limits import SIGN_IN
from nexuscore.modules.identity import (
    accounts,
    bootstrap,
    cookies,
    meter,
    passwords,
    people,
    profile,
    sessions,
    sign_in,
    tokens,
)
from nexuscore.modules.identity.directory import user as one_user
from nexuscore.modules.identity.errors import (
    AccountClosed,
    AccountExists,
    AccountSuspended,
    InvalidCredentials,
    InvalidToken,
    LastAdmin,
    SecretInvalid,
)
from nexuscore.modules.identity.limits import CODES, MAILS, METER, REGISTER
from nexuscore.modules.identity.permissions import CHANGE_ROLES, SEE_USERS, SUSPEND_USERS
from nexuscore.modules.identity.schemas import (
    Bootstrap,
    ChallengeOut,
    Credentials,
    EmailProof,
    Forgotten,
    MailToken,
    Me,
    MeChange,
    NewAccount,
    NewEmail,
    PasswordChange,
    PasswordJudged,
    PasswordProof,
    PasswordReset,
    PasswordToJudge,
    Refresh,
    Registration,
    RegistrationAgain,
    RoleChange,
    SessionOut,
    SignedInOut,
    Suspension,
    UserOut,
)
from nexuscore.modules.identity.sign_in import Challenge, SignInStep
from nexuscore.modules.identity.tables import User

auth = Routes("/auth", tag="Signing in")
me = Routes("/me", tag="My account")
users = Routes("/users", tag="People")
well_known = Routes("/.well-known", tag="Signing in", outside_api=True)

Anybody = Annotated[Exchange, Public("people sign in here")]
Somebody = Annotated[Exchange, SignedIn()]
Caller = Annotated[Ctx, SignedIn()]
FreshCaller = Annotated[Ctx, SignedIn(fresh=True)]
ListQuery = Annotated[PageQuery, Query()]
CanSee = Annotated[Ctx, Can(SEE_USERS)]
CanSeeUser = Annotated[RowCtx[User], Can(SEE_USERS, row=one_user)]
CanSuspend = Annotated[RowCtx[User], Can(SUSPEND_USERS, row=one_user)]
CanChangeRole = Annotated[RowCtx[User], Can(CHANGE_ROLES, row=one_user, fresh=True)]


def answered(exchange: Exchange, step: SignInStep) -> SignedInOut | ChallengeOut | Reply:
    """What a sign-in answers: a challenge, tokens, or cookies with the token pages must show."""
    if isinstance(step, Challenge):
        return ChallengeOut(challenge=step.id, factors=step.factors, expires_in=step.expires_in)
    out = SignedInOut(user_id=step.user_id, session_id=step.session_id)
    if not step.cookie:
        return with_tokens(step)
    app = exchange.app
    body = out.model_copy(update={"csrf_token": cookies.csrf_token(app, step.session_id)})
    return cookies.give(app, Reply(200, body.model_dump_json().encode()), step.session_id, step.cookie)


def with_tokens(opened: sessions.Opened) -> SignedInOut:
    """A session's tokens as they are answered."""
    return SignedInOut(
        user_id=opened.user_id,
        session_id=opened.session_id,
        token_type="Bearer",  # noqa: S106 - a kind of token, not one
        access_token=opened.access,
        expires_in=opened.expires_in,
        refresh_token=opened.refresh,
    )


@auth.post("/register", answer=Registration, status=202, limit=REGISTER)
async def register(exchange: Anybody, new: NewAccount) -> Registration:
    """Ask for an account. The answer is the same whether or not the address has one; the mail tells its owner."""
    return await accounts.register(exchange, new)


@auth.post("/verify-email", status=204, errors=(SecretInvalid,), limit=CODES)
async def verify_email(exchange: Anybody, proof: EmailProof) -> None:
    """Prove an address, by the mailed link's token or by the mailed code."""
    await accounts.verify_email(exchange, proof)


@auth.post("/verify-email/resend", status=202, limit=MAILS)
async def resend_verification(exchange: Anybody, again: RegistrationAgain) -> None:
    """Send a registration's mail once more; at most once a minute."""
    await accounts.resend(exchange, again.registration)


@auth.post(
    "/sign-in",
    answer=SignedInOut | ChallengeOut,
    errors=(InvalidCredentials, AccountSuspended),
    limit=SIGN_IN,
    priority="critical",
)
async def sign_in_with_password(exchange: Anybody, given: Credentials) -> SignedInOut | ChallengeOut | Reply:
    """Sign in by e-mail and password. With a second factor set up, the answer is a challenge and no token."""
    return answered(exchange, await sign_in.with_password(exchange, given))


@auth.post("/refresh", answer=SignedInOut, errors=(InvalidToken,), priority="critical")
async def refresh_tokens(ctx: Annotated[Ctx, Public("the refresh token says who")], given: Refresh) -> SignedInOut:
    """Trade a refresh token for a new pair. It works once; a second use ends the session."""
    opened = await sessions.refresh(ctx, given.refresh_token)
    if opened is None:
        raise InvalidToken
    return with_tokens(opened)


@auth.post("/sign-out", status=204)
async def sign_out(ctx: Caller) -> Reply:
    """End the session this request came with."""
    await sessions.sign_out(ctx)
    return cookies.take(ctx.app, Reply(204))


@auth.post("/sign-out-everywhere", status=204)
async def sign_out_everywhere(ctx: Caller) -> Reply:
    """End all of the caller's sessions, this one included."""
    if ctx.actor.id is not None:
        await sessions.revoke_sessions(ctx, ctx.actor.id, "signed_out_everywhere")
    return cookies.take(ctx.app, Reply(204))


@auth.post("/reauthenticate", status=204, errors=(InvalidCredentials,))
async def reauthenticate(exchange: Somebody, given: PasswordProof) -> None:
    """Prove again who is there. Sensitive operations ask for it, and take it for ten minutes."""
    await passwords.reauthenticate(exchange, given.password)


@auth.post("/forgot-password", status=202, limit=MAILS)
async def forgot_password(exchange: Anybody, given: Forgotten) -> None:
    """Ask for a link to choose a new password. The answer is the same for every address."""
    await passwords.forgot(exchange, given.email)


@auth.post("/reset-password", status=204, errors=(SecretInvalid,), limit=CODES)
async def reset_password(exchange: Anybody, given: PasswordReset) -> None:
    """Choose a new password by the mailed token. It ends every session and signs nobody in."""
    await passwords.reset(exchange, given)


@auth.post("/password-meter", answer=PasswordJudged, limit=METER)
async def judge_password(exchange: Anybody, given: PasswordToJudge) -> PasswordJudged:
    """How strong a password is, what would make it better, and whether it is accepted. It is not kept."""
    return await meter.judge(exchange, given)


@auth.post("/bootstrap", answer=UserOut, errors=(SecretInvalid, AccountExists), limit=CODES)
async def make_first_admin(exchange: Anybody, given: Bootstrap) -> User:
    """Use the link that `nexus serve` printed: the caller becomes an admin, or an admin's account is made."""
    return await bootstrap.redeem(exchange, given)


@auth.post("/confirm-email", status=204, errors=(SecretInvalid,), limit=CODES)
async def confirm_email(exchange: Anybody, given: MailToken) -> None:
    """Move the account to the address this token was mailed to."""
    await profile.confirm_email(exchange, given.token)


@me.get("", answer=Me)
async def read_me(ctx: Caller) -> Any:
    """The caller's account."""
    return await profile.me(ctx)


@me.patch("", answer=Me)
async def change_me(ctx: Caller, given: MeChange) -> Any:
    """Change the given fields of the caller's account."""
    return await profile.change(ctx, given)


@me.delete("")
async def close_my_account(ctx: FreshCaller) -> Reply:
    """Close the account for good and remove what says whose it was."""
    await profile.close(ctx)
    return cookies.take(ctx.app, Reply(204))


@me.post("/password", status=204, errors=(InvalidCredentials,))
async def change_my_password(exchange: Somebody, given: PasswordChange) -> None:
    """Set a new password. Every other session ends."""
    await passwords.change(exchange, given)


@me.post("/email", status=202, limit=MAILS)
async def change_my_email(exchange: Somebody, given: NewEmail) -> None:
    """Ask to use another address. It has to be confirmed there; the old one is told."""
    await profile.ask_for_email(exchange, given.email)


@me.get("/sessions", answer=Page[SessionOut], listing=sessions.LISTED)
async def list_my_sessions(ctx: Caller, query: ListQuery) -> Json:
    """The caller's live sessions, the newest first."""
    return await sessions.page(ctx, query)


@me.delete("/sessions/{session_id}")
async def end_my_session(ctx: Caller, session_id: UUID) -> None:
    """End one of the caller's sessions."""
    if ctx.actor.id is not None:
        await sessions.revoke(ctx, ctx.actor.id, session_id, "revoked")


@users.get("", answer=Page[UserOut], listing=people.USERS)
async def list_users(ctx: CanSee, query: ListQuery) -> Json:
    """Everybody's accounts, the newest first."""
    return await people.page(ctx, query)


@users.get("/{user_id}", answer=UserOut)
async def read_user(ctx: CanSeeUser) -> User:
    """One account."""
    return ctx.row


@users.post("/{user_id}/suspend", answer=UserOut, errors=(AccountClosed, LastAdmin))
async def suspend_user(ctx: CanSuspend, given: Suspension) -> User:
    """Close an account for now. Its sessions, links and keys end within five seconds."""
    return await people.suspend(ctx, ctx.row, given.reason)


@users.post("/{user_id}/restore", answer=UserOut, errors=(AccountClosed,))
async def restore_user(ctx: CanSuspend) -> User:
    """Open a suspended account again."""
    return await people.restore(ctx, ctx.row)


@users.put("/{user_id}/platform-role", answer=UserOut, errors=(LastAdmin,))
async def change_platform_role(ctx: CanChangeRole, given: RoleChange) -> User:
    """Give somebody another role on the platform."""
    return await people.set_platform_role(ctx, ctx.row, given.role)


@well_known.get("/jwks.json")
async def public_keys(exchange: Annotated[Exchange, Public("others verify our tokens by it")]) -> dict[str, Any]:
    """The public keys of access tokens (RFC 7517); none while tokens are signed with HS256."""
    return tokens.public_keys(exchange.app)
