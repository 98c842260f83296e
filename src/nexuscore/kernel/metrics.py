"""What the process counts, in Prometheus' text format. Labels are templates and kinds, never ids.

A module counts its own things with `counter`, `gauge` and `histogram`, made at import:

    shelved = metrics.counter("nexus_notes_shelved", "Notes shelved.", ["reason"])
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

registry = CollectorRegistry()  # of this process
shared = CollectorRegistry()  # of the installation, asked for by whoever is asked for them
ProcessCollector(registry=registry)
PlatformCollector(registry=registry)
GCCollector(registry=registry)

MEDIA = "text/plain; version=0.0.4; charset=utf-8"
_REQUEST_SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_JOB_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1800)
_BUCKETS = (*map(floatToGoString, _REQUEST_SECONDS), "+Inf")
_CLASSES = ("0xx", "1xx", "2xx", "3xx", "4xx", "5xx")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def counter(name: str, meaning: str, labels: Sequence[str] = ()) -> Counter:
    """A count that only grows; it is shown as `name` with `_total` behind it."""
    return Counter(name, meaning, labels, registry=registry)


def gauge(name: str, meaning: str, labels: Sequence[str] = ()) -> Gauge:
    """A figure that goes up and down, of this process."""
    return Gauge(name, meaning, labels, registry=registry)


def histogram(name: str, meaning: str, labels: Sequence[str] = (), *, buckets: Sequence[float]) -> Histogram:
    """How many of something took how long."""
    return Histogram(name, meaning, labels, buckets=buckets, registry=registry)


_shed = counter("nexus_http_shed", "Requests told to come back, for want of a place.", ["priority"])
_in_flight = gauge("nexus_http_requests_in_flight", "Requests being answered now.")
_errors = counter("nexus_http_errors", "Requests answered with an error, by its code.", ["code"])
_notices = counter("nexus_http_notices", "Requests worth a warning: slow, many_queries, too_many_queries.", ["notice"])
_pool = gauge("nexus_db_pool_connections", "Connections of the pool, by state: used or idle.", ["state"])
_pool_limit = gauge("nexus_db_pool_limit", "Connections the pool may hold.")
_limited = counter("nexus_http_limited", "Requests refused by a limit, by its name.", ["policy"])
_cache = counter("nexus_cache_lookups", "Looks into the cache: hit or miss.", ["outcome"])
_outside = counter("nexus_outside_calls", "Calls to others' servers: answered or failed.", ["to", "outcome"])
_outside_seconds = histogram(
    "nexus_outside_call_duration_seconds", "Time a call to others took.", ["to"], buckets=_REQUEST_SECONDS
)
_circuits = gauge("nexus_circuit_open", "Whether a service that failed again and again is left alone (1).", ["to"])
_jobs = counter("nexus_jobs", "Jobs ended, by outcome: done, again, parked, lease_lost.", ["kind", "outcome"])
_job_durations = histogram("nexus_job_duration_seconds", "Time a job ran.", ["kind"], buckets=_JOB_SECONDS)
_jobs_running = gauge("nexus_jobs_running", "Jobs that run in this process now.")
_events = counter("nexus_events", "Facts recorded.", ["type"])

_waiting = Gauge("nexus_jobs_waiting", "Jobs that are due and wait for a worker.", ["kind"], registry=shared)
_later = Gauge("nexus_jobs_scheduled", "Jobs that wait for their time.", ["kind"], registry=shared)
_dead = Gauge("nexus_jobs_dead", "Jobs that failed their last try and wait for a person.", ["kind"], registry=shared)
_lag = Gauge("nexus_job_lag_seconds", "How long the longest waiting due job has waited.", registry=shared)

_hits, _misses = _cache.labels("hit"), _cache.labels("miss")
_job_labels: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
_event_labels: dict[str, Counter] = {}


_KIND = ("method", "route", "status")
_FLOW = (
    ("nexus_http_requests", "counter", _KIND, "Requests answered."),
    (
        "nexus_http_request_duration_seconds",
        "histogram",
        _KIND,
        "Time from the first byte in to the last byte out.",
    ),
    ("nexus_db_queries", "counter", (), "Statements sent to the database by requests and jobs."),
    ("nexus_db_query_seconds", "counter", (), "Time spent waiting for their answers."),
    ("nexus_db_pool_wait_seconds", "counter", (), "Time spent waiting for a connection of the pool."),
)
_FAMILIES: dict[str, Any] = {"counter": CounterMetricFamily, "histogram": HistogramMetricFamily}


class Flow(Collector):
    """What every request touches, in plain numbers: Prometheus' own take a lock for each."""

    def __init__(self) -> None:
        self.requests = 0  # under way now
        self.jobs = 0
        self.queries = 0
        self.query_seconds = 0.0
        self.waited = 0.0
        self._counts: dict[tuple[str, str, str], list[int]] = {}  # of the requests in each bucket of time
        self._seconds: dict[tuple[str, str, str], float] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        kind = (method if method in _METHODS else "other", route or "unmatched", _CLASSES[status // 100])
        if kind not in self._counts:
            self._counts[kind], self._seconds[kind] = [0] * (len(_REQUEST_SECONDS) + 1), 0.0
        self._counts[kind][bisect_left(_REQUEST_SECONDS, seconds)] += 1
        self._seconds[kind] += seconds

    def collect(self) -> Iterable[Metric]:
        """The figures as they stand."""
        families: list[Any] = [_FAMILIES[kind](name, meaning, labels=labels) for name, kind, labels, meaning in _FLOW]
        requests, durations, *sums = families
        for kind, counts in list(self._counts.items()):
            requests.add_metric(kind, sum(counts))
            durations.add_metric(kind, list(zip(_BUCKETS, accumulate(counts), strict=True)), self._seconds[kind])
        for family, value in zip(sums, (self.queries, self.query_seconds, self.waited), strict=True):
            family.add_metric((), value)
        return families


flow = Flow()
registry.register(flow)
_in_flight.set_function(lambda: flow.requests)
_jobs_running.set_function(lambda: flow.jobs)


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count an answered request. `route` is the template ("/notes/{id}"), "" when none matched."""
    flow.answered(method, route, status, seconds)


def count_error(code: str) -> None:
    """Count an answer that is an error."""
    _errors.labels(code).inc()


def count_notice(notice: str) -> None:
    """Count a request that was worth a warning."""
    _notices.labels(notice).inc()


def count_limited(policies: Iterable[str]) -> None:
    """Count a request that limits of these names refused."""
    for policy in policies:
        _limited.labels(policy).inc()


def observe_queries(count: int, seconds: float) -> None:
    """Count statements sent to the database and the time they took together."""
    flow.queries += count
    flow.query_seconds += seconds


def waited_for_connection(seconds: float) -> None:
    """Add the wait for a connection."""
    flow.waited += seconds


def watch_pool(sizes: Callable[[], tuple[int, int, int]]) -> None:
    """Show the pool that `sizes` tells of: connections, idle ones, the limit. The last one named counts."""
    _pool.labels("used").set_function(lambda: sizes()[0] - sizes()[1])
    _pool.labels("idle").set_function(lambda: sizes()[1])
    _pool_limit.set_function(lambda: sizes()[2])


def observe_cache(hits: int, misses: int) -> None:
    """Count looks into the cache."""
    _hits.inc(hits)
    _misses.inc(misses)


def observe_outside(purpose: str, outcome: str, seconds: float) -> None:
    """Count a call to others: `purpose` is one of few words, `outcome` "answered" or "failed"."""
    _outside.labels(purpose, outcome).inc()
    _outside_seconds.labels(purpose).observe(seconds)


def show_circuit(name: str, *, is_open: bool) -> None:
    """Show whether calls to the service of this name go through."""
    _circuits.labels(name).set(is_open)


def observe_job(kind: str, outcome: str, seconds: float) -> None:
    """Count an ended job: `outcome` is "done", "again", "parked" or "lease_lost"."""
    key = (kind, outcome)
    bound = _job_labels.get(key)
    if bound is None:
        bound = _job_labels[key] = (_jobs.labels(kind, outcome), _job_durations.labels(kind))
    bound[0].inc()
    bound[1].observe(seconds)


def count_shed(priority: str) -> None:
    """Count a request there was no place for."""
    _shed.labels(priority).inc()


def count_event(type: str, count: int = 1) -> None:
    """Count recorded facts of a type."""
    bound = _event_labels.get(type)
    if bound is None:
        bound = _event_labels[type] = _events.labels(type)
    bound.inc(count)


def show_queue(counts: Sequence[tuple[str, int, int, int]], lag: float) -> None:
    """Show the queue of the installation: for each kind how many are due, wait for later, and are dead."""
    for each in (_waiting, _later, _dead):
        each.clear()
    for kind, due, later, dead in counts:
        _waiting.labels(kind).set(due)
        _later.labels(kind).set(later)
        _dead.labels(kind).set(dead)
    _lag.set(lag)


def of_process() -> str:
    """This process's figures."""
    return generate_latest(registry).decode()


def of_installation() -> str:
    """Those no process has for itself."""
    return generate_latest(shared).decode()


def merged(parts: dict[str, str]) -> str:
    """The figures of several processes as one exposition, each sample with a `process` label."""
    families: dict[str, tuple[list[str], list[str]]] = {}
    for process, text in parts.items():
        heads, samples = families.setdefault("", ([], []))
        for line in text.splitlines():
            if line.startswith("# HELP "):
                heads, samples = families.setdefault(line.split(" ", 3)[2], ([], []))
            if line.startswith("#"):
                if line not in heads:
                    heads.append(line)
                continue
            name, brace, rest = line.partition("{")
            if brace:
                samples.append(f'{name}{{process="{process}",{rest}')
            else:
                name, _, value = line.partition(" ")
                samples.append(f'{name}{{process="{process}"}} {value}')
    return "".join(f"{line}\n" for heads, samples in families.values() for line in (*heads, *samples))


def known() -> list[tuple[str, str, tuple[str, ...], str]]:
    """(name as it is shown, type, labels, meaning) of everything of ours, for the documentation and its tests."""
    found = []
    for each in (registry, shared):
        for collector in list(each._collector_to_names):
            kind = type(collector).__name__.lower()
            if isinstance(collector, Counter | Gauge | Histogram):
                name = collector._name + ("_total" if isinstance(collector, Counter) else "")
                found.append((name, kind, tuple(collector._labelnames), collector._documentation))
    found += [
        (f"{name}_total" if kind == "counter" else name, kind, labels, text) for name, kind, labels, text in _FLOW
    ]
    return sorted(found)
