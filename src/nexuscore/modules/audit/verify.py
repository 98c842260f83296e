"""Verifying: the log held against its seals. What was changed, removed or inserted is found and named.

chain     every seal is as it was made, follows the one before, and this app signed the newest
rows      every event a seal lists is in the database or in the archive, byte for byte
nothing   stands between them that no seal lists, or is older than what was sealed before it
absent    from the archive are only facts of which a sealed fact says that they were let go, after their floor
"""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from nexuscore.kernel.app import App
from nexuscore.modules.audit import archives, seals
from nexuscore.modules.audit.chain import LATE, Chain, Stretch
from nexuscore.modules.audit.events import ArchivePruned, MonthArchived
from nexuscore.modules.audit.findings import NAMED, Finding, named
from nexuscore.modules.audit.months import Month
from nexuscore.modules.audit.retention import floor_of, following
from nexuscore.modules.audit.rows import TEXTS, Entry, canonical
from nexuscore.modules.audit.seals import BEGINNING, Token
from nexuscore.modules.audit.tables import Seal

AT_ONCE = 2000  # events compared with one statement, more or less

_BETWEEN = (
    f"SELECT {TEXTS} FROM events e WHERE (e.xid, e.id) > ($1::text::xid8, $2) AND (e.xid, e.id) <= ($3::text::xid8, $4)"
)
_UNSEALED = "SELECT count(*) AS number, min(e.time) AS oldest FROM events e WHERE (e.xid, e.id) > ($1::text::xid8, $2)"
_SAID = f"SELECT {TEXTS} FROM events e WHERE (e.xid, e.id) > ($1::text::xid8, $2) AND e.type = ANY($3)"
_SUSPECT = (
    f"SELECT {TEXTS}, e.xid >= pg_snapshot_xmax(pg_current_snapshot()) AS future FROM events e"
    " WHERE (e.xid, e.id) > ($1::text::xid8, $2)"
    " AND (e.xid >= pg_snapshot_xmax(pg_current_snapshot()) OR e.time < $3) ORDER BY e.xid, e.id LIMIT 1000"
)


@dataclass(slots=True)
class Verification:
    """One run. `findings` yields what is wrong; the numbers and `newest` are right once it is through."""

    app: App
    against: Token | None = None
    seals: int = 0
    in_database: int = 0
    in_archive: int = 0
    let_go: int = 0
    unsealed: int = 0
    unsealed_since: datetime | None = None
    newest: Token | None = None
    _archive: dict[date, Month] = field(default_factory=dict)
    _absent: dict[tuple[date, str], list[Entry]] = field(default_factory=dict)
    _said: dict[tuple[date, str], str] = field(default_factory=dict)

    async def findings(self) -> AsyncIterator[Finding]:
        """Everything that is wrong, in the order of the log."""
        async with archives.held(self.app):
            async with self.app.context() as ctx:
                until = await seals.newest(ctx)
                files = await archives.parts(ctx)
            self._archive = {month: Month(self.app, month, parts) for month, parts in files.items()}
            async for finding in self._kept_copies():
                yield finding
            async for finding in self._sealed(until.number if until is not None else 0):
                yield finding
            for finding in await self._rest(until):
                yield finding
            for month in self._archive.values():
                async for finding in month.rest():
                    yield finding
            for finding in self._unexplained():
                yield finding

    async def _kept_copies(self) -> AsyncIterator[Finding]:
        """The seal given by hand and the one in the store must be links of the chain."""
        for place, token in (("kept elsewhere", self.against), ("in the store", await seals.remembered(self.app))):
            if token is None:
                continue
            async with self.app.context() as ctx:
                found = await seals.after(ctx, token.number - 1, 1)
            if not found or found[0].number != token.number:
                yield Finding("seal", f"seal {token.number} is missing: there is a copy of it {place}")
            elif found[0].hash != token.hash:
                yield Finding("seal", f"seal {token.number} is another one than its copy {place}")

    async def _sealed(self, until: int) -> AsyncIterator[Finding]:
        chain = Chain(self.app.keyring)
        async for batch in self._batches(until):
            for seal in batch:
                for finding in chain.follow(seal):
                    yield finding
            for stretch in chain.stretches:
                async for finding in self._compare(stretch):
                    yield finding
            chain.stretches.clear()
        for finding in chain.end():
            yield finding
        self.seals = chain.count

    async def _batches(self, until: int) -> AsyncIterator[list[Seal]]:
        """The seals, as many at once as their events allow."""
        number = 0
        while number < until:
            async with self.app.context() as ctx:
                found = [seal for seal in await seals.after(ctx, number, 100) if seal.number <= until]
            batch: list[Seal] = []
            for seal in found:
                batch.append(seal)
                if sum(each.events for each in batch) >= AT_ONCE:
                    yield batch
                    batch = []
            if batch:
                yield batch
            number = found[-1].number if found else until

    async def _compare(self, stretch: Stretch) -> AsyncIterator[Finding]:
        """What seals list against what there is in their stretch of the log."""
        if not stretch.events:
            return
        start, end = stretch.start, stretch.events[-1].place
        async with self.app.context() as ctx, ctx.across_orgs("the whole log is verified") as everywhere:
            rows = await everywhere.db.raw(_BETWEEN, str(start[0]), start[1], str(end[0]), end[1])
        there: dict[UUID, list[tuple[Entry, Any]]] = {}
        for row in rows:
            entry = Entry.of(row, canonical(row))
            there.setdefault(entry.id, []).append((entry, row))
        for entry in stretch.events:
            found = there.get(entry.id, [])
            match = next((pair for pair in found if pair[0] == entry), None)
            if match is not None:
                found.remove(match)
                self.in_database += 1
                self._hear(entry, match[1].data)
            elif found:
                found.pop(0)
                yield named("changed", entry, "the row differs from what was sealed")
            else:
                async for finding in self._in_archive(entry):
                    yield finding
        for pairs in there.values():
            for entry, _ in pairs:
                yield named("inserted", entry, "it stands among sealed events, and no seal lists it")

    async def _in_archive(self, entry: Entry) -> AsyncIterator[Finding]:
        """An event that is not in the database: it is in its month's files, or was let go."""
        month = self._archive.get(entry.month) if entry.month is not None else None
        if month is None:
            yield named("removed", entry, "it was sealed, and is neither in the database nor in the archive")
            return
        async for finding in month.before(entry.place):
            yield finding
        found = month.take(entry.place)
        if found is None:
            absent = self._absent.setdefault((month.month, entry.type), [])
            absent += [entry] if len(absent) < NAMED else []
            self.let_go += 1
        elif found[0] != entry:
            yield named("changed", entry, "the line in the archive differs from what was sealed")
        else:
            self.in_archive += 1
            self._hear(entry, found[1])

    def _hear(self, entry: Entry, data: str) -> None:
        """Take in what a fact says about events that were let go."""
        if entry.type in (MonthArchived.type, ArchivePruned.type):
            said = json.loads(data)
            for type in said["let_go"]:
                self._said.setdefault((date.fromisoformat(said["month"]), type), entry.time)

    def _unexplained(self) -> Iterator[Finding]:
        for (month, type), entries in self._absent.items():
            said = self._said.get((month, type))
            if said is None:
                why = "it is not in the archive, and no fact says that it was let go"
            elif date.fromisoformat(said[:10]) < following(month) + timedelta(days=floor_of(self.app, type)):
                why = "it was let go before its time"
            else:
                continue
            yield from (named("removed", entry, why) for entry in entries)

    async def _rest(self, last: Seal | None) -> list[Finding]:
        """What is not sealed yet, and what there pretends to be from another time."""
        place = BEGINNING if last is None else (last.last_xid, last.last_id)
        early = datetime(1, 1, 1, tzinfo=UTC) if last is None else last.sealed_at - LATE
        async with self.app.context() as ctx, ctx.across_orgs("the whole log is verified") as everywhere:
            (rest,) = await everywhere.db.raw(_UNSEALED, str(place[0]), place[1])
            suspects = await everywhere.db.raw(_SUSPECT, str(place[0]), place[1], early)
            for row in await everywhere.db.raw(
                _SAID, str(place[0]), place[1], [MonthArchived.type, ArchivePruned.type]
            ):
                self._hear(Entry.of(row, b""), row.data)
        self.unsealed, self.unsealed_since = rest.number, rest.oldest
        self.newest = None if last is None else Token(last.number, last.hash)
        return [
            named("inserted", Entry.of(row, b""), "its transaction has not happened yet")
            if row.future
            else named("backdated", Entry.of(row, b""), "it was written after later events had been sealed")
            for row in suspects
        ]
