"""Counting: so many in any stretch of so many seconds. In memory for one process, in Redis for several.

Both keep a log of what was admitted, as runs of hits close to each other: (start, latest, count). A run leaves the log
as a whole when its latest hit has left the window, so there is never one too many, and a place comes back at most a
64th of the window late.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from nexuscore.kernel.redis import Script

RUNS = 64  # runs a window is divided into at most; quotas up to that many know each hit for itself
MOST_KEYS = 100_000
MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Quota:
    """At most `most` in any `seconds`."""

    most: int
    seconds: int

    @cached_property
    def grain(self) -> float:
        """How long a run of hits may be."""
        return 0.0 if self.most <= RUNS else self.seconds / RUNS


class Standing(NamedTuple):
    """How many are left, and in how many seconds the next one comes back."""

    left: int
    seconds: float


@dataclass(slots=True)
class _Log:
    seconds: int
    total: int = 0
    runs: deque[list[float]] = field(default_factory=deque)  # [start, latest, count]


class Memory:
    """The logs of one process. Those not asked for longest are given up when there are too many."""

    def __init__(self, most_keys: int = MOST_KEYS) -> None:
        self._most = most_keys
        self._logs: OrderedDict[str, _Log] = OrderedDict()

    def __len__(self) -> int:
        return len(self._logs)

    def take(self, wanted: Sequence[tuple[Quota, str]], now: float) -> tuple[bool, list[Standing]]:
        """Count one against each quota under its key, or against none when one is used up."""
        logs = [(self._log(key, quota, now), quota) for quota, key in wanted]
        admitted = not [log for log, quota in logs if log.total >= quota.most]
        standings = []
        for log, quota in logs:
            if admitted:
                _add(log, quota, now)
            waits = log.runs[0][1] + quota.seconds - now if log.runs else 0.0
            standings.append(Standing(quota.most - log.total, waits))
        self._tidy(now)
        return admitted, standings

    def _log(self, key: str, quota: Quota, now: float) -> _Log:
        log = self._logs.get(key)
        if log is None:
            log = self._logs[key] = _Log(quota.seconds)
            return log
        self._logs.move_to_end(key)
        runs, gone = log.runs, now - quota.seconds
        while runs and runs[0][1] <= gone:
            log.total -= int(runs.popleft()[2])
        return log

    def _tidy(self, now: float) -> None:
        """Give up a log or two that hold nothing any more, and the oldest when there are too many."""
        for _ in range(2):
            key, log = next(iter(self._logs.items()), ("", None))
            if log is None or (log.runs and log.runs[-1][1] + log.seconds > now and len(self._logs) <= self._most):
                return
            del self._logs[key]


def _add(log: _Log, quota: Quota, now: float) -> None:
    log.total += 1
    if log.runs:
        run = log.runs[-1]
        if now - run[0] <= quota.grain:
            run[1] = now
            run[2] += 1
            return
    log.runs.append([now, now, 1])


# For each key three numbers: how many, the window, the grain, both in microseconds. A log is a hash: the runs under
# their numbers, `first` and `last` of these, and the `total`. The clock is that of Redis, so that processes agree.
LOOK = Script("""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function run(key, number)
  local start, latest, count = string.match(redis.call('HGET', key, number), '(%d+) (%d+) (%d+)')
  return tonumber(start), tonumber(latest), tonumber(count)
end
local logs, admitted = {}, 1
for i, key in ipairs(KEYS) do
  local most, window = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1])
  local head = redis.call('HMGET', key, 'first', 'last', 'total')
  local first, last, total = tonumber(head[1]) or 1, tonumber(head[2]) or 0, tonumber(head[3]) or 0
  while first <= last do
    local _, latest, count = run(key, first)
    if latest + window > now then break end
    redis.call('HDEL', key, first)
    first, total = first + 1, total - count
  end
  if total >= most then admitted = 0 end
  logs[i] = {first, last, total}
end
local answer = {admitted}
for i, key in ipairs(KEYS) do
  local most, window, grain = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local first, last, total = unpack(logs[i])
  if admitted == 1 then
    local start, count = now, 0
    if first <= last then
      local began, _, so_far = run(key, last)
      if now - began <= grain then start, count = began, so_far else last = last + 1 end
    else
      last = last + 1
    end
    total = total + 1
    redis.call('HSET', key, last, string.format('%.0f %.0f %d', start, now, count + 1))
  end
  if first <= last then
    redis.call('HSET', key, 'first', first, 'last', last, 'total', total)
    redis.call('PEXPIRE', key, math.ceil(window / 1000) + 1000)
    local _, oldest = run(key, first)
    answer[2 * i], answer[2 * i + 1] = most - total, oldest + window - now
  else
    redis.call('DEL', key)
    answer[2 * i], answer[2 * i + 1] = most, 0
  end
end
return answer
""")
