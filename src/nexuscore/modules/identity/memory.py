"""What one process remembers for a few seconds, so that an authenticated request rarely asks the database.

Revocation in another process is noticed when an entry is too old: `state_cache_s`, 3 seconds by default.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Literal, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

from nexuscore.kernel import clock
from nexuscore.kernel.app import App
from nexuscore.kernel.http.auth import Identity
from nexuscore.modules.identity.settings import IdentitySettings
from nexuscore.modules.identity.slots import Grants

K = TypeVar("K")
V = TypeVar("V")
_MOST = 10_000


class ShortMemory(Generic[K, V]):
    """Values that are forgotten after `seconds`, and the oldest of them when there are too many."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value, while it is young enough."""
        entry = self._entries.get(key)
        if entry is None or entry[0] <= clock.seconds():
            return None
        return entry[1]

    def keep(self, key: K, value: V) -> V:
        """Remember it from now on."""
        self._entries[key] = (clock.seconds() + self._seconds, value)
        self._entries.move_to_end(key)
        if len(self._entries) > _MOST:
            self._entries.popitem(last=False)
        return value

    def forget(self, key: K) -> None:
        """Ask again next time."""
        self._entries.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()


@dataclass(frozen=True, slots=True)
class SessionState:
    """A live session and its owner, as far as a request needs them."""

    id: UUID
    user_id: UUID
    platform_role: str
    locale: str
    time_zone: str
    org: UUID | None
    factors: int
    authenticated_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class KeyState:
    """A live API key and its owner, as far as a request needs it."""

    id: UUID
    user_id: UUID | None
    org_id: UUID | None
    scopes: frozenset[str]
    platform_role: str | None
    locale: str | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified access token says."""

    user_id: UUID
    session_id: UUID
    expires: float


@dataclass(frozen=True, slots=True)
class Known:
    """Who asked a moment ago, and what that was made of: it holds as long as these do."""

    identity: Identity
    state: SessionState
    grants: Grants | Literal[False] | None
    until: float  # seconds since 1970: from then on it is another identity


@dataclass(slots=True)
class Memory:
    """One app's. Tokens are found by their whole hash, never by a part of them."""

    seconds: float
    tokens: ShortMemory[bytes, Claims] = field(init=False)
    sessions: ShortMemory[UUID, SessionState] = field(init=False)
    cookies: ShortMemory[bytes, UUID] = field(init=False)
    keys: ShortMemory[bytes, KeyState] = field(init=False)
    grants: ShortMemory[tuple[UUID, UUID], Grants | Literal[False]] = field(init=False)
    identities: ShortMemory[tuple[UUID, UUID | None], Known] = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = ShortMemory(60)
        self.sessions = ShortMemory(self.seconds)
        self.cookies = ShortMemory(60)
        self.keys = ShortMemory(self.seconds)
        self.grants = ShortMemory(self.seconds)
        self.identities = ShortMemory(self.seconds)


_memories: WeakKeyDictionary[App, Memory] = WeakKeyDictionary()


def memory(app: App) -> Memory:
    """What this app remembers."""
    found = _memories.get(app)
    if found is None:
        found = _memories[app] = Memory(app.settings[IdentitySettings].state_cache_s)
    return found


def forget_grants(app: App, user_id: UUID, org_id: UUID) -> None:
    """Ask again what somebody may do in an organisation: it was just changed. Other processes follow in 3 seconds."""
    memory(app).grants.forget((user_id, org_id))
