"""How often somebody may: named limits, counted exactly, by one process in memory or by several in Redis.

EXPORTS = Limit("exports", "3/h + 20/day", per="organisation")

@routes.post("/exports", limit=EXPORTS)
async def new_export(...): ...

Never more than the number pass in any stretch of the window, whichever process is asked. A refused try is not counted.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from hashlib import blake2b
from ipaddress import IPv4Address, ip_address
from math import ceil
from typing import TYPE_CHECKING, Literal, NamedTuple

from nexuscore.kernel import clock
from nexuscore.kernel.errors import CacheError, ConfigurationError, RateLimitError
from nexuscore.kernel.quotas import LOOK, MICROSECONDS, Memory, Quota, Standing
from nexuscore.kernel.redis import Redis, RedisDown

if TYPE_CHECKING:
    from nexuscore.kernel.app import App
    from nexuscore.kernel.http.auth import Identity

Per = Literal["person", "key", "organisation", "address"]
Fail = Literal["local", "open", "closed"]

_UNITS = {"s": 1, "min": 60, "h": 3600, "day": 86_400}
_QUOTA = re.compile(r"(?P<most>[0-9]{1,9})/(?P<times>[0-9]{0,4})(?P<unit>s|min|h|day)")


@dataclass(frozen=True)
class Limit:
    """`rate` is "10/h", "1000/h + 100/min", "5/15min". `per` says who is counted; who is nobody counts by address.

    `fail` says what happens while several processes cannot ask Redis: `local` counts in each process, `open` lets
    everybody through, `closed` nobody: they are told 503, since it is not their doing.
    """

    name: str
    rate: str
    per: Per = "person"
    fail: Fail = "local"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_.-]*", self.name):
            raise ConfigurationError(f"a limit cannot be called {self.name!r}: use small letters")
        _ = self.quotas

    @cached_property
    def quotas(self) -> tuple[Quota, ...]:
        """Its numbers: all of them hold at once."""
        return read_rate(self.rate)

    @cached_property
    def policy(self) -> str:
        """Its part of the header `RateLimit-Policy`."""
        return ", ".join(f'"{label}";q={quota.most};w={quota.seconds}' for label, quota in self.labelled)

    @cached_property
    def labelled(self) -> tuple[tuple[str, Quota], ...]:
        """The quotas with the names they have in headers: the limit's, and for a second one its window behind it."""
        first, *others = self.quotas
        return ((self.name, first), *((f"{self.name}-{each.seconds}s", each) for each in others))

    @cached_property
    def counted(self) -> tuple[tuple[str, Quota], ...]:
        """The quotas with what the name of each one's count begins with."""
        return tuple((f"{self.name}:{quota.seconds}:", quota) for quota in self.quotas)


def read_rate(rate: str) -> tuple[Quota, ...]:
    """The quotas a text like "1000/h + 100/min" names."""
    quotas = []
    for part in rate.split("+"):
        found = _QUOTA.fullmatch(part.strip())
        if found is None or not int(found["most"]) or found["times"] == "0":
            raise ConfigurationError(f"{part.strip()!r} is no rate: write 10/s, 10/min, 10/h, 10/day or 5/15min")
        quotas.append(Quota(int(found["most"]), int(found["times"] or 1) * _UNITS[found["unit"]]))
    return tuple(quotas)


USER = Limit("user", "1000/h + 100/min", per="person")
ANONYMOUS = Limit("anonymous", "100/h", per="address")
PAGES = Limit("pages", "120/min + 2000/h", per="person")
SIGN_IN = Limit("sign_in", "5/min", per="address")
UPLOADS = Limit("uploads", "10/h", per="person")
PAYMENTS = Limit("payments", "5/h", per="person")
CHAT = Limit("chat", "30/min", per="person")
HOUSE = (USER, ANONYMOUS, PAGES, SIGN_IN, UPLOADS, PAYMENTS, CHAT)
"""The limits the house decided on. Every operation under /api has `user` or `anonymous`, every other one `pages`
unless it says why not; the rest are asked for."""


class Asked(NamedTuple):
    """A limit, and who is counted against it."""

    limit: Limit
    whom: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it may be, and how each quota stands after it; `unknown` when nobody can say, and so it may not."""

    admitted: bool
    standings: Sequence[tuple[Limit, str, Quota, Standing]]
    unknown: bool = False

    def retry_after(self) -> int:
        """Whole seconds until it may be again."""
        waits = [standing.seconds for _, _, _, standing in self.standings if standing.left <= 0]
        return max(1, ceil(max(waits, default=1)))

    def refused(self) -> RateLimitError | CacheError:
        """What somebody is told who was not admitted."""
        if self.unknown:
            return CacheError()
        out = [each for each in self.standings if each[3].left <= 0] or list(self.standings)
        limit, _, quota, _ = max(out, key=lambda each: each[3].seconds)
        seconds = self.retry_after()
        details = {"limit": limit.name, "most": quota.most, "window_s": quota.seconds, "retry_after_s": seconds}
        return RateLimitError(details=details, retry_after=seconds)


class Limits:
    """Every limit of an app, as its settings have them, and the counting."""

    def __init__(self, declared: Iterable[Limit], changed: Mapping[str, str], redis: Redis | None) -> None:
        self.declared = {limit.name: limit for limit in declared}
        self._lifted = changed.get("*") == "off"
        self._changed = {
            name: replace(self.declared[name], rate=rate) if rate != "off" else None
            for name, rate in changed.items()
            if name in self.declared
        }
        self._redis = redis
        self._memory = Memory()

    def of(self, limit: Limit) -> Limit | None:
        """The limit as the settings have it; None when they lift it."""
        if limit.name in self._changed:
            return self._changed[limit.name]
        return None if self._lifted else limit

    async def take(self, asked: Sequence[Asked]) -> Verdict:
        """Count one against all of these limits, or against none when one of them is used up."""
        if self._redis is not None:
            try:
                return await self._take_shared(self._redis, asked)
            except RedisDown:
                return self._take_alone(asked)
        return self._take_here(asked)

    async def _take_shared(self, redis: Redis, asked: Sequence[Asked]) -> Verdict:
        keys, numbers = [], []
        for limit, whom in asked:
            place = blake2b(whom.encode(), digest_size=16).hexdigest()
            for quota in limit.quotas:
                keys.append(redis.key("limit", limit.name, quota.seconds, place))
                numbers += [quota.most, quota.seconds * MICROSECONDS, round(quota.grain * MICROSECONDS)]
        admitted, *told = await redis.run(LOOK, keys, numbers)
        found = [Standing(left, wait / MICROSECONDS) for left, wait in zip(told[::2], told[1::2], strict=True)]
        return _verdict(bool(admitted), asked, found)

    def _take_alone(self, asked: Sequence[Asked]) -> Verdict:
        """As each limit says for when Redis is away."""
        if any(each.limit.fail == "closed" for each in asked):
            return Verdict(admitted=False, standings=(), unknown=True)
        return self._take_here([each for each in asked if each.limit.fail == "local"])

    def _take_here(self, asked: Sequence[Asked]) -> Verdict:
        wanted = [(quota, place + whom) for limit, whom in asked for place, quota in limit.counted]
        admitted, found = self._memory.take(wanted, clock.seconds())
        return _verdict(admitted, asked, found)


def _verdict(admitted: bool, asked: Sequence[Asked], found: Sequence[Standing]) -> Verdict:
    each = iter(found)
    standings = [(limit, label, quota, next(each)) for limit, _ in asked for label, quota in limit.labelled]
    return Verdict(admitted, standings)


async def require(app: "App", limit: Limit, whom: object) -> None:
    """Count one for `whom`, in a verb that knows better than the request whom it is about; 429 when it is too many."""
    held = app.limits.of(limit)
    if held is None:
        return
    verdict = await app.limits.take([Asked(held, str(whom))])
    if not verdict.admitted:
        raise verdict.refused()


def whom(limit: Limit, identity: "Identity", ip: str | None) -> str:
    """Who is counted against `limit` for a request."""
    actor = identity.actor
    if limit.per == "address" or not actor.known:
        return f"address:{address(ip)}"
    if limit.per == "organisation" and identity.org is not None:
        return f"organisation:{identity.org}"
    if limit.per == "key" and "key" in actor.facts:
        return f"key:{actor.facts['key']}"
    return f"person:{actor.id}"


@lru_cache(maxsize=10_000)
def address(ip: str | None) -> str:
    """What counts as one address: an IPv4 address, or the /64 an IPv6 subscriber is given."""
    if ip is None:
        return "unknown"
    try:
        found = ip_address(ip)
    except ValueError:
        return ip
    if isinstance(found, IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ip_address(int(found) >> 64 << 64))
