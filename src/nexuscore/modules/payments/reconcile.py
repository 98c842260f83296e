"""Holding our payments, refunds and disputes against the provider's, one by one, and telling what differs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import insert, select

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.ids import uuid7
from nexuscore.kernel.jobs import Job
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.tables import columns
from nexuscore.modules.payments import disputes, effects, findings, refunds, store
from nexuscore.modules.payments.events import Reconciled
from nexuscore.modules.payments.findings import Kind, Thing
from nexuscore.modules.payments.provider import Dispute, Intent, Refund, chosen, provider
from nexuscore.modules.payments.schemas import ReconciliationOut
from nexuscore.modules.payments.states import PAID
from nexuscore.modules.payments.tables import Payment, Reconciliation

Theirs = Intent | Refund | Dispute
_SLACK = timedelta(hours=1)  # what was begun here at five to twelve was begun there at twelve
_NEW = insert(Reconciliation).returning(Reconciliation)
_ALL = Listing(select(*columns(Reconciliation, ReconciliationOut.model_fields)), by=Reconciliation.id)


_PAYMENTS = (
    "SELECT * FROM payments WHERE provider = $1 AND ((created_at >= $2 AND created_at < $3) OR provider_id = ANY($4))"
)
_REFUNDS = _PAYMENTS.replace("FROM payments", "FROM payment_refunds")
_DISPUTES = _PAYMENTS.replace("FROM payments", "FROM payment_disputes")


class Reconcile(Job, name="payments.reconcile"):
    """Compare a period with the provider."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the provider has of a period, with some slack on both sides."""

    provider: str
    since: datetime
    until: datetime
    intents: Sequence[Intent]
    refunds: Sequence[Refund]
    disputes: Sequence[Dispute]


@dataclass(frozen=True, slots=True)
class Pair:
    """One thing, as we have it and as they do."""

    thing: Thing
    id: str
    ours: Any
    theirs: Theirs | None


async def fetch(app: App, job: Reconcile) -> Sheet:
    """Ask the provider for everything of the period."""
    name = chosen(app)
    there = provider(app, name)
    wide = (job.since - _SLACK, job.until + _SLACK)
    return Sheet(
        provider=name,
        since=job.since,
        until=job.until,
        intents=await there.intents(app, *wide),
        refunds=await there.refunds(app, *wide),
        disputes=await there.disputes(app, *wide),
    )


async def compare(ctx: Ctx, sheet: Sheet) -> Reconciliation:
    """Tell what differs. What the provider knows better (money we did not hear of) is booked at once, and told too."""
    pairs = await _pairs(ctx, sheet)
    differing = 0
    for pair in pairs:
        kind = difference(pair)
        if kind is not None:
            differing += 1
            await _tell(ctx, pair, kind)
        elif _is_priced_late(pair):
            async with ctx.in_org(pair.ours.org_id) as there:
                await _book(there, pair.ours.id, cast(Intent, pair.theirs))
    row = await ctx.db.one(
        _NEW,
        id=uuid7(),
        provider=sheet.provider,
        since=sheet.since,
        until=sheet.until,
        started_at=ctx.now,
        compared=len(pairs),
        differing=differing,
    )
    ctx.emit(Reconciled(reconciliation_id=row.id, compared=len(pairs), differing=differing))
    return row


def difference(pair: Pair) -> Kind | None:
    """How two sides of one thing differ; None when they do not, or when no money is in it."""
    ours, theirs = pair.ours, pair.theirs
    if theirs is None:
        return "missing_there" if _has_money(ours.state) else None
    if ours is None:
        return "missing_here" if _has_money(theirs.state) else None
    if (ours.amount, ours.currency) != (theirs.amount.minor, theirs.amount.currency):
        return "amount"
    if pair.thing == "payment":
        same = (ours.state in PAID) == (theirs.state == "succeeded")
        same = same and ((ours.state == "canceled") == (theirs.state == "canceled"))
    else:
        same = ours.state == theirs.state
    return None if same else "state"


def _is_priced_late(pair: Pair) -> bool:
    """Whether only they know what they keep of it."""
    return isinstance(pair.theirs, Intent) and pair.theirs.fee is not None and pair.ours and pair.ours.fee is None


def _has_money(state: str) -> bool:
    return state in (*PAID, "open", "lost", "won")


async def _pairs(ctx: Ctx, sheet: Sheet) -> list[Pair]:
    """Everything both sides have of the period, each thing once."""
    found: list[Pair] = []
    lists: tuple[tuple[Thing, str, Sequence[Theirs]], ...] = (
        ("payment", _PAYMENTS, sheet.intents),
        ("refund", _REFUNDS, sheet.refunds),
        ("dispute", _DISPUTES, sheet.disputes),
    )
    for thing, statement, listed in lists:
        theirs = {each.id: each for each in listed}
        async with ctx.across_orgs("payments are held against the provider's") as everywhere:
            rows = await everywhere.db.raw(statement, sheet.provider, sheet.since, sheet.until, list(theirs))
        ours = {row.provider_id or f"ours:{row.id}": row for row in rows}
        inside = {id for id, each in theirs.items() if sheet.since <= each.created < sheet.until}
        found += [Pair(thing, id, ours.get(id), theirs.get(id)) for id in sorted(inside | ours.keys())]
    return found


async def _tell(ctx: Ctx, pair: Pair, kind: Kind) -> None:
    """Report a difference, and book what only the provider knew."""
    payment = await _payment_of(ctx, pair)
    org = pair.ours.org_id if pair.ours is not None else payment.org_id if payment is not None else None
    await findings.report(
        ctx,
        kind,
        pair.thing,
        pair.id,
        org_id=org,
        payment_id=payment.id if payment is not None else None,
        ours=_shown(pair.ours) if pair.ours is not None else None,
        theirs=_shown_theirs(pair.theirs) if pair.theirs is not None else None,
    )
    if payment is not None and pair.theirs is not None and kind in ("missing_here", "state"):
        async with ctx.in_org(payment.org_id) as there:
            await _book(there, payment.id, pair.theirs)


async def _book(ctx: Ctx, payment_id: UUID, theirs: Theirs) -> None:
    """Bring ours to where theirs is; what is not possible changes nothing and stays reported."""
    match theirs:
        case Intent():
            await effects.apply(ctx, payment_id, theirs)
        case Refund():
            await refunds.apply(ctx, await store.lock(ctx, payment_id), theirs)
        case Dispute():
            await disputes.apply(ctx, await store.lock(ctx, payment_id), theirs)


async def _payment_of(ctx: Ctx, pair: Pair) -> Payment | None:
    """Our payment behind a pair, as far as there is one."""
    if pair.thing == "payment" and pair.ours is not None:
        found: Payment = pair.ours
        return found
    if pair.ours is not None:
        return await store.get_anywhere(ctx, pair.ours.payment_id)
    theirs = pair.theirs
    if isinstance(theirs, Intent):
        return await store.found_there(ctx, theirs.id, theirs.metadata.get("payment_id"))
    return await store.found_there(ctx, theirs.intent, None) if theirs is not None and theirs.intent else None


def _shown(row: Any) -> dict[str, Any]:
    return {"id": str(row.id), "amount": row.amount, "currency": row.currency, "state": row.state}


def _shown_theirs(theirs: Theirs) -> dict[str, Any]:
    return {
        "amount": theirs.amount.minor,
        "currency": theirs.amount.currency,
        "state": theirs.state,
        "created": theirs.created.isoformat(),
    }


async def page(ctx: Ctx, query: PageQuery) -> Json:
    """The comparisons so far, newest first."""
    return await ctx.db.page(_ALL, query)
