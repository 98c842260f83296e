"""Passkeys: made by a signed-in person, shown in place of a password or after it, renamed, removed."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.tables import columns
from nexuscore.modules.identity import ceremonies, devices, factors, single_use
from nexuscore.modules.identity.errors import PasskeyNotAdded, SecretInvalid, TooManyPasskeys
from nexuscore.modules.identity.events import PasskeyAdded, PasskeyRemoved, PasskeySuspected
from nexuscore.modules.identity.factor_schemas import Credential, NewPasskey, PasskeyMade, PasskeyOut
from nexuscore.modules.identity.factor_tables import Passkey
from nexuscore.modules.identity.factors import PASSKEY
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.tables import User
from nexuscore.modules.identity.ways_in import require_way_in

ADD = "add_passkey"
SHOW = "show_passkey"
MOST = 20

_MINE = Passkey.user_id == bindparam("owner")
_THIS = (_MINE, Passkey.id == bindparam("passkey_id"))
_ALL = select(Passkey).where(_MINE).order_by(Passkey.id)
_COUNT = select(func.count(Passkey.id)).where(_MINE)
LISTED = Listing(select(*columns(Passkey, PasskeyOut.model_fields)).where(_MINE), by=Passkey.id)
_NEW = insert(Passkey).on_conflict_do_nothing(index_elements=[Passkey.credential_id]).returning(Passkey)
_BY_CREDENTIAL = select(Passkey).where(Passkey.credential_id == bindparam("credential"))
_USE = (
    update(Passkey)
    .where(
        Passkey.id == bindparam("passkey_id"),
        or_(Passkey.sign_count < bindparam("shown"), Passkey.sign_count + bindparam("shown") == 0),
    )
    .values(sign_count=bindparam("shown"), backed_up=bindparam("copied"), last_used_at=bindparam("now"))
    .returning(Passkey)
)
_SUSPECT = update(Passkey).where(Passkey.id == bindparam("passkey_id")).values(suspect_at=bindparam("now"))
_RENAME = update(Passkey).where(*_THIS).values(name=bindparam("called")).returning(Passkey)
_REMOVE = delete(Passkey).where(*_THIS).returning(Passkey)


async def of(ctx: Ctx, user_id: UUID) -> list[Passkey]:
    """A person's passkeys, the oldest first."""
    return await ctx.db.all(_ALL, owner=user_id)


async def begin_adding(ctx: Ctx) -> dict[str, Any]:
    """What the caller's browser is asked when it makes a passkey."""
    user = await factors.lock(ctx, ctx.actor.id)
    known = await of(ctx, user.id)
    if len(known) >= MOST:
        raise TooManyPasskeys
    challenge = await ask(ctx, ADD, user.id, {"session": str(ctx.actor.session)})
    return ceremonies.creation_options(ctx.app, challenge, user, known)


async def add(ctx: Ctx, new: NewPasskey) -> PasskeyMade:
    """Keep what the browser made. With the first second factor come recovery codes."""
    user = await factors.lock(ctx, ctx.actor.id)
    before = await ctx.db.value(_COUNT, owner=user.id)
    if before >= MOST:
        raise TooManyPasskeys
    found = await _made(ctx, user, new.credential)
    passkey = await ctx.db.first(
        _NEW,
        user_id=user.id,
        credential_id=found.credential_id,
        public_key=found.public_key,
        sign_count=found.sign_count,
        transports=found.transports,
        aaguid=found.aaguid,
        backed_up=found.backed_up,
        name=new.name or devices.device(devices.clip(ctx.actor.agent)) or "Passkey",
    )
    if passkey is None:
        raise PasskeyNotAdded
    ctx.emit(PasskeyAdded(user_id=user.id, passkey_id=passkey.id))
    codes = await factors.turned_on(ctx, user, PASSKEY, first=before == 0, name=passkey.name)
    return PasskeyMade.model_validate({**PasskeyOut.model_validate(passkey).model_dump(), "recovery_codes": codes})


async def _made(ctx: Ctx, user: User, given: Credential) -> ceremonies.Made:
    await ceremonies.ready()
    token = ceremonies.challenge_of(given)
    if token is None:
        raise PasskeyNotAdded
    try:
        secret = await single_use.redeem(ctx, ADD, token)
    except SecretInvalid:
        raise PasskeyNotAdded from None
    if secret.user_id != user.id or secret.data["session"] != str(ctx.actor.session):
        raise PasskeyNotAdded
    made = ceremonies.made(ctx.app, given, token)
    if made is None:
        raise PasskeyNotAdded
    return made


async def ask(ctx: Ctx, purpose: str, user_id: UUID | None, about: dict[str, Any]) -> str:
    """A challenge for a browser to sign, once and soon, and only `about` this."""
    await ceremonies.ready()
    minutes = ctx.app.settings[IdentitySettings].passkey_minutes
    return (await single_use.issue(ctx, purpose, user_id, timedelta(minutes=minutes), data=about)).token


async def accept(ctx: Ctx, given: Credential, about: dict[str, Any], *, verify: bool) -> Passkey | None:
    """The passkey, when it signed a challenge that was asked `about` just this; the challenge is used up by it.

    None when anything does not hold. Commit either way: the challenge is spent, and a copied passkey is noted.
    """
    await ceremonies.ready()
    token = ceremonies.challenge_of(given)
    if token is None:
        return None
    try:
        challenge = await single_use.redeem(ctx, SHOW, token)
    except SecretInvalid:
        return None
    passkey = await ctx.db.first(_BY_CREDENTIAL, credential=ceremonies.credential_id(given))
    if passkey is None or challenge.data != about or challenge.user_id not in (None, passkey.user_id):
        return None
    await factors.lock(ctx, passkey.user_id)
    signed = ceremonies.signed(ctx.app, given, token, passkey, verify=verify)
    if signed is None:
        return None
    used = await ctx.db.first(
        _USE, passkey_id=passkey.id, shown=signed.sign_count, copied=signed.backed_up, now=ctx.now
    )
    if used is None:
        await _suspect(ctx, passkey, signed.sign_count)
    return used


async def _suspect(ctx: Ctx, passkey: Passkey, shown: int) -> None:
    """Two devices that count on their own have the same key: one of them is a copy."""
    if await ctx.db.execute(_SUSPECT, passkey_id=passkey.id, now=ctx.now):
        ctx.emit(
            PasskeySuspected(user_id=passkey.user_id, passkey_id=passkey.id, known=passkey.sign_count, shown=shown)
        )


async def page(ctx: Ctx, query: PageQuery) -> Json:
    """The caller's passkeys, the newest first."""
    return await ctx.db.page(LISTED, query, owner=ctx.actor.id)


async def rename(ctx: Ctx, passkey_id: UUID, name: str) -> Passkey:
    """Call one of the caller's passkeys something else."""
    return await ctx.db.one(_RENAME, owner=ctx.actor.id, passkey_id=passkey_id, called=name)


async def remove(ctx: Ctx, passkey_id: UUID) -> None:
    """Remove one of the caller's passkeys; it signs nobody in from now on."""
    user = await factors.lock(ctx, ctx.actor.id)
    removed = await ctx.db.one(_REMOVE, owner=user.id, passkey_id=passkey_id)
    await require_way_in(ctx, user)
    ctx.emit(PasskeyRemoved(user_id=user.id, passkey_id=removed.id))
    left = await ctx.db.value(_COUNT, owner=user.id)
    await factors.turned_off(ctx, user, PASSKEY, last=left == 0, name=removed.name)
