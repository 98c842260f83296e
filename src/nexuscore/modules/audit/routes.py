"""The log over HTTP: parse, call one verb, return."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query

from nexuscore.kernel import clock
from nexuscore.kernel.ctx import Ctx, RowCtx
from nexuscore.kernel.db import Json
from nexuscore.kernel.events import LoggedEvent
from nexuscore.kernel.http import Can, Exchange, Page, PageQuery, Public, Reply, Routes
from nexuscore.modules.audit import exports, files, seals, search, store
from nexuscore.modules.audit.errors import FileMissing, LinkExpired, TooManyExports
from nexuscore.modules.audit.permissions import EXPORT, READ, READ_ALL
from nexuscore.modules.audit.schemas import (
    EventOut,
    EventQuery,
    EverywhereQuery,
    ExportOut,
    ExportSummary,
    HistoryQuery,
    NewExport,
    SealOut,
)
from nexuscore.modules.audit.tables import Export

routes = Routes("/events", tag="Audit")

CanRead = Annotated[Ctx, Can(READ)]
CanReadEvent = Annotated[RowCtx[LoggedEvent], Can(READ, row=search.get)]
CanReadAll = Annotated[Ctx, Can(READ_ALL)]
CanExport = Annotated[Ctx, Can(EXPORT)]
CanExportOne = Annotated[RowCtx[Export], Can(EXPORT, row=exports.get)]
WithLink = Annotated[Exchange, Public("The link is signed, and expires.")]
Subject = Annotated[str, Path(min_length=1, max_length=200)]
MEDIA = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}


@routes.get("", answer=Page[EventOut], replica=True)
async def search_events(ctx: CanRead, query: Annotated[EventQuery, Query()]) -> Json:
    """The organisation's facts, newest first. A page may be short or empty while `has_next` is true: go on."""
    return await search.page(ctx, query)


@routes.get("/subjects/{subject}", answer=Page[EventOut], replica=True)
async def read_history(ctx: CanRead, subject: Subject, query: Annotated[HistoryQuery, Query()]) -> Json:
    """What happened to one thing, newest first."""
    return await search.page(ctx, EventQuery(subject=subject, limit=query.limit, cursor=query.cursor))


@routes.get("/everywhere", answer=Page[EventOut])
async def search_events_everywhere(ctx: CanReadAll, query: Annotated[EverywhereQuery, Query()]) -> Json:
    """Facts of all organisations and of the platform. That somebody looked is a fact itself."""
    return await search.page_everywhere(ctx, query)


@routes.get("/seal", answer=SealOut)
async def read_newest_seal(ctx: CanRead) -> SealOut:
    """The newest seal of the log, to keep where nobody here can change it."""
    return await seals.shown(ctx)


@routes.post("/exports", answer=ExportOut, status=202, errors=(TooManyExports,))
async def export_events(ctx: CanExport, new: NewExport) -> ExportOut:
    """Have the organisation's facts written to files, archived ones too. Ask again until it is ready."""
    return await exports.request(ctx, new)


@routes.get("/exports", answer=Page[ExportSummary], listing=exports.OWN)
async def list_event_exports(ctx: CanExport, query: Annotated[PageQuery, Query()]) -> Json:
    """The organisation's exports, newest first."""
    return await exports.page(ctx, query)


@routes.get("/exports/{export_id}", answer=ExportOut)
async def read_event_export(ctx: CanExportOne) -> ExportOut:
    """One export; when it is ready, with the links to its files."""
    return exports.shown(ctx, ctx.row)


@routes.post("/everywhere/exports", answer=ExportOut, status=202, errors=(TooManyExports,))
async def export_events_everywhere(ctx: CanReadAll, new: NewExport) -> ExportOut:
    """Have facts of all organisations and of the platform written to files."""
    async with ctx.across_orgs("an export of the whole log") as everywhere:
        return await exports.request(everywhere, new)


@routes.get("/everywhere/exports", answer=Page[ExportSummary], listing=exports.OWN)
async def list_event_exports_everywhere(ctx: CanReadAll, query: Annotated[PageQuery, Query()]) -> Json:
    """The exports of the whole log, newest first."""
    async with ctx.across_orgs("exports of the whole log") as everywhere:
        return await exports.page(everywhere, query)


@routes.get("/everywhere/exports/{export_id}", answer=ExportOut)
async def read_event_export_everywhere(ctx: CanReadAll, export_id: UUID) -> ExportOut:
    """One export of the whole log."""
    async with ctx.across_orgs("exports of the whole log") as everywhere:
        return exports.shown(ctx, await exports.get(everywhere, export_id))


@routes.get("/exports/{export_id}/parts/{number}", errors=(LinkExpired, FileMissing), media=sorted(set(MEDIA.values())))
async def download_events(
    exchange: WithLink,
    export_id: UUID,
    number: Annotated[int, Path(ge=1, le=100_000)],
    expires: Annotated[int, Query(ge=0, le=1 << 40)],
    signature: Annotated[str, Query(max_length=100)],
) -> Reply:
    """A file of an export, for whoever has its link."""
    app = exchange.app
    exports.check_link(app, export_id, number, expires, signature, clock.now())
    content = await store.get(app, files.file_of(export_id, number))
    who = replace(exchange.identity.actor, ip=exchange.ip)
    async with app.context(actor=who, request_id=exchange.request_id) as ctx:
        export = await exports.download(ctx, export_id, number)
    name = f"events-{export.created_at:%Y-%m-%d}-{number}.{export.format}"
    reply = Reply(body=content, media=MEDIA[export.format])
    return reply.header("content-disposition", f'attachment; filename="{name}"').header("cache-control", "no-store")


@routes.get("/{event_id}", answer=EventOut)
async def read_event(ctx: CanReadEvent) -> LoggedEvent:
    """One fact."""
    return ctx.row
