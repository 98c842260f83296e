"""The files of an export: facts from the archive and the database, oldest first, as CSV or JSON lines."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from nexuscore.kernel import sheets
from nexuscore.kernel.app import App
from nexuscore.modules.audit import archives, search, store
from nexuscore.modules.audit.retention import matches
from nexuscore.modules.audit.rows import TEXTS, canonical
from nexuscore.modules.audit.schemas import Filters

PART_BYTES = 16_000_000
CSV_COLUMNS = (
    *("id", "time", "type", "version", "subject", "org_id"),
    *("actor_kind", "actor_id", "request_id", "ip", "data"),
)
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Order:
    """An export to be made."""

    id: UUID
    org: UUID | None
    format: str
    filters: Filters
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Made:
    """The files of an export: events and bytes of each."""

    parts: list[dict[str, int]]


def file_of(export_id: UUID, number: int) -> str:
    """The name of a part in the store."""
    return f"exports/{export_id}/{number:04d}"


async def make(app: App, order: Order) -> Made:
    """Write the files."""
    parts: list[dict[str, int]] = []
    start = sheets.line(CSV_COLUMNS) if order.format == "csv" else b""
    written, events = bytearray(start), 0
    async for line, row in _facts(app, order):
        written += _as_csv(row) if order.format == "csv" else line + b"\n"
        events += 1
        if len(written) >= PART_BYTES:
            parts.append(await _keep(app, order, len(parts) + 1, bytes(written), events))
            written, events = bytearray(start), 0
    if events or not parts:
        parts.append(await _keep(app, order, len(parts) + 1, bytes(written), events))
    return Made(parts)


async def _keep(app: App, order: Order, number: int, content: bytes, events: int) -> dict[str, int]:
    await store.put(app, file_of(order.id, number), content)
    return {"events": events, "bytes": len(content)}


async def _facts(app: App, order: Order) -> AsyncIterator[tuple[bytes, dict[str, Any]]]:
    """Every fact asked for as its line and the same parsed: archived months first, then the database."""
    async with archives.held(app):
        async with app.context() as ctx:
            months = await archives.parts(ctx)
        for files in months.values():
            for file in files:
                for number, line in enumerate(await archives.lines(app, file)):
                    if number % _PAGE == 0:
                        await asyncio.sleep(0)  # this process answers requests too
                    row = json.loads(line)
                    if is_wanted(line, row, order):
                        yield line, row
        async for found in _from_database(app, order):
            line = canonical(found)
            yield line, json.loads(line)


def is_wanted(line: bytes, row: dict[str, Any], order: Order) -> bool:
    """Whether an archived fact is the organisation's and passes the filters; as the database would say."""
    asked = order.filters
    if order.org is not None and row["org_id"] != str(order.org):
        return False
    time = datetime.fromisoformat(row["time"])
    return (
        (asked.type is None or matches(asked.type, row["type"]))
        and (asked.actor is None or str(asked.actor) in (row["actor_id"], row["actor_kind"]))
        and (asked.subject is None or row["subject"] == asked.subject)
        and (asked.request_id is None or row["request_id"] == asked.request_id)
        and (asked.since is None or time >= asked.since)
        and time < (order.asked_at if asked.until is None else asked.until)
        and (asked.text is None or _has_text(line, asked.text))
    )


def _has_text(line: bytes, text: str) -> bool:
    data = line.decode().partition(',"data":')[2][:-1]  # quotes inside a value are escaped
    return search.as_in_data(text).lower() in data.lower()


async def _from_database(app: App, order: Order) -> AsyncIterator[Any]:
    """Oldest first: within an organisation by time, over all by the id, which an index serves."""
    given = search.conditions(order.filters)
    given.setdefault("until", order.asked_at)
    names = tuple(given)
    by_time = order.org is not None
    key = "(e.time, e.id)" if by_time else "e.id"
    place = len(names) + 1
    after = f"(${place}::timestamptz, ${place + 1}::uuid)" if by_time else f"${place}::uuid"
    statement = (
        f"SELECT {TEXTS}, e.time AS moment FROM events e WHERE {search.where(names)} AND {key} > {after}"
        f" ORDER BY {key.strip('()')} LIMIT {_PAGE}"
    )
    last: list[Any] = [datetime.fromisoformat("0001-01-01T00:00:00+00:00"), UUID(int=0)]
    while True:
        async with app.context(org=order.org) as ctx:
            arguments = [*given.values(), *last[0 if by_time else 1 :]]
            if by_time:
                rows = await ctx.db.raw(statement, *arguments)
            else:
                async with ctx.across_orgs("an export of the whole log") as everywhere:
                    rows = await everywhere.db.raw(statement, *arguments)
        for row in rows:
            yield row
        if len(rows) < _PAGE:
            return
        last = [rows[-1].moment, UUID(rows[-1].id)]


def _as_csv(row: dict[str, Any]) -> bytes:
    cells = {**row, "data": json.dumps(row["data"], ensure_ascii=False)}
    return sheets.line(cells[name] for name in CSV_COLUMNS)
