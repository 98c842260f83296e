"""What one request or job costs: queries, cache, calls outside. Counted where they happen, shown in its log line.

    with sight.outside("payments") as call:
        answer = await client.post(url, headers=call.headers)

A call to the outside that goes through this is counted, timed, and carries the trace on.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from time import perf_counter, time_ns
from typing import Protocol, Self

from nexuscore.kernel import metrics

__all__ = ["Part", "Tally", "Thresholds", "begin", "cache_hit", "cache_miss", "end", "outside", "tally"]


class Part(Protocol):
    """The open span of a request or job, when traces are on: it takes what happened inside."""

    def query(self, sql: str, ended_ns: int, seconds: float) -> None:
        """A statement that has just ended."""

    def call(self, purpose: str) -> Call:
        """A call to the outside that begins now."""


class Call(Protocol):
    """A call to the outside, as a span."""

    traceparent: str

    def end(self, status: int | None, error: str | None) -> None:
        """It is over."""


class Tally:
    """The running sums of one request or job, and the trace it belongs to."""

    __slots__ = (
        "cache_hits",
        "cache_misses",
        "cache_seconds",
        "outside_calls",
        "outside_seconds",
        "queries",
        "query_seconds",
        "span",
        "traceparent",
        "tracestate",
    )

    def __init__(self, traceparent: str = "", tracestate: str = "") -> None:
        self.queries = 0
        self.query_seconds = 0.0
        self.cache_hits = 0
        self.cache_misses = 0
        self.cache_seconds = 0.0
        self.outside_calls = 0
        self.outside_seconds = 0.0
        self.traceparent = traceparent
        self.tracestate = tracestate
        self.span: Part | None = None

    def spent(self) -> dict[str, object]:
        """What there is to tell, under the names of the log line; what was not used is left out."""
        told: dict[str, object] = {}
        if self.queries:
            told["queries"] = self.queries
            told["db_ms"] = round(self.query_seconds * 1000, 2)
        if self.cache_hits or self.cache_misses:
            told["cache_hits"] = self.cache_hits
            told["cache_misses"] = self.cache_misses
            told["cache_ms"] = round(self.cache_seconds * 1000, 3)
        if self.outside_calls:
            told["outside_calls"] = self.outside_calls
            told["outside_ms"] = round(self.outside_seconds * 1000, 2)
        return told

    def counted(self) -> None:
        """Add it to the figures of the process; once, when the request or job has ended."""
        if self.queries:
            metrics.observe_queries(self.queries, self.query_seconds)
        if self.cache_hits or self.cache_misses:
            metrics.observe_cache(self.cache_hits, self.cache_misses)


class Thresholds:
    """From where on a request is worth a warning."""

    __slots__ = ("queries", "seconds", "too_many")

    def __init__(self, *, slow_ms: float, queries: int, too_many: int) -> None:
        self.seconds = slow_ms / 1000
        self.queries = queries
        self.too_many = too_many

    def notices(self, spent: Tally, seconds: float) -> list[str]:
        """What is odd about it, in words that can be counted; usually nothing."""
        found = ["slow"] if seconds > self.seconds else []
        if spent.queries > self.queries:
            found.append("too_many_queries" if spent.queries > self.too_many else "many_queries")
        return found


_nobodys = Tally()  # what is done outside every request and job
_current: ContextVar[Tally] = ContextVar("nexuscore_tally", default=_nobodys)


def tally() -> Tally:
    """The sums of the request or job that runs here; its child tasks share them."""
    return _current.get()


def begin(traceparent: str = "", tracestate: str = "") -> tuple[Tally, Token[Tally]]:
    """Start to count, for the request or job that begins here. `end` takes the token."""
    fresh = Tally(traceparent, tracestate)
    return fresh, _current.set(fresh)


def end(token: Token[Tally]) -> None:
    """Stop counting here."""
    _current.reset(token)


def cache_hit(seconds: float = 0.0) -> None:
    """The cache had it."""
    here = _current.get()
    here.cache_hits += 1
    here.cache_seconds += seconds


def cache_miss(seconds: float = 0.0) -> None:
    """The cache did not have it. `seconds` is the look, not the making."""
    here = _current.get()
    here.cache_misses += 1
    here.cache_seconds += seconds


def query(spent: Tally, sql: str, seconds: float) -> None:
    """A statement has ended, after so long."""
    spent.queries += 1
    spent.query_seconds += seconds
    if spent.span is not None:
        spent.span.query(sql, time_ns(), seconds)


class outside:  # noqa: N801 - read as a word: with outside("payments")
    """A call to somebody else's server, for as long as the block runs. `purpose` is one of few words, never a name of
    theirs. Set `status` to the answer's; what is raised counts as a failure."""

    __slots__ = ("_call", "_purpose", "_started", "_tally", "headers", "status", "traceparent")

    def __init__(self, purpose: str) -> None:
        self._purpose = purpose
        self.status: int | None = None

    def __enter__(self) -> Self:
        self._tally = _current.get()
        span = self._tally.span
        self._call = span.call(self._purpose) if span is not None else None
        traceparent = self._call.traceparent if self._call is not None else self._tally.traceparent
        self.headers = {"traceparent": traceparent} if traceparent else {}
        self.traceparent = [("traceparent", traceparent)] if traceparent else []
        if traceparent and self._tally.tracestate:
            self.headers["tracestate"] = self._tally.tracestate
        self._started = perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        seconds = perf_counter() - self._started
        self._tally.outside_calls += 1
        self._tally.outside_seconds += seconds
        failed = error is not None or (self.status is not None and self.status >= 500)
        metrics.observe_outside(self._purpose, "failed" if failed else "answered", seconds)
        if self._call is not None:
            self._call.end(self.status, kind.__name__ if kind is not None else None)
