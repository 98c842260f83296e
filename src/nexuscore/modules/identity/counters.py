"""How often something may be tried (a mailbox, a code): counters in the database, which commit with the facts about it.

How often an address may send a request is a limit of its operation (`limits.py`). A counter is an upsert: call
`count` in a short transaction that ends before slow work begins.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.errors import RateLimitError

_COUNT = """
INSERT INTO attempt_counts AS c (key, count, ends_at)
SELECT k, 1, $2::timestamptz + s FROM unnest($1::bytea[], $3::interval[]) AS given(k, s) ORDER BY k
ON CONFLICT (key) DO UPDATE SET
  count = CASE WHEN c.ends_at <= $2 THEN 1 ELSE c.count + 1 END,
  ends_at = CASE WHEN c.ends_at <= $2 THEN excluded.ends_at ELSE c.ends_at END
RETURNING key, count, ends_at
"""
_CLEAR = "DELETE FROM attempt_counts WHERE key = ANY($1::bytea[])"


@dataclass(frozen=True, slots=True)
class Counter:
    """At most `most` times `what` by or for `whom` in `span`. `whom` is hashed before it is stored."""

    what: str
    whom: str
    most: int
    span: timedelta

    @property
    def key(self) -> bytes:
        """Where it is counted."""
        return hashlib.sha256(f"{self.what}\0{self.whom}\0{self.span.total_seconds()}".encode()).digest()


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A limit that is used up, for so many more seconds. `first` on the first try too many."""

    limit: Counter
    seconds: float
    first: bool

    def error(self) -> RateLimitError:
        """What the caller is told."""
        return RateLimitError(retry_after=self.seconds)


async def count(ctx: Ctx, *counters: Counter) -> Exceeded | None:
    """Count one more try against each limit, in one round trip; the one that stays exceeded longest, if any is."""
    by_key = {counter.key: counter for counter in counters}
    rows = await ctx.db.raw(_COUNT, list(by_key), ctx.now, [counter.span for counter in by_key.values()])
    over = [row for row in rows if row.count > by_key[row.key].most]
    if not over:
        return None
    worst = max(over, key=lambda row: row.ends_at)
    limit = by_key[worst.key]
    return Exceeded(limit, (worst.ends_at - ctx.now).total_seconds(), worst.count == limit.most + 1)


async def require(ctx: Ctx, *counters: Counter) -> None:
    """Count, and stop here when a limit is exceeded. The transaction must be one that commits on its own."""
    exceeded = await count(ctx, *counters)
    if exceeded is not None:
        raise exceeded.error()


async def clear(ctx: Ctx, *counters: Counter) -> None:
    """Forget what was counted."""
    await ctx.db.raw(_CLEAR, [counter.key for counter in counters])
