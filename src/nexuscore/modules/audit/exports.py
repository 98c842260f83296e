"""Exports: the facts that filters let through, from the archive and the database, as CSV or JSON lines.

An export is made by a job in parts of bounded size, oldest facts first, and downloaded by signed links.
"""

from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select, update

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.db import Json
from nexuscore.kernel.errors import NotFoundError
from nexuscore.kernel.filters import equals
from nexuscore.kernel.jobs import Job
from nexuscore.kernel.paging import Listing, PageQuery
from nexuscore.kernel.tables import columns
from nexuscore.modules.audit import store
from nexuscore.modules.audit.errors import LinkExpired, TooManyExports
from nexuscore.modules.audit.events import ExportDownloaded, ExportReady, ExportRequested
from nexuscore.modules.audit.files import Made, Order, file_of
from nexuscore.modules.audit.schemas import ExportOut, ExportSummary, Filters, NewExport, PartOut
from nexuscore.modules.audit.settings import AuditSettings
from nexuscore.modules.audit.tables import Export

WAITING = 5  # exports of one organisation that may wait at once
PURPOSE = "audit.export"

_CREATE = insert(Export).returning(Export)
_ONE = select(Export).where(Export.id == bindparam("export_id"))
OWN = Listing(
    select(*columns(Export, ExportSummary.model_fields)).where(Export.org_id.is_not_distinct_from(bindparam("org"))),
    by=Export.id,
    sorts=(Export.created_at,),
    filters={"state": equals(Export.state, Literal["waiting", "ready", "expired"])},
)
_WAITING = select(func.count()).where(Export.org_id.is_not_distinct_from(bindparam("org")), Export.state == "waiting")
_CHANGE = update(Export).where(Export.id == bindparam("export_id"))
_EXPIRED = select(Export).where(Export.state == "ready", Export.expires_at <= bindparam("now"))


class MakeExport(Job, name="audit.export", retries=5, timeout=timedelta(hours=2)):
    """Write an export's files."""

    export_id: UUID


# --- asking for one -------------------------------------------------------------------------------


async def request(ctx: Ctx, new: NewExport) -> ExportOut:
    """Ask for an export of the scope's facts; in no organisation's scope, of everybody's."""
    if await ctx.db.value(_WAITING, org=ctx.org) >= WAITING:
        raise TooManyExports
    export = await ctx.db.one(
        _CREATE,
        org_id=ctx.org,
        requested_by=ctx.actor.id,
        format=new.format,
        filters=new.model_dump(mode="json", exclude_none=True, exclude={"format"}),
        created_at=ctx.now,
    )
    ctx.emit(ExportRequested(export_id=export.id, format=new.format, filters=new.used()))
    ctx.enqueue(MakeExport(export_id=export.id))
    return shown(ctx, export)


async def page(ctx: Ctx, query: PageQuery) -> Json:
    """The exports of the scope, newest first."""
    return await ctx.db.page(OWN, query, org=ctx.org)


async def get(ctx: Ctx, export_id: UUID) -> Export:
    """One export of the scope."""
    export = await ctx.db.one(_ONE, export_id=export_id)
    if export.org_id != ctx.org:
        raise NotFoundError
    return export


def shown(ctx: Ctx, export: Export) -> ExportOut:
    """The export as it is answered, with a link to each of its files."""
    return ExportOut(
        **{name: getattr(export, name) for name in ExportOut.model_fields if name != "parts"},
        parts=[
            PartOut(number=number, link=_link(ctx.app, export, number), **part)
            for number, part in enumerate(export.parts, 1)
        ],
    )


# --- downloading ----------------------------------------------------------------------------------


def _link(app: App, export: Export, number: int) -> str:
    expires = int(export.expires_at.timestamp()) if export.expires_at is not None else 0
    signature = app.keyring.sign(PURPOSE, _signed(export.id, number, expires))
    path = f"/api/v1/events/exports/{export.id}/parts/{number}"
    return f"{app.kernel.public_url}{path}?expires={expires}&signature={signature}"


def _signed(export_id: UUID, number: int, expires: int) -> bytes:
    return f"{export_id} {number} {expires}".encode()


def check_link(app: App, export_id: UUID, number: int, expires: int, signature: str, now: datetime) -> None:
    """Stop here unless we made this link, and not too long ago."""
    if not app.keyring.verify(PURPOSE, _signed(export_id, number, expires), signature):
        raise NotFoundError
    if now.timestamp() >= expires:
        raise LinkExpired


async def download(ctx: Ctx, export_id: UUID, number: int) -> Export:
    """The export whose link was checked; that it is downloaded is a fact."""
    async with ctx.across_orgs("a signed link names the export") as everywhere:
        export = await everywhere.db.one(_ONE, export_id=export_id)
        if export.state != "ready" or number > len(export.parts):
            raise LinkExpired
        if export.org_id is None:
            everywhere.emit(ExportDownloaded(export_id=export_id, part=number))
    if export.org_id is not None:
        async with ctx.in_org(export.org_id) as there:
            there.emit(ExportDownloaded(export_id=export_id, part=number))
    return export


# --- making one -----------------------------------------------------------------------------------


async def claim(ctx: Ctx, job: MakeExport) -> Order | None:
    """What is to be made; None when it was made already."""
    async with ctx.across_orgs("an export is found by its id") as everywhere:
        export = await everywhere.db.first(_ONE, export_id=job.export_id)
    if export is None or export.state != "waiting":
        return None
    return Order(export.id, export.org_id, export.format, Filters.model_validate(export.filters), export.created_at)


async def record(ctx: Ctx, order: Order, made: Made) -> None:
    """The export is ready."""
    events = sum(part["events"] for part in made.parts)
    keep = timedelta(days=ctx.app.settings[AuditSettings].link_days)
    async with ctx.across_orgs("an export is found by its id") as everywhere:
        await everywhere.db.execute(
            _CHANGE,
            export_id=order.id,
            state="ready",
            events=events,
            parts=made.parts,
            ready_at=ctx.now,
            expires_at=ctx.now + keep,
        )
    ctx.emit(ExportReady(export_id=order.id, events=events))


async def expire(ctx: Ctx) -> None:
    """Remove the files whose links have expired."""
    async with ctx.across_orgs("exports of everybody expire") as everywhere:
        for export in await everywhere.db.all(_EXPIRED, now=ctx.now):
            for number in range(1, len(export.parts) + 1):
                await store.remove(ctx.app, file_of(export.id, number))
            await everywhere.db.execute(_CHANGE, export_id=export.id, state="expired", parts=[])
