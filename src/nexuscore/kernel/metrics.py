"""What the process counts, in Prometheus' text format. Labels are templates and kinds, never ids."""

from __future__ import annotations

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

registry = CollectorRegistry()
ProcessCollector(registry=registry)
PlatformCollector(registry=registry)
GCCollector(registry=registry)

_REQUEST_SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_JOB_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1800)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_requests = Counter("nexus_http_requests", "Requests answered.", ["method", "route", "status"], registry=registry)
_durations = Histogram(
    "nexus_http_request_duration_seconds",
    "Time from the first byte in to the last byte out.",
    ["method", "route", "status"],
    buckets=_REQUEST_SECONDS,
    registry=registry,
)
_queries = Counter("nexus_db_queries", "Statements sent to the database.", registry=registry)
_query_seconds = Counter("nexus_db_query_seconds", "Time spent waiting for the database.", registry=registry)
_jobs = Counter("nexus_jobs", "Jobs ended.", ["kind", "outcome"], registry=registry)
_job_durations = Histogram(
    "nexus_job_duration_seconds", "Time a job ran.", ["kind"], buckets=_JOB_SECONDS, registry=registry
)
_events = Counter("nexus_events", "Facts recorded.", ["type"], registry=registry)

_request_labels: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
_job_labels: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
_event_labels: dict[str, Counter] = {}


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count an answered request. `route` is the template ("/notes/{id}"), "" when none matched."""
    key = (method, route, status // 100)
    bound = _request_labels.get(key)
    if bound is None:
        labels = (method if method in _METHODS else "other", route or "unmatched", f"{status // 100}xx")
        bound = _request_labels[key] = (_requests.labels(*labels), _durations.labels(*labels))
    bound[0].inc()
    bound[1].observe(seconds)


def observe_queries(count: int, seconds: float) -> None:
    """Count statements sent to the database and the time they took together."""
    _queries.inc(count)
    _query_seconds.inc(seconds)


def observe_job(kind: str, outcome: str, seconds: float) -> None:
    """Count an ended job: `outcome` is "done", "retried", "held" or "dropped"."""
    key = (kind, outcome)
    bound = _job_labels.get(key)
    if bound is None:
        bound = _job_labels[key] = (_jobs.labels(kind, outcome), _job_durations.labels(kind))
    bound[0].inc()
    bound[1].observe(seconds)


def count_event(type: str, count: int = 1) -> None:
    """Count recorded facts of a type."""
    bound = _event_labels.get(type)
    if bound is None:
        bound = _event_labels[type] = _events.labels(type)
    bound.inc(count)


def render() -> tuple[bytes, str]:
    """The exposition and its content type."""
    return generate_latest(registry), CONTENT_TYPE_LATEST
