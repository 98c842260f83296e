"""How a connection to PostgreSQL is made: to which address, with how much patience, past a pooler or through it."""

import asyncio
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

from pydantic_core import from_json

from nexuscore.kernel import log
from nexuscore.kernel.tables import APP_ROLE

if TYPE_CHECKING:
    from nexuscore.kernel.settings import KernelSettings

SUPABASE_POOLER = ".pooler.supabase.com"  # answers on IPv4 anyway, and picks the database by the name asked for
_log = log.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On which terms a process uses its database. Times of 0 are without end."""

    minimum: int = 0
    maximum: int = 1
    statement_timeout_ms: int = 30_000
    lock_timeout_ms: int = 10_000
    idle_timeout_ms: int = 60_000
    connect_timeout_s: float = 10
    pooled: bool = False  # a pooler stands before it, and gives a connection for one transaction at a time
    ipv4: bool = False
    direct: str | None = None  # the address past the pooler
    replica: str | None = None

    @property
    def patience(self) -> dict[str, str]:
        """The time-outs, as PostgreSQL names them."""
        return {
            "statement_timeout": str(self.statement_timeout_ms),
            "lock_timeout": str(self.lock_timeout_ms),
            "idle_in_transaction_session_timeout": str(self.idle_timeout_ms),
        }

    @property
    def opening(self) -> str:
        """What a transaction begins with. Through a pooler it has to say what a connection of ours knows by itself."""
        if not self.pooled:
            return "BEGIN READ WRITE"
        said = "".join(f"; SET LOCAL {name} = {value}" for name, value in self.patience.items())
        return f"BEGIN READ WRITE; SET LOCAL ROLE {APP_ROLE}{said}"


def terms(settings: "KernelSettings") -> Terms:
    """The terms the settings name."""
    direct, replica = settings.database_direct_url, settings.database_replica_url
    return Terms(
        minimum=settings.pool_min,
        maximum=settings.pool_max,
        statement_timeout_ms=settings.statement_timeout_ms,
        lock_timeout_ms=settings.lock_timeout_ms,
        idle_timeout_ms=settings.idle_transaction_timeout_ms,
        connect_timeout_s=settings.connect_timeout_s,
        pooled=settings.database_pooler == "transaction",
        ipv4=settings.force_ipv4_db,
        direct=direct.get_secret_value() if direct else None,
        replica=replica.get_secret_value() if replica else None,
    )


def options(terms: Terms, dsn: str, *, guarded: bool = False) -> dict[str, Any]:
    """What asyncpg is told for a connection of the app: in the closed role, in UTC, with bounded patience.

    A `guarded` one writes in transactions that say so, and not in between.
    """
    known = {"application_name": "nexuscore", "timezone": "UTC"}  # a pooler lets these through
    own = {} if terms.pooled else {"role": APP_ROLE, **terms.patience}
    if guarded and not terms.pooled:
        own["default_transaction_read_only"] = "on"
    return {
        "timeout": terms.connect_timeout_s,
        "server_settings": {**known, **own},
        "statement_cache_size": 0 if terms.pooled else 1000,  # behind a pooler, the next one is another's
        "loop": loop_for(dsn, ipv4=terms.ipv4),
    }


async def prepare(connection: Any) -> None:
    """Teach a connection that JSON comes back as Python values (SQLAlchemy writes it as text)."""
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, schema="pg_catalog", encoder=_json_text, decoder=from_json, format="text")


def _json_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


# --- IPv4 alone -----------------------------------------------------------------------------------


def loop_for(dsn: str, *, ipv4: bool) -> asyncio.AbstractEventLoop | None:
    """What asyncpg connects with: None is the running loop.

    With `ipv4`, a loop that looks names up as IPv4 addresses alone, for clouds that give a name an IPv6 address and
    their machines no way there. The name stays what TLS asks for and checks.
    """
    return cast(asyncio.AbstractEventLoop, _IPv4Loop()) if ipv4 and needs_ipv4(dsn) else None


def needs_ipv4(dsn: str) -> bool:
    """Whether the rule is about this address: not about sockets, nor about the pooler."""
    parts = urlsplit(dsn)
    host = parse_qs(parts.query).get("host", [parts.hostname or ""])[0]
    return bool(host) and not host.startswith("/") and not host.lower().rstrip(".").endswith(SUPABASE_POOLER)


class _IPv4Loop:
    """The running loop, but for how it finds a host."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    async def create_connection(
        self, factory: Callable[[], Any], host: Any = None, port: Any = None, **rest: Any
    ) -> Any:
        """As asyncio's, to an IPv4 address if the name has one; else to what it has."""
        if host is not None and rest.get("sock") is None:
            try:
                return await self._loop.create_connection(factory, host, port, family=socket.AF_INET, **rest)
            except socket.gaierror as error:
                _log.warning("database_without_ipv4", host=host, reason=error.strerror)
        return await self._loop.create_connection(factory, host, port, **rest)
