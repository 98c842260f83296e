"""Saved cards: kept by the provider, named here, charged when a subscription is renewed."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.jobs import Job
from nexuscore.kernel.tables import columns
from nexuscore.modules.payments.errors import MethodGone, NoSavedMethod, PaymentFailed, ProviderRefused
from nexuscore.modules.payments.events import DefaultMethodChanged, MethodRemoved, MethodSaved
from nexuscore.modules.payments.provider import Method, Setup, chosen, provider
from nexuscore.modules.payments.schemas import MethodOut, NewMethod
from nexuscore.modules.payments.tables import SavedMethod

_KEPT = SavedMethod.removed_at.is_(None)
_ONE = select(SavedMethod).where(SavedMethod.id == bindparam("method_id"), _KEPT)
_LOCKED = _ONE.with_for_update()
_DEFAULT = select(SavedMethod).where(_KEPT, SavedMethod.is_default, SavedMethod.provider == bindparam("of_provider"))
_THERE = select(SavedMethod).where(SavedMethod.provider_id == bindparam("theirs"))
_ALL = select(*columns(SavedMethod, MethodOut.model_fields)).where(_KEPT).order_by(SavedMethod.id)
_KEPT_ROWS = select(SavedMethod).where(_KEPT, SavedMethod.provider == bindparam("of_provider")).order_by(SavedMethod.id)
_SAVE = insert(SavedMethod).on_conflict_do_nothing().returning(SavedMethod)
_CHANGE = update(SavedMethod).where(SavedMethod.id == bindparam("method_id")).returning(SavedMethod)
_NO_DEFAULT = update(SavedMethod).where(SavedMethod.is_default, SavedMethod.provider == bindparam("of_provider"))
_HOLD = "SELECT pg_advisory_xact_lock(hashtextextended('payments.methods:' || $1::text, 0))"


class Forget(Job, name="payments.forget_method"):
    """Have the provider forget a card that was removed here."""

    provider: str
    provider_id: str


async def get(ctx: Ctx, method_id: UUID) -> SavedMethod:
    """One saved card."""
    return await ctx.db.one(_ONE, method_id=method_id)


async def saved(ctx: Ctx) -> Json:
    """The organisation's saved cards, oldest first."""
    return await ctx.db.json(_ALL)


async def rows(ctx: Ctx) -> list[SavedMethod]:
    """The same of who takes the money here, the one that is charged first."""
    found = await ctx.db.all(_KEPT_ROWS, of_provider=chosen(ctx.app))
    return sorted(found, key=lambda method: not method.is_default)


async def default(ctx: Ctx) -> SavedMethod:
    """The card that is charged when nobody names one."""
    found = await ctx.db.first(_DEFAULT, of_provider=chosen(ctx.app))
    if found is None:
        raise NoSavedMethod
    return found


async def theirs(ctx: Ctx, provider: str, method_id: UUID | None) -> str:
    """The provider's id of a saved card."""
    found = await ctx.db.first(_ONE, method_id=method_id)
    if found is None or found.provider != provider:
        raise MethodGone
    return found.provider_id


async def keep(ctx: Ctx, provider: str, method: Method) -> SavedMethod:
    """Remember a card the provider keeps; the first is the default. Told twice, it is one card."""
    await ctx.db.raw(_HOLD, str(ctx.org))
    known = await ctx.db.first(_THERE, theirs=method.id)
    if known is not None:
        return known
    is_first = await ctx.db.first(_DEFAULT, of_provider=provider) is None
    row = await ctx.db.one(
        _SAVE,
        provider=provider,
        provider_id=method.id,
        kind=method.kind,
        brand=method.brand,
        last4=method.last4,
        exp_month=method.exp_month,
        exp_year=method.exp_year,
        is_default=is_first,
        created_by=ctx.actor.id,
    )
    ctx.emit(MethodSaved(method_id=row.id, kind=row.kind, is_default=is_first))
    return row


async def remove(ctx: Ctx, method_id: UUID) -> None:
    """Keep a card no longer; another one becomes the default."""
    await ctx.db.raw(_HOLD, str(ctx.org))
    row = await ctx.db.one(_LOCKED, method_id=method_id)
    await ctx.db.one(_CHANGE, method_id=row.id, removed_at=ctx.now, is_default=False)
    ctx.emit(MethodRemoved(method_id=row.id))
    ctx.enqueue(Forget(provider=row.provider, provider_id=row.provider_id))
    rest = await ctx.db.all(_KEPT_ROWS, of_provider=row.provider)
    if row.is_default and rest:
        await ctx.db.one(_CHANGE, method_id=rest[-1].id, is_default=True)
        ctx.emit(DefaultMethodChanged(method_id=rest[-1].id))


async def make_default(ctx: Ctx, method_id: UUID) -> SavedMethod:
    """Charge this card from now on."""
    await ctx.db.raw(_HOLD, str(ctx.org))
    row = await ctx.db.one(_LOCKED, method_id=method_id)
    if row.is_default:
        return row
    await ctx.db.execute(_NO_DEFAULT, of_provider=row.provider, is_default=False)
    ctx.emit(DefaultMethodChanged(method_id=row.id))
    return await ctx.db.one(_CHANGE, method_id=row.id, is_default=True)


async def set_up(app: App, payer: Callable[[], Awaitable[str]], key: str) -> Setup:
    """Begin to save a card."""
    return await provider(app).set_up(app, await payer(), key=f"setup:{key}")


async def setup_of(app: App, payer: Callable[[], Awaitable[str]], setup_id: str) -> Setup:
    """A setup of this organisation as it is now."""
    try:
        setup = await provider(app).setup_now(app, setup_id)
    except ProviderRefused as error:
        if getattr(error, "http_status", None) == 404:  # an id that somebody made up
            raise MethodGone from error
        raise
    if setup.customer != await payer():
        raise MethodGone
    return setup


async def finish(
    app: App, payer: Callable[[], Awaitable[str]], new: NewMethod, key: str, *, back: str | None = None
) -> Method:
    """The card of a setup of this organisation, confirmed here if it is to be; `back` is where a bank sends them."""
    setup = await setup_of(app, payer, new.setup_id)
    if new.payment_method is not None and setup.state in ("pending", "failed"):
        setup = await provider(app).confirm_set_up(
            app, new.setup_id, new.payment_method, key=f"save:{key}", return_url=back or app.kernel.public_url
        )
    if setup.state != "succeeded" or setup.method is None:
        code = setup.failure.code if setup.failure else setup.state
        raise PaymentFailed(details={"code": code, "action": setup.action})
    return setup.method
