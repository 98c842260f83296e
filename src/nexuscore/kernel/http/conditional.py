"""Conditional requests: what has not changed is not sent again, and a change meant for an older version is refused.

An entity tag is `"VERSION.HASH"`: the version of the row the operation loaded (its `updated_at`), if there is one, and
a hash of the answer as it is sent, so that another representation (other fields, another version of the API) has
another tag. At the edge a coding adds its name behind it, and takes it off what callers send. `If-Match` compares the
version alone: whoever read a row in any representation knows it.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

from nexuscore.kernel.errors import PreconditionFailed
from nexuscore.kernel.http.answers import Reply
from nexuscore.kernel.http.exchange import Exchange

NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "The `ETag` of an answer you have; if nothing changed, the answer is 304 and has no body.",
}
MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "The `ETag` of what you mean to change; if somebody changed it since, the answer is 412.",
}
_KEPT = (b"cache-control", b"content-location", b"expires", b"last-modified", b"link", b"vary")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class PreconditionUnsupported(PreconditionFailed):
    """An `If-Match` where there is no version to hold it against. To ignore it would be to break a promise."""

    code = "precondition_unsupported"
    message = "This operation cannot check If-Match. Send the request without it."


def version_of(changed: datetime) -> str:
    """A row's version as it stands in a tag."""
    return f"{(changed - _EPOCH) // _MICROSECOND:x}"


def tag_of(body: bytes, version: str = "") -> str:
    """The strong entity tag of an answer."""
    digest = sha256(body).hexdigest()[:24]  # on most machines in half of BLAKE2's time
    return f'"{version}.{digest}"' if version else f'"{digest}"'


def is_among(header: str, tag: str) -> bool:
    """Whether one of the caller's tags names this answer; `*` names any."""
    return any(each.strip().removeprefix("W/") in (tag, "*") for each in header.split(","))


def known_to(exchange: Exchange) -> frozenset[str]:
    """The tags of what the caller has."""
    asked = exchange.headers.get("if-none-match")
    return frozenset() if asked is None else frozenset(each.strip().removeprefix("W/") for each in asked.split(","))


def is_asked(exchange: Exchange) -> bool:
    """Whether the request is to be done on some condition."""
    return "if-match" in exchange.headers or "if-none-match" in exchange.headers


def answer(exchange: Exchange, reply: Reply) -> Reply:
    """A 200 with its tag, or the 304 that stands for it. What must not be stored needs none."""
    own = dict(reply.headers)
    if b"no-store" in own.get(b"cache-control", b""):
        return reply
    given = own.get(b"etag")
    tag = tag_of(reply.body, reply.version) if given is None else given.decode("latin-1")
    asked = exchange.headers.get("if-none-match")
    if asked is not None and is_among(asked, tag):
        kept = [each for each in reply.headers if each[0] in _KEPT]
        return Reply(304, headers=[(b"etag", tag.encode("latin-1")), *kept])
    if given is None:
        reply.headers.append((b"etag", tag.encode()))
    return reply


def require_match(exchange: Exchange, version: str) -> None:
    """Stop here when the caller means to change something else than what is there now."""
    asked = exchange.headers.get("if-match")
    if asked is not None and not any(_names(each.strip(), version) for each in asked.split(",")):
        raise PreconditionFailed
    if exchange.headers.get("if-none-match") == "*":
        raise PreconditionFailed


def require_no_match(exchange: Exchange) -> None:
    """Where nothing has a version, no precondition but `*` can hold."""
    if exchange.headers.get("if-match", "*").strip() != "*":
        raise PreconditionUnsupported


def _names(tag: str, version: str) -> bool:
    return tag == "*" or (tag[:1] == '"' and tag[1:].partition(".")[0] == version)


def last_modified(changed: Any) -> tuple[bytes, bytes]:
    """The header that says when."""
    return b"last-modified", _http_date(int((changed - _EPOCH).total_seconds()))


@lru_cache(maxsize=4096)
def _http_date(seconds: int) -> bytes:
    when = datetime.fromtimestamp(seconds, UTC)
    return http_date(when).encode()


def http_date(when: datetime) -> str:
    """A moment as HTTP writes it, whatever the machine's language."""
    day, month = _DAYS[when.weekday()], _MONTHS[when.month - 1]
    return f"{day}, {when.day:02d} {month} {when.year} {when:%H:%M:%S} GMT"
