"""Error rate and latency of the last requests and of the last minutes: every request's time and error state go in."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

LATEST = 100  # requests in the short window
MINUTES = 5  # of a bucket
KEPT = 12  # buckets: the last hour


@dataclass(frozen=True, slots=True)
class Sample:
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
    """The requests of five minutes, in numbers."""

    start: float
    requests: int = 0
    errors: int = 0
    slow: int = 0
    seconds: float = 0.0


class Windows:
    """The last hundred requests one by one, and the last hour in buckets of five minutes."""

    def __init__(self) -> None:
        self._latest: deque[Sample] = deque(maxlen=LATEST)
        self._buckets: deque[Bucket] = deque(maxlen=KEPT)

    def add(self, sample: Sample) -> None:
        """A request has been answered."""
        self._latest.append(sample)
        start = sample.at - sample.at % (60 * MINUTES)
        if not self._buckets or self._buckets[-1].start < start:
            self._buckets.append(Bucket(start))
        bucket = self._buckets[-1]
        bucket.requests += 1
        bucket.seconds += sample.seconds
        bucket.errors += sample.failed
        bucket.slow += sample.slow

    def latest(self, since: float = 0.0) -> Figures:
        """The figures of the short window; of what came after `since`, if that is asked."""
        return figures([each for each in self._latest if each.at > since])

    def buckets(self) -> list[Bucket]:
        """The last hour, oldest first."""
        return list(self._buckets)


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
