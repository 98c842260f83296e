"""One request, read once: its headers, its body within the limit, who sent it and from where."""

from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from nexuscore.kernel.errors import MalformedRequest, PayloadTooLarge

if TYPE_CHECKING:
    from nexuscore.kernel.app import App
    from nexuscore.kernel.tracing import Span

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


# Headers that may be sent in several lines, and what joins these. A proxy may add what it knows as a line of its own.
LISTS = dict.fromkeys(
    ("accept", "accept-encoding", "accept-language", "if-match", "if-none-match", "x-forwarded-for", "tracestate"), ", "
) | {"cookie": "; "}


class Exchange:
    """What the caller sent. Header names are lower case; lines of a list are joined, else the first counts."""

    __slots__ = (
        "_body",
        "_receive",
        "also",
        "app",
        "counted",
        "etags_asked",
        "fields",
        "headers",
        "identity",
        "ip",
        "limit",
        "locale",
        "method",
        "page",
        "path",
        "request_id",
        "route",
        "scope",
        "secret",
        "span",
        "traceparent",
        "tracestate",
    )

    def __init__(self, app: "App", scope: Scope, receive: Receive, *, limit: int) -> None:
        self.app = app
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            called = name.decode("latin-1")
            if called not in self.headers:
                self.headers[called] = value.decode("latin-1")
            elif called in LISTS:
                self.headers[called] += LISTS[called] + value.decode("latin-1")
        self.limit = limit
        self.locale = "en"
        self.request_id = ""
        self.traceparent = ""
        self.tracestate = ""
        self.ip: str | None = None
        self.route = "unmatched"
        self.identity: Any = None
        self.secret = False  # whether answers of this operation bear secrets
        self.fields: Any = None  # a `fields.Selection`, when the caller wants some of them
        self.span: Span | None = None  # when traces are on
        self.etags_asked = ""  # as the caller wrote them
        self.also: list[tuple[bytes, bytes]] = []  # headers of the answer, whatever it will be
        self.page: Any = None
        self.counted = False  # against the limits; once, however many pages one answer is made of
        self._receive = receive
        self._body: bytes | None = None

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query string as pairs, in the caller's order."""
        text = self.scope["query_string"]
        if not text:
            return []
        if b"%" not in text and b"+" not in text and text.isascii():  # as most are, for a fifth of the price
            parts = (part.partition("=") for part in text.decode().split("&") if part)
            return [(name, value) for name, _, value in parts]
        try:
            return parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict")
        except ValueError:
            raise MalformedRequest("The query string cannot be read.") from None

    def use_query(self, pairs: list[tuple[str, str]]) -> None:
        """Read these pairs instead of the query string that was sent."""
        self.scope = {**self.scope, "query_string": urlencode(pairs).encode("ascii")}

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies, by name; the first of a repeated name counts."""
        cookies: dict[str, str] = {}
        for part in self.headers.get("cookie", "").split(";"):
            name, found, value = part.strip().partition("=")
            if found:
                cookies.setdefault(name, value)
        return cookies

    async def body(self) -> bytes:
        """The whole body, refused as soon as it is longer than the limit."""
        if self._body is None:
            announced = self.headers.get("content-length", "")
            if announced.isdigit() and int(announced) > self.limit:
                raise PayloadTooLarge(limit=self.limit)
            chunks: list[bytes] = []
            size = 0
            while True:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise MalformedRequest("The request ended before its body did.")
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > self.limit:
                    raise PayloadTooLarge(limit=self.limit)
                chunks.append(chunk)
                if not message.get("more_body"):
                    break
            self._body = b"".join(chunks)
        return self._body

    async def gone(self) -> None:
        """Return once the caller has gone away; for while an answer is being sent."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


def client_ip(scope: Scope, forwarded: str | None, trusted: tuple[str, ...]) -> str | None:
    """Who sent it: the peer, or the last address in `X-Forwarded-For` no trusted proxy added."""
    peer = scope.get("client")
    address: str | None = peer[0] if peer else None
    if forwarded is None or address is None or not _is_in(address, trusted):
        return address
    for hop in map(str.strip, reversed(forwarded.split(","))):
        try:
            ip_address(hop)
        except ValueError:
            return address
        address = hop
        if not _is_in(hop, trusted):
            break
    return address


@lru_cache(maxsize=4096)
def _is_in(address: str, networks: tuple[str, ...]) -> bool:
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return any(ip in ip_network(network, strict=False) for network in networks)
