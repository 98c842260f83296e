"""The chain of seals, link by link: is each as it was made, and does it follow the one before?"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from nexuscore.kernel.crypto import Keyring
from nexuscore.modules.audit import seals
from nexuscore.modules.audit.findings import Finding, named
from nexuscore.modules.audit.rows import Entry, Place
from nexuscore.modules.audit.seals import BEGINNING, NOTHING, PURPOSE
from nexuscore.modules.audit.tables import Seal

LATE = timedelta(days=1)  # longer than any transaction takes, and than clocks differ


@dataclass(slots=True)
class Stretch:
    """A piece of the log without a gap: after `start` come exactly these events."""

    start: Place
    events: list[Entry]


@dataclass(slots=True)
class Chain:
    """The links seen so far, and the stretches of the log they vouch for."""

    keyring: Keyring
    last: Seal | None = None
    count: int = 0
    stretches: list[Stretch] = field(default_factory=list)
    _unsigned: int | None = None

    def follow(self, seal: Seal) -> Iterator[Finding]:
        """Take the next link; what is wrong with it."""
        listed = seals.entries_of(seal)
        faults = list(_faults(seal, listed, self.last))
        yield from faults
        if listed:
            yield from _backdated(listed, self.last)
            if faults:  # what is missing before it must not make its neighbours look inserted
                self.stretches.append(Stretch(_just_before(listed[0]), listed))
            elif self.stretches:
                self.stretches[-1].events += listed
            else:
                self.stretches.append(Stretch(_end(self.last), listed))
        elif listed is None:
            self.stretches.append(Stretch(_end(seal), []))
        if self.keyring.verify(PURPOSE, seal.hash, seal.signature):
            self._unsigned = None
        elif self._unsigned is None:
            self._unsigned = seal.number
        self.last, self.count = seal, self.count + 1

    def end(self) -> Iterator[Finding]:
        """What the whole shows: the newest signature covers all before it."""
        if self._unsigned is not None:
            yield Finding("seal", f"seal {self._unsigned} and all after it are not signed with a key of this app")


def _faults(seal: Seal, listed: list[Entry] | None, last: Seal | None) -> Iterator[Finding]:
    number = 1 if last is None else last.number + 1
    if seal.number != number:
        missing = f"seal {number} is" if seal.number == number + 1 else f"seals {number} to {seal.number - 1} are"
        yield Finding("seal", f"{missing} missing")
    elif seal.previous != (NOTHING if last is None else last.hash):
        yield Finding("seal", f"seal {seal.number} does not follow the one before")
    said = seals.digest(
        number=seal.number,
        sealed_at=seal.sealed_at,
        events=seal.events,
        last_xid=seal.last_xid,
        last_id=seal.last_id,
        root=seal.root,
        previous=seal.previous,
    )
    if said != seal.hash:
        yield Finding("seal", f"seal {seal.number} was changed")
    if listed is None:
        yield Finding("seal", f"the list of seal {seal.number} was changed: its {seal.events} events cannot be checked")
    elif len(listed) != seal.events or not listed or listed[-1].place != _end(seal):
        yield Finding("seal", f"seal {seal.number} and its list do not fit together")


def _backdated(listed: list[Entry], last: Seal | None) -> Iterator[Finding]:
    if last is not None:
        early = (last.sealed_at - LATE).strftime("%Y-%m-%dT%H:%M:%S")
        for entry in listed:
            if entry.time < early:
                yield named("backdated", entry, f"it was written after seal {last.number} of {last.sealed_at:%Y-%m-%d}")


def _end(seal: Seal | None) -> Place:
    return BEGINNING if seal is None else (seal.last_xid, seal.last_id)


def _just_before(entry: Entry) -> Place:
    return entry.xid, UUID(int=max(entry.id.int - 1, 0))
