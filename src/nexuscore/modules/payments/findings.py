"""What a person must look at: once each, until somebody says what was done."""

from typing import Any, Literal
from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.errors import ConflictError
from nexuscore.kernel.log import get_logger
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.tables import columns
from nexuscore.modules.payments.events import FindingReported, FindingSettled
from nexuscore.modules.payments.schemas import FindingOut
from nexuscore.modules.payments.tables import Finding

Kind = Literal["missing_here", "missing_there", "amount", "state", "unapplied", "refund_failed", "disputed"]
Thing = Literal["payment", "refund", "dispute", "invoice"]

_log = get_logger(__name__)
_ADD = insert(Finding).on_conflict_do_nothing().returning(Finding)
_ONE = select(Finding).where(Finding.id == bindparam("finding_id"))
_SETTLE = update(Finding).where(Finding.id == bindparam("finding_id"), Finding.settled_at.is_(None)).returning(Finding)
_shown = select(*columns(Finding, FindingOut.model_fields))
_ALL = Listing(_shown, by=Finding.id)
_OPEN = Listing(_shown.where(Finding.settled_at.is_(None)), by=Finding.id)


async def report(
    ctx: Ctx,
    kind: Kind,
    thing: Thing,
    thing_id: str,
    *,
    org_id: UUID | None = None,
    payment_id: UUID | None = None,
    ours: dict[str, Any] | None = None,
    theirs: dict[str, Any] | None = None,
) -> bool:
    """Report something; False when it is reported already and nobody has settled it."""
    row = await ctx.db.first(
        _ADD,
        kind=kind,
        thing=thing,
        thing_id=thing_id,
        org_id=org_id or ctx.org,
        payment_id=payment_id,
        ours=ours,
        theirs=theirs,
        found_at=ctx.now,
    )
    if row is None:
        return False
    _log.warning("payment_finding", kind=kind, thing=thing, thing_id=thing_id, payment_id=payment_id)
    ctx.emit(FindingReported(finding_id=row.id, kind=kind, thing=thing, thing_id=thing_id))
    return True


async def get(ctx: Ctx, finding_id: UUID) -> Finding:
    """One finding."""
    return await ctx.db.one(_ONE, finding_id=finding_id)


async def page(ctx: Ctx, query: PageQuery, *, settled: bool) -> Json:
    """The findings, newest first; without `settled`, only those that wait for somebody."""
    return await ctx.db.page(_ALL if settled else _OPEN, query)


async def settle(ctx: Ctx, finding: Finding, note: str) -> Finding:
    """Somebody looked at it, and says what was done."""
    row = await ctx.db.first(_SETTLE, finding_id=finding.id, settled_at=ctx.now, settled_by=ctx.actor.id, note=note)
    if row is None:
        raise ConflictError(code="finding_settled")
    ctx.emit(FindingSettled(finding_id=row.id))
    return row
