"""Error rate and latency of the last requests and of the last minutes: every request's time and error state go in, and
how every job ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from math import ceil
from typing import NamedTuple

LATEST = 100  # requests in the short window
MINUTES = 5  # of a bucket
KEPT = 12  # buckets: the last hour


class Sample(NamedTuple):
    """One answered request."""

    at: float  # seconds since 1970
    seconds: float
    failed: bool
    slow: bool
    hits: int
    misses: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What some requests have in common."""

    requests: int
    errors: int
    slow: int
    p95: float
    lookups: int
    hits: int

    @property
    def error_rate(self) -> float:
        """The share that failed, 0 to 1."""
        return self.errors / self.requests if self.requests else 0.0

    @property
    def hit_rate(self) -> float:
        """The share of looks into the cache that found something; 1 when there were none."""
        return self.hits / self.lookups if self.lookups else 1.0


@dataclass(slots=True)
class Bucket:
    """The requests and jobs of five minutes, in numbers."""

    start: float
    requests: int = 0
    errors: int = 0
    slow: int = 0
    seconds: float = 0.0
    jobs: int = 0
    jobs_failed: int = 0

    def plus(self, other: Bucket) -> Bucket:
        """What both hold, of the same five minutes."""
        mine, theirs = astuple(self), astuple(other)
        return Bucket(self.start, *(one + another for one, another in zip(mine[1:], theirs[1:], strict=True)))


class Windows:
    """The last hundred requests one by one, and the last hour in buckets of five minutes."""

    def __init__(self) -> None:
        self._latest: deque[Sample] = deque(maxlen=LATEST)
        self._buckets: deque[Bucket] = deque(maxlen=KEPT)

    def add(self, sample: Sample) -> None:
        """A request has been answered."""
        self._latest.append(sample)
        bucket = self._bucket(sample.at)
        bucket.requests += 1
        bucket.seconds += sample.seconds
        bucket.errors += sample.failed
        bucket.slow += sample.slow

    def add_job(self, at: float, *, failed: bool) -> None:
        """A job has ended; it failed if this try came to nothing."""
        bucket = self._bucket(at)
        bucket.jobs += 1
        bucket.jobs_failed += failed

    def _bucket(self, at: float) -> Bucket:
        start = _start(at)
        if not self._buckets or self._buckets[-1].start < start:
            self._buckets.append(Bucket(start))
        return self._buckets[-1]

    def latest(self, since: float = 0.0) -> Figures:
        """The figures of the short window; of what came after `since`, if that is asked."""
        return figures([each for each in self._latest if each.at > since])

    def buckets(self) -> list[Bucket]:
        """The last hour, oldest first."""
        return list(self._buckets)


def last_hour(buckets: Iterable[Bucket], now: float) -> list[Bucket]:
    """The last hour, oldest first and without a gap, of however many processes' buckets."""
    newest = _start(now)
    hour = {start: Bucket(start) for start in (newest - 60.0 * MINUTES * back for back in reversed(range(KEPT)))}
    for bucket in buckets:
        if bucket.start in hour:
            hour[bucket.start] = hour[bucket.start].plus(bucket)
    return list(hour.values())


def _start(at: float) -> float:
    return at - at % (60 * MINUTES)


def figures(samples: Sequence[Sample]) -> Figures:
    """The figures of these requests."""
    times = sorted(each.seconds for each in samples)
    return Figures(
        requests=len(samples),
        errors=sum(each.failed for each in samples),
        slow=sum(each.slow for each in samples),
        p95=times[ceil(0.95 * len(times)) - 1] if times else 0.0,
        lookups=sum(each.hits + each.misses for each in samples),
        hits=sum(each.hits for each in samples),
    )
