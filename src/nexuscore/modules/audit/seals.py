"""Sealing: committed events in batches, in commit order, each seal chained to the one before.

Writers never wait: the sealer reads behind them with the commit-safe bound, so a late commit is in a later seal.
A seal cannot be forged by who owns the database alone: it is signed with a key the database does not have, and the
store holds the newest one, so that seals cannot be taken off the end either.
"""

import hashlib
import re
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, select

from nexuscore.kernel import clock
from nexuscore.kernel.app import App
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import NotFoundError, ValidationError
from nexuscore.modules.audit import store
from nexuscore.modules.audit.rows import TEXTS, Entry, Place, canonical
from nexuscore.modules.audit.schemas import SealOut
from nexuscore.modules.audit.tables import Seal

BATCH = 250  # hashed in some milliseconds, in which this process answers nobody
PURPOSE = "audit.seal"
WITNESS = "newest-seal"  # the store's copy
BEGINNING: Place = (0, UUID(int=0))
NOTHING = bytes(32)
_LOCK = 0x7365616C  # one sealer at a time

_COLUMNS = (
    Seal.number, Seal.sealed_at, Seal.events, Seal.last_xid, Seal.last_id, Seal.root, Seal.previous, Seal.hash,
    Seal.signature,
)  # fmt: skip
_NEWEST = select(*_COLUMNS).order_by(Seal.number.desc()).limit(1)
_INSERT = insert(Seal)
_AFTER = select(Seal).where(Seal.number > bindparam("after")).order_by(Seal.number).limit(bindparam("most"))
_COMMITTED = (
    f"SELECT {TEXTS} FROM events e WHERE (e.xid, e.id) > ($1::text::xid8, $2)"
    " AND e.xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY e.xid, e.id LIMIT $3"
)


@dataclass(frozen=True, slots=True)
class Token:
    """A seal as it is kept elsewhere: its number and its hash."""

    number: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.number}-{self.hash.hex()}"

    @classmethod
    def parse(cls, text: str) -> "Token":
        """The seal that `nexus audit seal` printed."""
        found = re.fullmatch(r"(\d{1,18})-([0-9a-f]{64})", text.strip())
        if found is None:
            raise ValidationError(f"{text!r} is not a seal as `nexus audit seal` prints it: 51-9f3c…")
        return cls(int(found[1]), bytes.fromhex(found[2]))


async def newest(ctx: Ctx) -> Seal | None:
    """The newest seal, without its list of events; None when nothing was sealed yet."""
    async with ctx.across_orgs("seals cover the whole log") as everywhere:
        seal: Seal | None = await everywhere.db.first(_NEWEST)
    return seal


async def shown(ctx: Ctx) -> SealOut:
    """The newest seal, for keeping elsewhere; `NotFoundError` while there is none."""
    seal = await newest(ctx)
    if seal is None:
        raise NotFoundError("Nothing has been sealed yet.")
    return SealOut(seal=str(Token(seal.number, seal.hash)), sealed_at=seal.sealed_at)


async def seal_all(app: App) -> int:
    """Seal what is committed, batch by batch, each in a transaction of its own; how many events there were."""
    count = 0
    while True:
        async with app.context() as ctx:
            sealed = await seal_some(ctx)
        count += sealed
        if sealed < BATCH:
            return count


async def seal_some(ctx: Ctx) -> int:
    """Seal the next batch; how many events are in it, 0 also while somebody else seals."""
    async with ctx.across_orgs("the log is sealed") as everywhere:
        db = everywhere.db
        (turn,) = await db.raw("SELECT pg_try_advisory_xact_lock($1) AS mine", _LOCK)
        if not turn.mine:
            return 0
        last = await db.first(_NEWEST)
        xid, id = BEGINNING if last is None else (last.last_xid, last.last_id)
        rows = await db.raw(_COMMITTED, str(xid), id, BATCH)
        if rows:
            await db.execute(_INSERT, **_made(ctx, last, rows))
        return len(rows)


def _made(ctx: Ctx, last: Seal | None, rows: list[Any]) -> dict[str, Any]:
    entries = [Entry.of(row, canonical(row)) for row in rows]
    listed = "".join(entry.written() for entry in entries).encode()
    seal: dict[str, Any] = {
        "number": 1 if last is None else last.number + 1,
        "sealed_at": clock.now(),
        "events": len(entries),
        "last_xid": entries[-1].xid,
        "last_id": entries[-1].id,
        "root": hashlib.sha256(listed).digest(),
        "previous": NOTHING if last is None else last.hash,
    }
    seal["hash"] = digest(**seal)
    seal["signature"] = ctx.app.keyring.sign(PURPOSE, seal["hash"])
    seal["entries"] = zlib.compress(listed)
    return seal


def digest(
    *, number: int, sealed_at: datetime, events: int, last_xid: int, last_id: UUID, root: bytes, previous: bytes
) -> bytes:
    """The hash of a seal: of all it says, and through `previous` of all that was sealed before."""
    moment = sealed_at.isoformat(timespec="microseconds")
    said = f"nexus-seal-1 {number} {moment} {events} {last_xid} {last_id} {root.hex()} {previous.hex()}"
    return hashlib.sha256(said.encode()).digest()


async def after(ctx: Ctx, number: int, most: int) -> list[Seal]:
    """Seals with their lists, oldest first."""
    async with ctx.across_orgs("seals cover the whole log") as everywhere:
        return await everywhere.db.all(_AFTER, after=number, most=most)


def entries_of(seal: Seal) -> list[Entry] | None:
    """The events a seal lists, or None when the list is not the one that was sealed."""
    try:
        listed = zlib.decompress(seal.entries)
        if hashlib.sha256(listed).digest() != seal.root:
            return None
        return [Entry.read(line) for line in listed.decode().split("\n")[:-1]]
    except (zlib.error, ValueError):
        return None


# --- the store's copy -----------------------------------------------------------------------------


async def remember(app: App) -> None:
    """Put the newest committed seal into the store."""
    async with app.context() as ctx:
        seal = await newest(ctx)
    if seal is not None:
        await store.put(app, WITNESS, f"{Token(seal.number, seal.hash)}\n".encode())


async def remembered(app: App) -> Token | None:
    """The seal the store knows; None before the first."""
    if WITNESS not in await store.names(app, WITNESS):
        return None
    return Token.parse((await store.get(app, WITNESS)).decode(errors="replace"))
