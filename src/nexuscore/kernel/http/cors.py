"""Calls from a browser's page of another origin: refused by the browser unless the settings name that origin."""

from nexuscore.kernel.http.answers import Headers, Reply
from nexuscore.kernel.http.exchange import Exchange

_METHODS = "GET, POST, PUT, PATCH, DELETE"
_SHOWN = (
    "x-request-id, traceparent, retry-after, idempotent-replayed, link, etag, deprecation, sunset, ratelimit,"
    " ratelimit-policy, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset"
)


def preflight(exchange: Exchange, origins: frozenset[str]) -> Reply | None:
    """The answer to a browser that asks first; None when it did not, or its page may not."""
    if exchange.method != "OPTIONS" or "access-control-request-method" not in exchange.headers:
        return None
    if exchange.headers.get("origin") not in origins:
        return None
    wanted = exchange.headers.get("access-control-request-headers", "")
    reply = Reply(204).header("access-control-allow-methods", _METHODS).header("access-control-max-age", "600")
    return reply.header("access-control-allow-headers", wanted) if wanted.isprintable() and wanted else reply


def allowance(exchange: Exchange, origins: frozenset[str]) -> Headers:
    """What lets a page of a named origin read the answer."""
    origin = exchange.headers.get("origin", "") if origins else ""
    if origin not in origins:
        return []
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", _SHOWN.encode()),
    ]
