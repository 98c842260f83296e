"""An archived month, read along with the seals: both are in commit order, so neither has to be held in memory."""

import hashlib
import json
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from nexuscore.kernel.app import App
from nexuscore.modules.audit import archives, store
from nexuscore.modules.audit.errors import FileMissing
from nexuscore.modules.audit.findings import Finding, named
from nexuscore.modules.audit.rows import Entry, Place
from nexuscore.modules.audit.tables import ArchivedPart

Found = tuple[Entry, str]
AFTER_ALL: Place = (1 << 64, UUID(int=0))


@dataclass(slots=True)
class Month:
    """The lines of a month's files, one after the other; each is taken by the seal that lists it."""

    app: App
    month: date
    files: list[ArchivedPart]
    _lines: deque[bytes] = field(default_factory=deque)
    _next: Found | None = None

    async def before(self, place: Place) -> AsyncIterator[Finding]:
        """Go on to `place`: whatever stands before it, no seal has asked for."""
        async for finding in self._fill():
            yield finding
        while self._next is not None and self._next[0].place < place:
            yield named("inserted", self._next[0], "it stands in the archive, and no seal lists it there")
            self._next = None
            async for finding in self._fill():
                yield finding

    def take(self, place: Place) -> Found | None:
        """The line at `place` and its data, if it is the next."""
        found = self._next
        if found is None or found[0].place != place:
            return None
        self._next = None
        return found

    async def rest(self) -> AsyncIterator[Finding]:
        """What is left when no seal is."""
        async for finding in self.before(AFTER_ALL):
            yield finding

    async def _fill(self) -> AsyncIterator[Finding]:
        """Have the next readable line at hand, if there is one."""
        while self._next is None and (self._lines or self.files):
            if not self._lines:
                async for finding in self._open(self.files.pop(0)):
                    yield finding
                continue
            line = self._lines.popleft()
            try:
                row = json.loads(line)
                self._next = Entry.of(row, line), json.dumps(row["data"])
            except (ValueError, KeyError, TypeError):
                yield Finding("file", f"a line of {self.month:%Y-%m} in the archive cannot be read: {line[:80]!r}")

    async def _open(self, file: ArchivedPart) -> AsyncIterator[Finding]:
        try:
            content = await store.get(self.app, file.file)
            if hashlib.sha256(content).digest() != file.sha256:
                yield Finding("file", f"{file.file} is not the file that was written")
            self._lines.extend(archives.unpack(content))
        except FileMissing:
            yield Finding("file", f"{file.file} is missing")
        except ValueError:
            yield Finding("file", f"{file.file} cannot be read")
