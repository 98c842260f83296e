"""The archive: months of the log as files in the store, and the end of what need not be kept.

A file is gzip of lines: one that names the seals its events are in, then the events in canonical form and commit order.
"""

import asyncio
import gzip
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, select

from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.jobs import Retry
from nexuscore.modules.audit import store
from nexuscore.modules.audit.errors import FileMissing
from nexuscore.modules.audit.events import ArchivePruned, MonthArchived
from nexuscore.modules.audit.retention import following, is_over
from nexuscore.modules.audit.rows import TEXTS, Place, canonical
from nexuscore.modules.audit.seals import BEGINNING, newest
from nexuscore.modules.audit.settings import AuditSettings
from nexuscore.modules.audit.tables import ArchivedPart, Seal

PART_BYTES = 16_000_000
FORMAT = "nexus-events-1"
_PAGE = 500
_LOCK = 0x61726368  # held by whoever moves events, shared by whoever reads both places

_INSERT = insert(ArchivedPart)
_PARTS = select(ArchivedPart).order_by(ArchivedPart.month, ArchivedPart.part, ArchivedPart.version)
_PARTITIONS = (
    "SELECT to_date(right(c.relname, 7), 'YYYY_MM') AS month FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    r" WHERE i.inhparent = 'events'::regclass AND c.relname ~ '^events_\d{4}_\d{2}$' ORDER BY 1"
)
_ROWS = (
    f"SELECT {TEXTS} FROM events e WHERE e.time >= $1 AND e.time < $2 AND (e.xid, e.id) > ($3::text::xid8, $4)"
    f" ORDER BY e.xid, e.id LIMIT {_PAGE}"
)
_LAST = (
    "SELECT e.xid::text AS xid, e.id::text AS id FROM events e WHERE e.time >= $1 AND e.time < $2"
    " ORDER BY e.xid DESC, e.id DESC LIMIT 1"
)
_SEALS_UNTIL = (
    select(Seal.number, Seal.root, Seal.hash)
    .where(Seal.number >= bindparam("first"), Seal.number <= bindparam("last"))
    .order_by(Seal.number)
)
_SEAL_OF = "SELECT min(number) AS number FROM audit_seals WHERE (last_xid, last_id) >= ($1, $2)"


@dataclass(frozen=True, slots=True)
class Part:
    """A file that was written."""

    number: int
    version: int
    file: str
    sha256: bytes
    events: int
    types: dict[str, int]


@dataclass(frozen=True, slots=True)
class Moved:
    """A month that was written to the store: its files, how many rows it had, and what was left behind for good."""

    month: date
    rows: int
    parts: list[Part]
    let_go: dict[str, int]


# --- where things are -----------------------------------------------------------------------------


async def months_due(ctx: Ctx) -> list[date]:
    """The months that are old enough to leave the database."""
    young = ctx.now - timedelta(days=ctx.app.settings[AuditSettings].archive_after_days)
    return [row.month for row in await ctx.db.raw(_PARTITIONS) if _start(following(row.month)) <= young]


async def parts(ctx: Ctx) -> dict[date, list[ArchivedPart]]:
    """The archive: by month, in order, the files that count."""
    newest_of = {(row.month, row.part): row for row in await _every_part(ctx)}
    found: dict[date, list[ArchivedPart]] = {}
    for (month, _), row in newest_of.items():
        found.setdefault(month, []).append(row)
    return found


async def _every_part(ctx: Ctx) -> list[ArchivedPart]:
    async with ctx.across_orgs("the archive holds the whole log") as everywhere:
        return await everywhere.db.all(_PARTS)


async def remove_superseded(ctx: Ctx) -> None:
    """Remove the files that a newer version has replaced; while somebody reads them, tomorrow."""
    if not await _may_move(ctx):
        return
    counting = {file.file for files in (await parts(ctx)).values() for file in files}
    replaced = {file.file for file in await _every_part(ctx)} - counting
    for name in await store.names(ctx.app, "archive/"):
        if name in replaced:
            await store.remove(ctx.app, name)


async def lines(app: App, part: ArchivedPart) -> list[bytes]:
    """The events of a file; `FileMissing` when it is gone, `ValueError` when it is not what was written."""
    content = await store.get(app, part.file)
    if hashlib.sha256(content).digest() != part.sha256:
        raise ValueError(f"{part.file} is not the file that was written")
    return await asyncio.to_thread(unpack, content)


def unpack(content: bytes) -> list[bytes]:
    """The events of a file's content, whatever it is; `ValueError` when that cannot be read."""
    try:
        return gzip.decompress(content).split(b"\n")[1:-1]
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"this is no archive: {error}") from error


@asynccontextmanager
async def held(app: App) -> AsyncIterator[None]:
    """While the block runs, nothing moves from the database to the archive, and nothing in it is replaced."""
    connection = await app.database.connect()
    try:
        await connection.execute(f"SELECT pg_advisory_lock_shared({_LOCK})")
        yield
    finally:
        await connection.close()


async def _may_move(ctx: Ctx) -> bool:
    """Whether nobody reads; nobody starts to until this transaction ends."""
    (turn,) = await ctx.db.raw("SELECT pg_try_advisory_xact_lock($1) AS mine", _LOCK)
    return bool(turn.mine)


async def _take_turn(ctx: Ctx) -> None:
    if not await _may_move(ctx):
        raise Retry(timedelta(minutes=10), "the log is being verified or exported")


# --- from the database to the archive -------------------------------------------------------------


async def is_ready(ctx: Ctx, month: date) -> bool:
    """Whether the month is still in the database, and every event of it sealed."""
    if month not in await months_due(ctx):
        return False
    seal = await newest(ctx)
    async with ctx.across_orgs("a month of the whole log is archived") as everywhere:
        last = await everywhere.db.raw(_LAST, _start(month), _start(following(month)))
    return not last or (seal is not None and _place(last[0]) <= (seal.last_xid, seal.last_id))


async def write(app: App, month: date, now: datetime) -> Moved:
    """Write the month's files; nothing counts before `moved`."""
    written: list[Part] = []
    rows, size, waiting = 0, 0, list[Any]()
    let_go: Counter[str] = Counter()
    over: dict[str, bool] = {}
    async for row in _rows(app, month):
        rows += 1
        if row.type not in over:
            over[row.type] = is_over(app, row.type, month, now.date())
        if over[row.type]:
            let_go[row.type] += 1
            continue
        line = canonical(row)
        waiting.append((row, line))
        size += len(line)
        if size >= PART_BYTES:
            written.append(await _write_part(app, month, len(written) + 1, waiting))
            size, waiting = 0, []
    if waiting or (rows and not written):
        written.append(await _write_part(app, month, len(written) + 1, waiting))
    return Moved(month, rows, written, dict(let_go))


async def moved(ctx: Ctx, month: Moved) -> None:
    """The month is in the archive now, and no longer in the database."""
    await _take_turn(ctx)
    async with ctx.across_orgs("a month of the whole log is archived") as everywhere:
        await _record(everywhere, month.month, month.parts)
        await everywhere.db.raw("SELECT audit_drop_month($1, $2)", month.month, month.rows)
        kept = sum(part.events for part in month.parts)
        everywhere.emit(MonthArchived(month=month.month, events=kept, parts=len(month.parts), let_go=month.let_go))


async def _rows(app: App, month: date) -> AsyncIterator[Any]:
    place: Place = BEGINNING
    while True:
        async with app.context() as ctx, ctx.across_orgs("a month of the whole log is archived") as everywhere:
            rows = await everywhere.db.raw(_ROWS, _start(month), _start(following(month)), str(place[0]), place[1])
        for row in rows:
            yield row
        if len(rows) < _PAGE:
            return
        place = _place(rows[-1])


async def _write_part(app: App, month: date, number: int, found: Sequence[tuple[Any, bytes]]) -> Part:
    seals = await _seals(app, _place(found[0][0]), _place(found[-1][0])) if found else []
    header = json.dumps({"format": FORMAT, "month": month.isoformat(), "part": number, "seals": seals})
    types = Counter(row["type"] for row, _ in found)
    return await _keep(app, month, number, 1, header.encode(), [line for _, line in found], dict(types))


async def _keep(
    app: App, month: date, number: int, version: int, header: bytes, events: list[bytes], types: dict[str, int]
) -> Part:
    """Write a file and read it back: the original goes when this returns."""
    file = f"archive/{month:%Y-%m}/{number:04d}.{version}.jsonl.gz"
    content = await asyncio.to_thread(gzip.compress, b"\n".join([header, *events, b""]), 6, mtime=0)
    await store.put(app, file, content)
    if await store.get(app, file) != content:
        raise FileMissing(details={"file": file})
    return Part(number, version, file, hashlib.sha256(content).digest(), len(events), types)


async def _seals(app: App, first: Place, last: Place) -> list[dict[str, Any]]:
    async with app.context() as ctx, ctx.across_orgs("a month of the whole log is archived") as everywhere:
        numbers = [(await everywhere.db.raw(_SEAL_OF, *place))[0].number for place in (first, last)]
        seals = await everywhere.db.all(_SEALS_UNTIL, first=numbers[0], last=numbers[1])
    return [{"number": seal.number, "root": seal.root.hex(), "hash": seal.hash.hex()} for seal in seals]


async def _record(ctx: Ctx, month: date, written: list[Part]) -> None:
    for part in written:
        await ctx.db.execute(
            _INSERT,
            month=month,
            part=part.number,
            version=part.version,
            file=part.file,
            sha256=part.sha256,
            events=part.events,
            types=part.types,
        )


# --- the end of what need not be kept -------------------------------------------------------------


async def months_to_prune(ctx: Ctx) -> list[date]:
    """The archived months with facts whose time is over."""
    return [month for month, files in (await parts(ctx)).items() if _over(ctx.app, month, files, ctx.now)]


async def prune(app: App, month: date, now: datetime) -> Moved:
    """Write the month's files again without the facts whose time is over; nothing counts before `pruned`."""
    async with app.context() as ctx:
        files = (await parts(ctx)).get(month, [])
    over = _over(app, month, files, now)
    written = [await _prune_part(app, file, over) for file in files if over & file.types.keys()]
    let_go = Counter[str]()
    for file in files:
        let_go.update({type: number for type, number in file.types.items() if type in over})
    return Moved(month, 0, written, dict(let_go))


async def pruned(ctx: Ctx, month: Moved) -> None:
    """The new files count now."""
    if not month.parts:
        return
    await _take_turn(ctx)
    async with ctx.across_orgs("the archive holds the whole log") as everywhere:
        await _record(everywhere, month.month, month.parts)
        everywhere.emit(ArchivePruned(month=month.month, let_go=month.let_go))


async def _prune_part(app: App, file: ArchivedPart, over: set[str]) -> Part:
    kept = await asyncio.to_thread(_without, await lines(app, file), over)
    header = gzip.decompress(await store.get(app, file.file)).split(b"\n", 1)[0]
    types = {type: number for type, number in file.types.items() if type not in over}
    return await _keep(app, file.month, file.part, file.version + 1, header, kept, types)


def _without(events: list[bytes], over: set[str]) -> list[bytes]:
    return [line for line in events if json.loads(line)["type"] not in over]


def _over(app: App, month: date, files: list[ArchivedPart], now: datetime) -> set[str]:
    return {type for file in files for type in file.types if is_over(app, type, month, now.date())}


def _start(month: date) -> datetime:
    return datetime.combine(month, time(), UTC)


def _place(row: Any) -> Place:
    return int(row["xid"]), UUID(row["id"])
