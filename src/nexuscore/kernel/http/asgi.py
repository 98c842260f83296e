"""The edge: every request passes here once, and leaves with a request id, headers and a log line."""

from collections.abc import MutableMapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from nexuscore.kernel import i18n, metrics, sight
from nexuscore.kernel.db import translated
from nexuscore.kernel.errors import (
    InternalError,
    MalformedRequest,
    MethodNotAllowed,
    NexusError,
    NotFoundError,
    RequestTimeout,
)
from nexuscore.kernel.http.answers import Headers, Reply, problem
from nexuscore.kernel.http.conditional import tag_of
from nexuscore.kernel.http.cors import allowance, preflight
from nexuscore.kernel.http.deadlines import Deadlines
from nexuscore.kernel.http.documents import document, document_routes
from nexuscore.kernel.http.encoding import EncodingNotAcceptable, negotiate, without_codings
from nexuscore.kernel.http.exchange import Exchange, client_ip
from nexuscore.kernel.http.health import health_routes
from nexuscore.kernel.http.load import Load, Overloaded
from nexuscore.kernel.http.page_run import is_page, page_routes
from nexuscore.kernel.http.pages import Frame
from nexuscore.kernel.http.run import CtxRoute
from nexuscore.kernel.http.sending import Send, Sent, begun, send_reply
from nexuscore.kernel.http.versions import Version, serves
from nexuscore.kernel.log import (
    clean_request_id,
    clean_tracestate,
    get_logger,
    new_traceparent,
    parse_traceparent,
    request_line,
)

if TYPE_CHECKING:
    from nexuscore.kernel.app import App
    from nexuscore.kernel.tracing import Span

Message = MutableMapping[str, Any]
_log = get_logger(__name__)

SECURITY_HEADERS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
            b" font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
            b" frame-ancestors 'none'"
        ),
    ),
]
# Whoever asked may keep an answer, and asks each time whether it still holds; nobody in between may.
KEPT_PRIVATE = (b"cache-control", b"private, no-cache")
HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains; preload")


_PLACE, _HERE = object(), object()  # keys no request can send


def varying(origins: frozenset[str]) -> tuple[bytes, bytes]:
    """What an answer depends on, beside its address."""
    names = ["Accept-Encoding", "Accept-Language", "Authorization", "Cookie", "Nexus-Org"]
    return b"vary", ", ".join([*names, "Origin"] if origins else names).encode()


class Switch:
    """Which operation a path means: a tree of its segments, so that the hundredth is found as fast."""

    def __init__(self, routes: list[CtxRoute]) -> None:
        self._root: dict[object, Any] = {}
        for route in routes:
            node = self._root
            names = []
            for part in route.path[1:].split("/"):
                if part.startswith("{"):
                    names.append(part[1:-1])
                node = node.setdefault(_PLACE if part.startswith("{") else part, {})
            for method in route.methods or ():
                node.setdefault(_HERE, {})[method] = (route, names)

    def find(self, method: str, path: str) -> tuple[CtxRoute, dict[str, str]]:
        """The operation and what the path's places hold; `MethodNotAllowed` names what is there."""
        values: list[str] = []
        leaf = self._leaf(self._root, path[1:].split("/"), 0, values)
        if leaf is None:
            raise NotFoundError
        found = leaf.get("GET" if method == "HEAD" else method)
        if found is None:
            raise MethodNotAllowed(headers={"allow": ", ".join(sorted(leaf))})
        route, names = found
        return route, dict(zip(names, values, strict=True))

    def _leaf(self, node: dict[object, Any], parts: list[str], at: int, values: list[str]) -> dict[str, Any] | None:
        if at == len(parts):
            return node.get(_HERE)
        part = parts[at]
        if part in node:
            leaf = self._leaf(node[part], parts, at + 1, values)
            if leaf is not None:
                return leaf
        if part and _PLACE in node:
            values.append(part)
            leaf = self._leaf(node[_PLACE], parts, at + 1, values)
            if leaf is not None:
                return leaf
            values.pop()
        return None


class Edge:
    """The outermost ASGI application."""

    def __init__(self, app: "App", routes: list[CtxRoute]) -> None:
        self._app = app
        self.routes = routes
        self._switch = Switch(routes)
        self._documents: dict[Version, dict[str, Any]] = {}
        self._written: dict[Version, tuple[bytes, str]] = {}
        self._versions = app.versions
        self._frames = app.fillers(Frame)  # type: ignore[type-abstract]  # asked for, not made
        settings = app.kernel
        self._deadlines = Deadlines()
        self._load = Load(settings.max_in_flight)
        self._trusted = tuple(settings.trusted_proxies)
        self._origins = frozenset(settings.cors_origins)
        self._always = [*SECURITY_HEADERS, KEPT_PRIVATE, varying(self._origins)]
        if settings.public_url.startswith("https://"):
            self._always.append(HSTS)
        self._usual = frozenset(name for name, _ in self._always)
        self._thresholds = sight.Thresholds(
            slow_ms=settings.slow_request_ms, queries=settings.many_queries, too_many=settings.too_many_queries
        )

    def openapi(self, version: Version) -> dict[str, Any]:
        """The OpenAPI document of a version's operations, made once."""
        if version not in self._documents:
            self._documents[version] = document(self._app, [r for r in self.routes if r.version == version])
        return self._documents[version]

    def written(self, version: Version) -> tuple[bytes, str]:
        """That document as it is sent, and its tag."""
        if version not in self._written:
            body = to_json(self.openapi(version))
            self._written[version] = body, tag_of(body)
        return self._written[version]

    async def __call__(self, scope: Message, receive: Any, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(self._app, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _answer(self, scope: Message, receive: Any, send: Send) -> None:
        started = perf_counter()
        exchange = self._begin(scope, receive)
        tally, token = sight.begin(exchange.traceparent, exchange.tracestate)
        tally.span = exchange.span
        metrics.flow.requests += 1
        error: Exception | None = None
        status: int | None = None
        try:
            try:
                reply = preflight(exchange, self._origins) or await self._run(exchange)
                if reply.stream is not None:
                    reply = await begun(reply, self._app.kernel.request_timeout_s)
            except Exception as raised:  # noqa: BLE001 - the edge answers whatever happened
                error = raised
                reply = self._problem(exchange, raised)
            status = reply.status
            sent = await self._send(exchange, reply, send)
            self._note(exchange, status, sent, tally, perf_counter() - started, error)
        finally:
            metrics.flow.requests -= 1
            sight.end(token)
            if exchange.span is not None:
                _end_span(exchange, exchange.span, status)

    async def _run(self, exchange: Exchange) -> Reply:
        exchange.also += self._versions.headers(exchange.path)
        self._versions.require_open(exchange.path)
        route, path = self._switch.find(exchange.method, exchange.path)
        exchange.route = route.path
        exchange.secret = route.bears_secrets
        self._load.enter(route.declared.priority)
        try:
            accepted = negotiate(exchange.headers.get("accept-encoding", ""))
            if accepted.coding is None and not accepted.plain:
                raise EncodingNotAcceptable
            return await self._deadlines.run(route.run(exchange, path), self._app.kernel.request_timeout_s)
        finally:
            self._load.leave()

    def _begin(self, scope: Message, receive: Any) -> Exchange:
        settings = self._app.kernel
        exchange = Exchange(self._app, scope, receive, limit=settings.max_body_bytes)
        headers = exchange.headers
        exchange.request_id = clean_request_id(headers.get("x-request-id"))
        trace = parse_traceparent(headers.get("traceparent"))
        if trace is not None and "tracestate" in headers:
            exchange.tracestate = clean_tracestate(headers["tracestate"])
        tracing = self._app.tracing
        if tracing is None:
            exchange.traceparent = new_traceparent(trace[0] if trace else None)
        else:
            exchange.span = tracing.begin("server", headers["traceparent"] if trace else None, exchange.tracestate)
            exchange.traceparent = exchange.span.traceparent
        for name in ("if-none-match", "if-match"):
            if name in headers:
                exchange.etags_asked = headers[name]
                headers[name] = without_codings(headers[name])
        exchange.ip = client_ip(scope, headers.get("x-forwarded-for"), self._trusted)
        exchange.locale = i18n.negotiate(headers.get("accept-language"), settings.default_locale)
        return exchange

    def _problem(self, exchange: Exchange, raised: Exception) -> Reply:
        """What the caller is told. The cause of a 500 goes to the log and nowhere else."""
        error: NexusError | None
        if isinstance(raised, NexusError):
            error = raised
        elif isinstance(raised, TimeoutError):
            error = RequestTimeout()
        else:
            error = translated(raised)
        if error is None or (error.status >= 500 and not isinstance(error, Overloaded)):
            _log.error(
                "request_failed",
                **_described(exchange),
                exc_info=raised,
            )
        error = error or InternalError()
        if self._frames and is_page(exchange):
            return self._frames[0].fail(exchange, error)
        return problem(
            error,
            locale=exchange.locale,
            request_id=exchange.request_id,
            instance=exchange.path,
        )

    async def _send(self, exchange: Exchange, reply: Reply, send: Send) -> Sent:
        headers: Headers = [
            (b"x-request-id", exchange.request_id.encode()),
            (b"traceparent", exchange.traceparent.encode()),
            *(self._beside(reply.headers) if reply.headers else self._always),
            *exchange.also,
            *allowance(exchange, self._origins),
        ]
        if self._app.draining.is_set():
            headers.append((b"connection", b"close"))  # the next request goes to another process
        return await send_reply(exchange, reply, headers, send, stall=self._app.kernel.stream_stall_s)

    def _beside(self, own: Headers) -> Headers:
        """What every answer says, less what this one says itself."""
        names = {name for name, _ in own}
        if names.isdisjoint(self._usual):
            return self._always
        return [each for each in self._always if each[0] not in names]

    def _note(
        self,
        exchange: Exchange,
        status: int,
        sent: Sent,
        tally: sight.Tally,
        seconds: float,
        error: Exception | None,
    ) -> None:
        identity = exchange.identity
        metrics.observe_request(exchange.method, exchange.route, status, seconds)
        tally.counted()
        route = exchange.route
        code = sent.cut if error is None else getattr(error, "code", type(error).__name__)
        if code is not None:
            metrics.count_error(code)
        self._app.watch.request(route, status, seconds, tally, code, exchange.request_id)
        notices = self._thresholds.notices(tally, seconds)
        for notice in notices:
            metrics.count_notice(notice)
        request_line(
            method=exchange.method,
            route=exchange.route,
            path=exchange.path,
            status=status,
            duration_ms=seconds * 1000,
            size=sent.size,
            request_id=exchange.request_id,
            trace_id=exchange.traceparent[3:35],
            org=identity.org if identity else None,
            actor=identity.actor.id if identity else None,
            client=exchange.ip,
            agent=exchange.headers.get("user-agent"),
            spent=tally.spent(),
            notices=notices,
            error=code,
        )


def _described(exchange: Exchange) -> dict[str, object]:
    """What is worth knowing of a request that failed: who sent what. Never its body; the log masks the rest."""
    identity = exchange.identity
    try:
        query = dict(exchange.query)
    except MalformedRequest:
        query = {}
    return {
        "request_id": exchange.request_id,
        "trace_id": exchange.traceparent[3:35],
        "org": identity.org if identity else None,
        "actor": identity.actor.id if identity else None,
        "method": exchange.method,
        "route": exchange.route,
        "path": exchange.path,
        "query": query,
        "media": exchange.headers.get("content-type"),
        "received": exchange.headers.get("content-length"),
        "client": exchange.ip,
        "agent": exchange.headers.get("user-agent"),
    }


def _end_span(exchange: Exchange, span: "Span", status: int | None) -> None:
    """End the span of a request, under the names OpenTelemetry has for its facts."""
    identity = exchange.identity
    facts = {
        "http.request.method": exchange.method,
        "http.route": exchange.route,
        "http.response.status_code": status,
        "client.address": exchange.ip,
        "nexus.request_id": exchange.request_id,
        "nexus.org": str(identity.org) if identity and identity.org else None,
        "nexus.actor": str(identity.actor.id) if identity and identity.actor.id else None,
    }
    error = None if status is not None and status < 500 else str(status or "cancelled")
    span.end(f"{exchange.method} {exchange.route}", facts, error)


def build(app: "App") -> Edge:
    """The ASGI application of a composed app."""
    declared = [group for module in app.modules for group in module.routes]
    routes: list[CtxRoute] = []
    for group in (*declared, health_routes, document_routes):
        versions = (None,) if group.outside_api else app.versions.all
        routes += [
            CtxRoute(app, operation, version)
            for operation in group.operations
            for version in versions
            if version is None or serves(operation, version.number)
        ]
    return Edge(app, [*routes, *page_routes(app)])


async def _lifespan(app: "App", receive: Any, send: Send) -> None:
    """For a server that speaks the lifespan protocol; `nexus serve` starts the app itself."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            try:
                await app.start()
            except NexusError as error:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await app.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return
