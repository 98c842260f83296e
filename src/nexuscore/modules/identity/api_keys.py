"""API keys: shown once, kept as a hash, usable wherever a token is, for no more than their owner may.

A person's key may do what it was made for and its owner still may; an organisation's what it was made for
there. Where an operation asks for no permission, a key needs the scope `account`.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, or_, select, update

from nexuscore.kernel.access import ACCOUNT, EVERYTHING, require
from nexuscore.kernel.crypto import hash_token, new_token
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.errors import BusinessLogicError, Fault, NotFoundError, ValidationError
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.tables import columns
from nexuscore.modules.identity.events import ApiKeyCreated, ApiKeyRevoked
from nexuscore.modules.identity.memory import KeyState, memory
from nexuscore.modules.identity.permissions import MANAGE_ORG_KEYS
from nexuscore.modules.identity.tables import User
from nexuscore.modules.identity.way_schemas import ApiKeyOut, NewApiKey
from nexuscore.modules.identity.way_tables import ApiKey

PREFIX = "nxk_"
_USED_EVERY = timedelta(minutes=1)
_NEW = insert(ApiKey).returning(ApiKey)
_OWN = ApiKey.user_id == bindparam("owner")
_OF_ORG = ApiKey.org_id == bindparam("organisation")
_SHOWN = select(*columns(ApiKey, ApiKeyOut.model_fields)).where(ApiKey.revoked_at.is_(None))
_SORTS = (ApiKey.name, ApiKey.created_at, ApiKey.last_used_at)
MINE = Listing(_SHOWN.where(_OWN), by=ApiKey.id, sorts=_SORTS)
_ORGS = Listing(_SHOWN.where(_OF_ORG), by=ApiKey.id, sorts=_SORTS)
_REVOKE = (
    update(ApiKey)
    .where(ApiKey.id == bindparam("key_id"), ApiKey.revoked_at.is_(None), or_(_OWN, _OF_ORG))
    .values(revoked_at=bindparam("now"))
    .returning(ApiKey)
)
_LIVE = (
    select(ApiKey, User.platform_role, User.locale)
    .outerjoin(User, User.id == ApiKey.user_id)
    .where(
        ApiKey.hash == bindparam("key_hash"),
        ApiKey.revoked_at.is_(None),
        or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > bindparam("now")),
        or_(ApiKey.user_id.is_(None), User.state == "active"),
    )
)
_FORGET = delete(ApiKey).where(_OWN).returning(ApiKey.hash)
_USED = update(ApiKey).where(ApiKey.id == bindparam("key_id")).values(last_used_at=bindparam("now"))


class NoOrganisation(BusinessLogicError):
    """A key for an organisation, asked for outside of one."""

    code = "organisation_required"
    message = "Choose an organisation first."


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made, with the secret that is never shown again."""

    key: ApiKey
    secret: str = field(repr=False)


async def create(ctx: Ctx, new: NewApiKey) -> NewKey:
    """Make a key for the caller, or for the organisation they act in."""
    for_org = new.owner == "organisation"
    if for_org:
        require(ctx, MANAGE_ORG_KEYS.name)
        if ctx.org is None:
            raise NoOrganisation
    _require_held(ctx, new.scopes)
    if new.expires_at is not None and new.expires_at <= ctx.now:
        raise ValidationError.of([Fault("expires_at", "in_the_past", "This time is over already.")])
    token = new_token(PREFIX)
    key = await ctx.db.one(
        _NEW,
        user_id=None if for_org else ctx.actor.id,
        org_id=ctx.org if for_org else None,
        created_by=ctx.actor.id,
        name=new.name,
        prefix=token.value[: len(PREFIX) + 8],
        hash=token.hash,
        scopes=sorted(set(new.scopes)),
        expires_at=new.expires_at,
    )
    ctx.emit(ApiKeyCreated(key_id=key.id, user_id=key.user_id, scopes=key.scopes))
    return NewKey(key, token.value)


def _require_held(ctx: Ctx, scopes: list[str]) -> None:
    """A key may do no more than who makes it."""
    held, known = ctx.actor.permissions, ctx.app.permissions.keys() | {ACCOUNT}
    faults = [
        Fault(f"scopes.{place}", "unknown_scope", "There is no such permission.")
        for place, scope in enumerate(scopes)
        if scope not in known
    ]
    faults += [
        Fault(f"scopes.{place}", "not_held", "You do not hold this permission yourself.")
        for place, scope in enumerate(scopes)
        if scope in known and scope != ACCOUNT and scope not in held and EVERYTHING not in held
    ]
    if faults:
        raise ValidationError.of(faults)


async def page(ctx: Ctx, query: PageQuery, owner: str) -> Json:
    """The caller's keys, or those of the organisation they act in."""
    if owner == "me":
        return await ctx.db.page(MINE, query, owner=ctx.actor.id)
    require(ctx, MANAGE_ORG_KEYS.name)
    return await ctx.db.page(_ORGS, query, organisation=ctx.org)


async def revoke(ctx: Ctx, key_id: UUID) -> None:
    """End a key of the caller's, or of their organisation's if they may."""
    held = ctx.actor.permissions
    organisation = ctx.org if MANAGE_ORG_KEYS.name in held or EVERYTHING in held else None
    key = await ctx.db.first(_REVOKE, key_id=key_id, owner=ctx.actor.id, organisation=organisation, now=ctx.now)
    if key is None:
        raise NotFoundError
    memory(ctx.app).keys.forget(key.hash)
    ctx.emit(ApiKeyRevoked(key_id=key.id, user_id=key.user_id))


async def forget(ctx: Ctx, user_id: UUID) -> None:
    """Remove a person's keys: their account is closed."""
    for row in await ctx.db.all(_FORGET, owner=user_id):
        memory(ctx.app).keys.forget(row.hash)


async def state_of(ctx: Ctx, key_hash: bytes) -> KeyState | None:
    """A live key of an active owner, and a note that it was used; at most once a minute."""
    row = await ctx.db.first(_LIVE, key_hash=key_hash, now=ctx.now)
    if row is None:
        return None
    if row.last_used_at is None or ctx.now - row.last_used_at >= _USED_EVERY:
        await ctx.db.execute(_USED, key_id=row.id, now=ctx.now)
    return KeyState(
        id=row.id,
        user_id=row.user_id,
        org_id=row.org_id,
        scopes=frozenset(row.scopes),
        platform_role=row.platform_role,
        locale=row.locale,
        expires_at=row.expires_at,
    )


def place_of(key: str) -> bytes:
    """Where a key is remembered and stored: under the hash of all of it."""
    return hash_token(key)
