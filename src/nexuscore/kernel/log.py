"""Structured logs: one JSON object a line (or a readable line in development), secrets and personal data masked."""

from __future__ import annotations

import re
import secrets
from typing import IO, Any, Literal, cast

import structlog
from structlog.typing import FilteringBoundLogger

from nexuscore.kernel import ids


def configure(*, level: str, format: Literal["json", "text"], stream: IO[bytes] | None = None) -> None:
    """Send all logs of the process, the standard library's included, to `stream` (standard output)."""


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger whose lines carry `name`."""
    return cast(FilteringBoundLogger, structlog.get_logger(logger=name))


def bind(**facts: object) -> None:
    """Add facts (request_id, org, actor …) to every later line of this task."""
    structlog.contextvars.bind_contextvars(**facts)


def unbind(*names: str) -> None:
    """Take facts off again."""
    structlog.contextvars.unbind_contextvars(*names)


def request_line(
    *,
    method: str,
    route: str,
    status: int,
    duration_ms: float,
    size: int,
    request_id: str,
    trace_id: str | None = None,
    org: object = None,
    actor: object = None,
    client: str | None = None,
    agent: str | None = None,
    queries: int = 0,
    error: str | None = None,
) -> None:
    """Write the one line every answered request leaves. Shorter than the general path, same names and masking."""


def redact(value: Any) -> Any:
    """A copy with secrets and personal data masked at any depth."""
    return value


def clean_request_id(value: str | None) -> str:
    """The caller's request id if it is harmless, else a new one."""
    return value if value is not None and re.fullmatch(r"[A-Za-z0-9._-]{1,64}", value) else ids.new_request_id()


_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


def parse_traceparent(value: str | None) -> tuple[str, str] | None:
    """(trace id, parent id) of a W3C `traceparent` header, None when there is none or it is not valid."""
    found = _TRACEPARENT.fullmatch(value) if value else None
    if found is None or found[1] == "ff" or (found[1] == "00" and found[4]):
        return None
    if found[2] == "0" * 32 or found[3] == "0" * 16:
        return None
    return found[2], found[3]


def new_traceparent(trace_id: str | None = None) -> str:
    """A `traceparent` for a call we make: same trace when one is given, a new span in any case."""
    return f"00-{trace_id or ids.new_request_id()}-{secrets.token_hex(8)}-01"
