"""The limits of one operation: who is counted, what the answer's headers say, what the documentation says of it."""

from math import ceil, inf
from typing import TYPE_CHECKING, Any

from nexuscore.kernel import clock, metrics
from nexuscore.kernel.errors import CacheError, NexusError, RateLimitError
from nexuscore.kernel.http.answers import Headers
from nexuscore.kernel.http.auth import Identity
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.limits import ANONYMOUS, PAGES, USER, Asked, Limit, Verdict, whom
from nexuscore.kernel.log import get_logger

if TYPE_CHECKING:
    from nexuscore.kernel.app import App
    from nexuscore.kernel.http.routes import Operation

_log = get_logger(__name__)
_warned: set[str] = set()

HEADERS: dict[str, dict[str, Any]] = {
    "RateLimit": {
        "description": "What is left of each quota (`r`), and in how many seconds more comes back (`t`).",
        "schema": {"type": "string"},
        "example": '"user";r=998;t=3540, "user-60s";r=98;t=55',
    },
    "RateLimit-Policy": {
        "description": "The quotas: so many (`q`) in so many seconds (`w`).",
        "schema": {"type": "string"},
        "example": '"user";q=1000;w=3600, "user-60s";q=100;w=60',
    },
    "X-RateLimit-Limit": {
        "description": "Of the quota with the least left: its number.",
        "schema": {"type": "integer"},
        "example": 100,
    },
    "X-RateLimit-Remaining": {"description": "What is left of it.", "schema": {"type": "integer"}, "example": 98},
    "X-RateLimit-Reset": {
        "description": "When more comes back, in seconds since 1970.",
        "schema": {"type": "integer"},
        "example": 1795176000,
    },
    "Retry-After": {
        "description": "In how many seconds to try again.",
        "schema": {"type": "integer"},
        "example": 12,
    },
}


def declared(operation: "Operation") -> tuple[Limit, ...]:
    """The limits that hold for an operation: the house's for everybody, and its own."""
    return (*dict.fromkeys(_everybodys(operation)), *operation.limits)


def _everybodys(operation: "Operation") -> tuple[Limit, ...]:
    """For somebody who is signed in, and for whoever is not."""
    if operation.unlimited is not None:
        return ()
    return (PAGES, PAGES) if operation.outside_api else (USER, ANONYMOUS)


class Limiting:
    """The limits of one operation, as the settings have them."""

    def __init__(self, app: "App", operation: "Operation") -> None:
        self._app = app
        held = [app.limits.of(limit) for limit in operation.limits]
        self._own = tuple(limit for limit in held if limit is not None)
        self._known, self._unknown = [self._with(each) for each in _everybodys(operation) or (None, None)]

    def _with(self, common: Limit | None) -> tuple[tuple[Limit, ...], bytes]:
        """The limits, and what the answer's headers say of them."""
        held = None if common is None else self._app.limits.of(common)
        limits = self._own if held is None else (held, *self._own)
        return limits, ", ".join([limit.policy for limit in limits]).encode()

    async def take(self, exchange: Exchange, identity: Identity) -> None:
        """Count the request, and leave on the exchange what its answer says of that. 429 when it is one too many."""
        limits, policy = self._known if identity.actor.known else self._unknown
        if not limits or exchange.counted:
            return
        exchange.counted = True
        verdict = await self._app.limits.take([Asked(limit, whom(limit, identity, exchange.ip)) for limit in limits])
        if verdict.standings:
            exchange.also += headers(verdict, policy)
        if not verdict.admitted:
            _note_proxy(exchange)
            metrics.count_limited({limit.name for limit, _, _, standing in verdict.standings if standing.left <= 0})
            raise verdict.refused()


def headers(verdict: Verdict, policy: bytes) -> Headers:
    """How things stand, for the caller."""
    parts = []
    least, tightest = inf, verdict.standings[0]
    for each in verdict.standings:
        left, seconds = each[3]
        parts.append(f'"{each[1]}";r={max(0, left)};t={ceil(seconds)}')
        if left < least:
            least, tightest = left, each
    return [
        (b"ratelimit", ", ".join(parts).encode()),
        (b"ratelimit-policy", policy),
        (b"x-ratelimit-limit", b"%d" % tightest[2].most),
        (b"x-ratelimit-remaining", b"%d" % max(0, least)),
        (b"x-ratelimit-reset", b"%d" % ceil(clock.seconds() + tightest[3].seconds)),
    ]


def described(operation: "Operation") -> dict[str, Any]:
    """What the document says of the limits, beside the answer 429."""
    if not declared(operation):
        return {}
    return {
        "x-rate-limits": [
            {
                "name": limit.name,
                "per": limit.per,
                "quotas": [{"most": quota.most, "window_s": quota.seconds} for quota in limit.quotas],
            }
            for limit in declared(operation)
        ]
    }


def errors(operation: "Operation") -> list[type[NexusError]]:
    """What may go wrong by them."""
    limits = declared(operation)
    unknown = [CacheError] if any(limit.fail == "closed" for limit in limits) else []
    return [RateLimitError, *unknown] if limits else []


def _note_proxy(exchange: Exchange) -> None:
    """One line when everybody may seem to come from one address, because a proxy is not named."""
    if "x-forwarded-for" in exchange.headers and exchange.scope.get("client", ("",))[0] == exchange.ip:
        peer = exchange.ip or ""
        if peer not in _warned and len(_warned) < 100:
            _warned.add(peer)
            _log.warning("forwarded_address_not_believed", peer=peer, remedy="name the proxy in NEXUS_TRUSTED_PROXIES")
