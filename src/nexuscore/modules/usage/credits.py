"""Credits: given, bought, taken back; and the terms an organisation uses things on."""

from uuid import UUID

from sqlalchemy import bindparam, select, update

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import Fault, ValidationError
from nexuscore.modules.usage import accounts
from nexuscore.modules.usage.errors import CreditedDifferently
from nexuscore.modules.usage.events import CreditsAdded, CreditsTakenBack, TermsChanged
from nexuscore.modules.usage.reservations import MOST
from nexuscore.modules.usage.tables import UsageAccount, UsageEntry

OF_SOURCE = select(UsageEntry).where(UsageEntry.source == bindparam("given"))
_TERMS = update(UsageAccount).returning(UsageAccount)


async def grant(ctx: Ctx, amount_micro: int, *, reason: str, source: str | None = None) -> UsageEntry:
    """Give the organisation credits. What names a `source` is given once, whoever asks again."""
    return await _add(ctx, "grant", amount_micro, reason, source)


async def bought(ctx: Ctx, amount_micro: int, *, reason: str, source: str) -> UsageEntry:
    """Add credits that were paid for; `source` names the payment or invoice, and counts once."""
    return await _add(ctx, "purchase", amount_micro, reason, source)


async def take_back(ctx: Ctx, amount_micro: int, *, reason: str, source: str) -> UsageEntry:
    """Take credits back, after a refund: as many as are neither spent nor held. The entry says how many that were."""
    _check(amount_micro)
    account = await accounts.lock(ctx)
    if (earlier := await ctx.db.first(OF_SOURCE, given=source)) is not None:
        return earlier
    before = await accounts.credits(ctx)
    taken = min(amount_micro, max(0, before - await accounts.held(ctx)))
    entry = await accounts.enter(
        ctx,
        at=ctx.now,
        day=ctx.now.date(),
        user_id=_actor(ctx),
        kind="taken_back",
        reason=reason,
        amount_micro=-taken,
        source=source,
    )
    ctx.emit(CreditsTakenBack(entry_id=entry.id, amount_micro=taken, reason=reason))
    accounts.warn(ctx, account, before, before - taken)
    return entry


async def set_terms(ctx: Ctx, *, is_postpaid: bool | None = None, warn_below_micro: int | None = None) -> UsageAccount:
    """Let the organisation pay afterwards, by invoice, or not; and set when it is warned."""
    account = await accounts.lock(ctx)
    given = {"is_postpaid": is_postpaid, "warn_below_micro": warn_below_micro}
    new = {name: value for name, value in given.items() if value is not None and value != getattr(account, name)}
    if not new:
        return account
    changed = await ctx.db.one(_TERMS, **new)
    ctx.emit(TermsChanged(is_postpaid=changed.is_postpaid, warn_below_micro=changed.warn_below_micro))
    return changed


async def _add(ctx: Ctx, kind: str, amount_micro: int, reason: str, source: str | None) -> UsageEntry:
    _check(amount_micro)
    await accounts.lock(ctx)
    earlier = await ctx.db.first(OF_SOURCE, given=source) if source is not None else None
    if earlier is not None:
        if (earlier.kind, earlier.amount_micro) != (kind, amount_micro):
            raise CreditedDifferently(details={"amount_micro": earlier.amount_micro, "kind": earlier.kind})
        return earlier
    entry = await accounts.enter(
        ctx,
        at=ctx.now,
        day=ctx.now.date(),
        user_id=_actor(ctx),
        kind=kind,
        reason=reason,
        amount_micro=amount_micro,
        source=source,
    )
    ctx.emit(CreditsAdded(entry_id=entry.id, kind=kind, amount_micro=amount_micro, reason=reason))
    return entry


def _actor(ctx: Ctx) -> UUID | None:
    return ctx.actor.id if ctx.actor.kind == "user" else None


def _check(amount_micro: int) -> None:
    if not 0 < amount_micro <= MOST:
        raise ValidationError.of([Fault("amount_micro", "out_of_range", "This amount is out of range.")])
