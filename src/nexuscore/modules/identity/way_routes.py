"""More ways in, over HTTP: magic links, phone codes, API keys, invite codes."""

from typing import Annotated
from uuid import UUID

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.http import Can, Exchange, Page, PageQuery, Public, Query, Reply, Routes, SignedIn
from nexuscore.modules.identity import api_keys, invite_codes, magic_links, phone_codes
from nexuscore.modules.identity.errors import AccountSuspended, InvalidCredentials, SecretInvalid
from nexuscore.modules.identity.limits import CODES, MAILS, PHONES, UNLOCK, UNLOCK_FROM
from nexuscore.modules.identity.permissions import MANAGE_INVITES
from nexuscore.modules.identity.phone_codes import PhoneTaken
from nexuscore.modules.identity.routes import answered
from nexuscore.modules.identity.schemas import ChallengeOut, SignedInOut
from nexuscore.modules.identity.texts import NoSender
from nexuscore.modules.identity.way_schemas import (
    ApiKeyMade,
    ApiKeyOut,
    ApiKeyQuery,
    CodeGiven,
    InviteCodeMade,
    InviteCodeOut,
    MagicLinkAsked,
    MagicLinkUsed,
    NewApiKey,
    NewInviteCode,
    PhoneAsked,
    PhoneAttempt,
    PhoneProof,
    RoleHeld,
)

ways = Routes("/auth", tag="Signing in")
mine = Routes("/me", tag="My account")
keys = Routes("/api-keys", tag="API keys")
codes = Routes("/invite-codes", tag="People")

Anybody = Annotated[Exchange, Public("people sign in here")]
Somebody = Annotated[Exchange, SignedIn()]
FreshSomebody = Annotated[Exchange, SignedIn(fresh=True)]
Caller = Annotated[Ctx, SignedIn()]
FreshCaller = Annotated[Ctx, SignedIn(fresh=True)]
CanInvite = Annotated[Ctx, Can(MANAGE_INVITES)]
FreshInviter = Annotated[Ctx, Can(MANAGE_INVITES, fresh=True)]


@ways.post("/magic-link", status=202, limit=MAILS, priority="critical")
async def ask_for_magic_link(exchange: Anybody, given: MagicLinkAsked) -> None:
    """Ask for a link that signs in. The answer is the same for every address."""
    await magic_links.ask(exchange, given.email)


@ways.post(
    "/magic-link/sign-in",
    answer=SignedInOut | ChallengeOut,
    errors=(SecretInvalid, AccountSuspended),
    limit=CODES,
    priority="critical",
)
async def sign_in_with_magic_link(exchange: Anybody, given: MagicLinkUsed) -> SignedInOut | ChallengeOut | Reply:
    """Sign in with a mailed link's token, once. A second factor is asked for as ever."""
    return answered(exchange, await magic_links.sign_in(exchange, given.token, cookie=given.session == "cookie"))


@ways.post("/phone", answer=PhoneAttempt, status=202, errors=(NoSender,), limit=PHONES, priority="critical")
async def ask_for_phone_code(exchange: Anybody, given: PhoneAsked) -> PhoneAttempt:
    """Ask for a code to sign in by phone. The answer is the same for every number."""
    return await phone_codes.ask(exchange, given.phone)


@ways.post(
    "/phone/sign-in",
    answer=SignedInOut | ChallengeOut,
    errors=(SecretInvalid, InvalidCredentials, AccountSuspended),
    limit=CODES,
    priority="critical",
)
async def sign_in_with_phone(exchange: Anybody, given: PhoneProof) -> SignedInOut | ChallengeOut | Reply:
    """Sign in with the code that was sent to a number. It works once, and may be tried three times."""
    return answered(exchange, await phone_codes.sign_in(exchange, given))


@mine.post("/phone", answer=PhoneAttempt, status=202, errors=(NoSender,), limit=PHONES)
async def ask_to_add_phone(exchange: FreshSomebody, given: PhoneAsked) -> PhoneAttempt:
    """Ask for a code that adds a number to the caller's account."""
    return await phone_codes.ask(exchange, given.phone, owner=exchange.identity.actor.id)


@mine.post("/phone/verify", status=204, errors=(SecretInvalid, PhoneTaken))
async def add_phone(exchange: FreshSomebody, given: PhoneProof) -> None:
    """Add the number a code was sent to."""
    await phone_codes.add(exchange, given)


@mine.post("/invite-code", answer=RoleHeld, errors=(SecretInvalid,), limit=(UNLOCK, UNLOCK_FROM))
async def redeem_invite_code(exchange: Somebody, given: CodeGiven) -> RoleHeld:
    """Redeem an invite code. It raises the caller's platform role, or leaves it; it never lowers it."""
    return RoleHeld(platform_role=await invite_codes.redeem(exchange, given.code))


@mine.post("/unlock", answer=RoleHeld, errors=(SecretInvalid,), limit=(UNLOCK, UNLOCK_FROM))
async def unlock_me(exchange: Somebody, given: CodeGiven) -> RoleHeld:
    """Become a user by the unlock code, where this installation has one."""
    return RoleHeld(platform_role=await invite_codes.unlock(exchange, given.code))


@keys.get("", answer=Page[ApiKeyOut], listing=api_keys.MINE)
async def list_api_keys(ctx: Caller, query: Annotated[ApiKeyQuery, Query()]) -> Json:
    """The caller's keys, or with `owner=organisation` those of the organisation they act in."""
    return await api_keys.page(ctx, query, query.owner)


@keys.post("", answer=ApiKeyMade, status=201, errors=(api_keys.NoOrganisation,))
async def create_api_key(ctx: FreshCaller, new: NewApiKey) -> ApiKeyMade:
    """Make a key. Its secret is in this answer and nowhere else."""
    made = await api_keys.create(ctx, new)
    shown = {name: getattr(made.key, name) for name in ApiKeyOut.model_fields}
    return ApiKeyMade(**shown, key=made.secret)


@keys.delete("/{key_id}")
async def revoke_api_key(ctx: Caller, key_id: UUID) -> None:
    """End a key. It is dead everywhere within five seconds."""
    await api_keys.revoke(ctx, key_id)


@codes.get("", answer=Page[InviteCodeOut], listing=invite_codes.CODES)
async def list_invite_codes(ctx: CanInvite, query: Annotated[PageQuery, Query()]) -> Json:
    """All invite codes, without the codes."""
    return await invite_codes.page(ctx, query)


@codes.post("", answer=InviteCodeMade, status=201)
async def create_invite_code(ctx: FreshInviter, new: NewInviteCode) -> InviteCodeMade:
    """Make an invite code. The code is in this answer and nowhere else."""
    made = await invite_codes.create(ctx, new)
    shown = {name: getattr(made.row, name) for name in InviteCodeOut.model_fields}
    return InviteCodeMade(**shown, code=made.code)


@codes.delete("/{code_id}")
async def revoke_invite_code(ctx: CanInvite, code_id: UUID) -> None:
    """Take back what is left of a code."""
    await invite_codes.revoke(ctx, code_id)


ALL = (ways, mine, keys, codes)
