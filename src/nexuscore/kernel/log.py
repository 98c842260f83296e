"""Structured logs: one JSON object a line (or a readable line in development), secrets and personal data masked.

    log = get_logger(__name__)
    log.info("note_shelved", note=note.id)

Everything written here, by us or by a library, passes `redaction`. What is bound with `bind` stands on every later line
of the same request or job.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from functools import lru_cache
from typing import IO, Any, Literal

import structlog
from pydantic_core import to_json
from structlog.typing import EventDict, FilteringBoundLogger

from nexuscore.kernel import ids
from nexuscore.kernel.logfiles import LogFolder
from nexuscore.kernel.redaction import mask, redact, redact_fields

__all__ = [
    "bind",
    "clean_request_id",
    "clean_tracestate",
    "configure",
    "get_logger",
    "job_line",
    "new_traceparent",
    "on_critical",
    "parse_traceparent",
    "redact",
    "request_line",
    "unbind",
]

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_LIBRARIES = ("alembic", "asyncio", "asyncpg", "pgqueuer", "sqlalchemy", "uvicorn", "uvicorn.access", "uvicorn.error")
_OF_EVERY_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}
_LONGEST_TRACEBACK = 16_000
_NEEDS_QUOTES = re.compile(r"[\s\"=\x00-\x1f\x7f-\x9f]|^$")

_UUID = re.compile(r"(?<=/)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=/|$)")

_bound: ContextVar[Mapping[str, object] | None] = ContextVar("nexuscore_log", default=None)


class _Output:
    """Where lines go and how they look. One for the process, so that loggers made before `configure` follow it."""

    def __init__(self) -> None:
        self.stream: IO[Any] | None = None
        self.level = _LEVELS["info"]
        self.json = False
        self.folder: LogFolder | None = None
        self.told: Callable[[str, str], None] | None = None

    def write(self, line: bytes) -> None:
        stream = self.stream or sys.stdout
        target: Any = getattr(stream, "buffer", stream)
        if self.folder is not None:
            self.folder.write(line)
        try:
            target.write(line.decode() if hasattr(target, "encoding") else line)
            target.flush()
        except (OSError, ValueError):  # the reader is gone or the stream closed: nobody is left to tell
            return

    debug = info = warning = error = critical = write


_output = _Output()
_Logger: Any = structlog.make_filtering_bound_logger("debug")


def configure(
    *,
    level: str,
    format: Literal["json", "text"],
    stream: IO[Any] | None = None,
    folder: LogFolder | None = None,
) -> None:
    """Send all logs of the process to `stream` (standard output), and to `folder` if there is one; those of libraries
    from WARNING up."""
    _output.stream, _output.level, _output.json, _output.folder = stream, _LEVELS[level], format == "json", folder
    root = logging.getLogger()
    root.handlers[:] = [each for each in root.handlers if not isinstance(each, _FromLibraries)]
    root.addHandler(_FromLibraries())
    root.setLevel(max(logging.WARNING, _output.level))
    for name in _LIBRARIES:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(logging.NOTSET)


def on_critical(told: Callable[[str, str], None] | None) -> None:
    """Call `told` with the event and the logger of every critical line from now on; with None, nobody."""
    _output.told = told


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger whose lines carry `name`; it may be made at import, before `configure`."""
    logger: FilteringBoundLogger = _Logger(_output, [_complete, _render], {"logger": name})
    return logger


def bind(**facts: object) -> None:
    """Put facts (request_id, org, actor …) on every later line of this request or job."""
    _bound.set({**(_bound.get() or {}), **redact_fields(facts)})


def unbind(*names: str) -> None:
    """Take facts off again; without names, all of them."""
    _bound.set({name: fact for name, fact in (_bound.get() or {}).items() if names and name not in names})


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
    path: str | None = None,
    spent: Mapping[str, object] = {},
    notices: Sequence[str] = (),
    error: str | None = None,
) -> None:
    """Write the line every answered request leaves. Only `path` and `agent` are masked: the rest is known to be clean,
    which makes this a third of the general path's work."""
    level = "error" if status >= 500 else "warning" if notices else "info"
    if _LEVELS[level] < _output.level:
        return
    line: dict[str, object] = {
        "timestamp": _timestamp(),
        "level": level,
        "event": "request",
        "logger": "nexuscore.http",
        "request_id": request_id,
        "method": method,
        "route": route,
        "status": status,
        "duration_ms": round(duration_ms, 2),
        "size": size,
        **spent,
    }
    if trace_id is not None:
        line["trace_id"] = trace_id
    if path is not None:
        line["path"] = path if path == route else _mask_path(path)
    if org is not None:
        line["org"] = org
    if actor is not None:
        line["actor"] = actor
    if client is not None:
        line["client"] = client
    if agent:
        line["agent"] = _mask_agent(agent)
    if notices:
        line["notices"] = notices
    if error is not None:
        line["error"] = error
    _output.write(_render(None, level, line))


def job_line(
    *,
    job: str,
    job_id: int,
    attempt: int,
    outcome: str,
    duration_ms: float,
    request_id: str | None = None,
    trace_id: str | None = None,
    org: object = None,
    actor: object = None,
    spent: Mapping[str, object] = {},
    notices: Sequence[str] = (),
) -> None:
    """Write the line every ended job leaves."""
    level = "warning" if notices or outcome != "done" else "info"
    if _LEVELS[level] < _output.level:
        return
    _write_clean(
        level,
        {
            "event": "job",
            "logger": "nexuscore.jobs",
            "request_id": request_id or None,
            "trace_id": trace_id,
            "org": org,
            "actor": actor,
            "job": job,
            "job_id": job_id,
            "attempt": attempt,
            "outcome": outcome,
            "duration_ms": round(duration_ms, 2),
            **spent,
            "notices": notices or None,
        },
    )


def _write_clean(level: str, fields: Mapping[str, object]) -> None:
    line = {name: value for name, value in fields.items() if value is not None}
    _output.write(_render(None, level, {"timestamp": _timestamp(), "level": level, **line}))


def clean_request_id(value: str | None) -> str:
    """The caller's request id if it is harmless, else a new one."""
    return value if value is not None and _REQUEST_ID.fullmatch(value) else ids.new_request_id()


def parse_traceparent(value: str | None) -> tuple[str, str] | None:
    """(trace id, parent id) of a W3C `traceparent` header, None when there is none or it is not valid."""
    found = _TRACEPARENT.fullmatch(value) if value else None
    if found is None or found[1] == "ff" or (found[1] == "00" and found[4] is not None):
        return None
    if found[2] == "0" * 32 or found[3] == "0" * 16:
        return None
    return found[2], found[3]


def clean_tracestate(value: str) -> str:
    """A W3C `tracestate` as it may be passed on; nothing when it is too long or has odd characters."""
    return value if _TRACESTATE.fullmatch(value) else ""


def new_traceparent(trace_id: str | None = None) -> str:
    """A `traceparent` for a call we make: a new span, in the given trace or a new one."""
    fresh = secrets.token_hex(24)
    return f"00-{trace_id or fresh[:32]}-{fresh[32:]}-01"


_TRACESTATE = re.compile(r"[\x20-\x7e\t]{1,512}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-[0-9a-f-]{0,100})?")


def _complete(_: Any, level: str, fields: EventDict) -> EventDict:
    """All of a line's fields, the four every line has first, masked."""
    if _LEVELS[level] < _output.level:
        raise structlog.DropEvent
    first = {
        "timestamp": _timestamp(),
        "level": level,
        "event": mask(str(fields.pop("event"))),
        "logger": fields.pop("logger", ""),
    }
    if level == "critical" and _output.told is not None:
        _output.told(str(first["event"]), str(first["logger"]))
    failure = fields.pop("exc_info", None)
    line = {**first, **(_bound.get() or {}), **redact_fields(fields), **first}
    if failure:
        line["exception"] = _traceback(failure)
    return line


def _render(_: Any, level: str, fields: EventDict) -> bytes:
    if not _output.json:
        return _readable(fields).encode(errors="backslashreplace") + b"\n"
    try:
        return to_json(fields, inf_nan_mode="strings") + b"\n"
    except (ValueError, TypeError):  # half a surrogate pair, most likely
        return json.dumps(fields, default=str).encode() + b"\n"


def _readable(fields: Mapping[str, object]) -> str:
    line = [str(fields["timestamp"])[11:23], f"{fields['level']:8}", str(fields["event"])]
    tail = ""
    for name, value in fields.items():
        if name == "exception":
            tail = f"\n{value}"
        elif name not in ("timestamp", "level", "event", "logger"):
            text = value if isinstance(value, str) else str(value)
            line.append(f"{name}={json.dumps(text, ensure_ascii=False) if _NEEDS_QUOTES.search(text) else text}")
    return " ".join([*line, f"({fields['logger']})"]) + tail


def _traceback(failure: object) -> str:
    """The end of a traceback, which names the cause, masked line by line."""
    error = failure if isinstance(failure, BaseException) else None
    if isinstance(failure, tuple):
        error = failure[1]
    elif error is None:
        error = sys.exc_info()[1]
    if error is None:
        return ""
    text = "".join(traceback.format_exception(error))[-_LONGEST_TRACEBACK:]
    return "\n".join(mask(line) for line in text.splitlines())


def _timestamp() -> str:
    seconds, rest = divmod(time.time_ns(), 1_000_000_000)
    return f"{_to_the_second(seconds)}.{rest // 1_000_000:03}Z"


@lru_cache(maxsize=2)
def _to_the_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


@lru_cache(maxsize=512)
def _mask_agent(agent: str) -> str:
    return mask(agent[:300])


def _mask_path(path: str) -> str:
    """`mask`, for a tenth of its price where only identifiers look like telephone numbers."""
    return path if _is_clean(_UUID.sub("", path)) else mask(path)


@lru_cache(maxsize=1024)
def _is_clean(text: str) -> bool:
    return mask(text) == text


class _FromLibraries(logging.Handler):
    """Takes what libraries say through the standard library into our lines."""

    def emit(self, record: logging.LogRecord) -> None:
        level = next((name for name, number in reversed(_LEVELS.items()) if number <= record.levelno), "debug")
        fields = {name: value for name, value in vars(record).items() if name not in _OF_EVERY_RECORD}
        try:
            event = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit the text
            event = str(record.msg)
        try:
            line = _complete(
                None, level, {**fields, "event": event, "logger": record.name, "exc_info": record.exc_info}
            )
        except structlog.DropEvent:
            return
        _output.write(_render(None, level, line))
