"""How a page runs: as an operation does, with a form in and HTML out, and with an answer for every failure that a
person can go on from.
"""

import asyncio
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError as PydanticError

from nexuscore.kernel.access import Actor
from nexuscore.kernel.errors import (
    AuthenticationError,
    AuthorizationError,
    ConfigurationError,
    ConflictError,
    Fault,
    NexusError,
    NotFoundError,
    ValidationError,
)
from nexuscore.kernel.faults import fault_of
from nexuscore.kernel.http.answers import Reply
from nexuscore.kernel.http.auth import Identity
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.http.forms import TYPED, WORD, Sent, as_given, read_form, unveiled
from nexuscore.kernel.http.idempotency import HEADER, IdempotencyConflict, IdempotencyKeyReused
from nexuscore.kernel.http.pages import CONSOLE, WENT, Frame, PageOperation, PageState, View, Went
from nexuscore.kernel.http.routes import Public
from nexuscore.kernel.http.run import CtxRoute
from nexuscore.kernel.paging import MAX_LIMIT

if TYPE_CHECKING:
    from nexuscore.kernel.app import App

CSRF_HEADER = "x-csrf-token"
TOKEN = "_token"  # noqa: S105 - the name of a field, not a secret
_PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)  # while the first sending of a form is at work
WHO = frozenset({"authentication_required", "invalid_token", "reauthentication_required"})
MAY_NOT = frozenset({"permission_denied", "ownership_denied", "form_from_elsewhere"})


class FormExpired(AuthorizationError):
    """A form without the token of the page it was on: the page is old, or it is not ours."""

    code = "form_expired"
    message = "This form was open for too long. What you typed is still here: please send it again."


class FormFromElsewhere(AuthorizationError):
    """A form that another site sent. What it holds is not shown again: nobody here typed it."""

    code = "form_from_elsewhere"
    message = "This form did not come from our pages, so nothing was done."


class FormSentAlready(ConflictError):
    """The same drawing of a form, sent again with something else in it."""

    code = "form_sent_already"
    message = "This form was sent already, and it was done. If you mean something else now, please send it again."


class PageRoute(CtxRoute):
    """One page, or one form's action, of the composed app."""

    def __init__(self, app: "App", page: PageOperation, frame: Frame, module: str) -> None:
        super().__init__(app, page, None)
        self.page = page
        self.module = module
        self.shown_on: PageRoute | None = None
        self._frame = frame
        self._read_body = _form_reader(self)
        self._known = {name for field in self.dependant.query_params for name in _names(field)} - {"fields"}

    async def run(self, exchange: Exchange, path: dict[str, str]) -> Reply:
        """Answer one request; what went wrong is answered too, unless a program asks or nothing works."""
        try:
            await self._begin(exchange, path)
            reply = await super().run(exchange, path)
        except NexusError as error:
            if not reads_html(exchange):
                raise
            return await self._failed(exchange, error)
        return await self._finish(exchange, reply)

    async def _transact(self, exchange: Exchange, identity: Identity, arguments: dict[str, Any]) -> Reply | NexusError:
        """As an operation does; a form that is sent while its first sending is at work waits for what comes of that."""
        for pause in _PAUSES:
            try:
                return await super()._transact(exchange, identity, dict(arguments))
            except IdempotencyConflict:
                await asyncio.sleep(pause)
            except IdempotencyKeyReused:
                raise FormSentAlready from None
        return await super()._transact(exchange, identity, arguments)

    async def _begin(self, exchange: Exchange, path: dict[str, str]) -> None:
        """Take what is the frame's: its part of the query, the form and its token."""
        page = PageState(_gathered(exchange.query), self)
        page.at = quote((self.shown_on or self).path.format(**path))
        page.path = path
        exchange.page = page
        page.language = self._frame.enter(exchange)
        exchange.locale = page.language or exchange.locale
        limit = self.declared.max_body
        if limit is not None:
            exchange.limit = limit
        self._read_query(exchange, page.query)
        if self.declared.method == "POST":
            if exchange.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
                raise FormFromElsewhere
            sent = await read_form(exchange)
            if sent is not None:
                page.sent = sent
                exchange.headers.setdefault(CSRF_HEADER, unveiled(sent.value(TOKEN) or ""))
                if self.declared.needs_key and sent.value(TOKEN):
                    exchange.headers.setdefault(HEADER, _key_of(sent, exchange.path))
                word = sent.value(WORD)
                if word is not None and (sent.value(TYPED) or "").strip() != word:
                    raise ValidationError.of([Fault(TYPED, "not_confirmed", "Type {word} to confirm.", {"word": word})])
        elif (draft := page.query.get("draft")) is not None:
            page.sent = await self._frame.recall(exchange, draft) or page.sent

    async def look(self, exchange: Exchange, **change: str) -> Reply:
        """What the page shows, for the same request with another part of the query."""
        self._read_query(exchange, {**exchange.page.query, **change})
        return await super().run(exchange, exchange.page.path)

    def _read_query(self, exchange: Exchange, query: dict[str, str]) -> None:
        """Leave the endpoint the parameters it takes; a link may carry more, and a list for a file is a long one."""
        kept = {name: value for name, value in query.items() if name in self._known}
        if "csv" in query and "limit" in self._known:
            kept["limit"] = str(MAX_LIMIT)
        exchange.use_query(list(kept.items()))

    async def _identify(self, exchange: Exchange) -> Identity:
        """Who asks. A form of somebody without a session shows the token of the browser it was drawn in."""
        identity = await super()._identify(exchange)
        if exchange.page.language is not None:
            identity = replace(identity, locale=exchange.page.language)
        if exchange.method != "POST" or "authorization" in exchange.headers or identity.actor.session is not None:
            return identity
        if not identity.actor.known and not isinstance(self.admission, Public):
            return identity
        if not self._frame.form_holds(exchange, exchange.headers.get(CSRF_HEADER, "")):
            raise FormExpired
        return identity

    async def _failed(self, exchange: Exchange, error: NexusError) -> Reply:
        frame = self._frame
        if exchange.identity is None:
            exchange.identity = Identity(Actor(ip=exchange.ip))
        if isinstance(error, AuthenticationError) and error.code in WHO:
            return await frame.ask_who(exchange, self, error, exchange.page.at)
        shown = self.shown_on if self.declared.method == "POST" else None
        if shown is None or isinstance(error, NotFoundError) or error.code in MAY_NOT:
            if error.status >= 500:
                raise error
            return await frame.refuse(exchange, error)
        return await self._again(exchange, shown, error)

    async def _again(self, exchange: Exchange, shown: "PageRoute", error: NexusError) -> Reply:
        """The form once more, with what was typed and what was wrong with it."""
        sent = exchange.page.sent
        exchange.method = "GET"
        exchange.page.route = shown
        try:
            view = await shown.look(exchange)
        except NexusError:
            raise error from None
        sent.blame(error, exchange.locale)
        if isinstance(view, View):
            view.status = error.status
        if "Retry-After" in error.headers:
            view.header("retry-after", error.headers["Retry-After"])
        return await shown._finish(exchange, view)

    async def _finish(self, exchange: Exchange, reply: Reply) -> Reply:
        if reply.media == WENT and not isinstance(reply, Went):
            reply = Went.kept(reply)
        if isinstance(reply, Went):
            return self._frame.lead(exchange, reply)
        if isinstance(reply, View):
            return await self._frame.draw(exchange, self, reply)
        return reply

    def _validated(self, exchange: Exchange, reply: Reply) -> Reply:
        """A page is drawn for one reader, now."""
        return reply

    def _encoded(self, exchange: Exchange, result: Any) -> Reply:
        if not isinstance(result, Reply):
            raise TypeError(f"{self.operation_id} returns {type(result).__name__}; a page returns a View or a Went")
        if not self.declared.needs_key:
            return result
        if not isinstance(result, Went):
            raise TypeError(f"{self.operation_id} counts once, so it leads to a page: return a Went")
        return result.keep()


def page_routes(app: "App") -> list[PageRoute]:
    """Every page of an app, if there is a frame to draw them in."""
    frames = app.fillers(Frame)  # type: ignore[type-abstract]  # asked for, not made
    if not frames:
        return []
    found = [
        PageRoute(app, page, frames[0], module.name)
        for module in app.modules
        for group in module.pages
        if not (group.development and app.kernel.env == "production")
        for page in group.operations
        if isinstance(page, PageOperation)
    ]
    by_endpoint = {route.page.endpoint: route for route in found}
    by_path = {route.path: route for route in found if route.page.method == "GET"}
    for route in found:
        if route.page.method == "POST":
            shows = route.page.shows
            route.shown_on = by_path.get(route.path) if shows is None else by_endpoint.get(shows)
            if shows is not None and route.shown_on is None:
                raise ConfigurationError(f"{route.operation_id} shows {shows.__name__}, which is no page")
    return found


def reads_html(exchange: Exchange) -> bool:
    """Whether a browser asks: programs get problems, as everywhere."""
    return "text/html" in exchange.headers.get("accept", "")


def is_page(exchange: Exchange) -> bool:
    """Whether an address is one of the console's, and a browser asks for it."""
    return (exchange.path == CONSOLE or exchange.path.startswith(f"{CONSOLE}/")) and reads_html(exchange)


def _key_of(sent: Sent, path: str) -> str:
    """What a drawing of a form is known by: its token is veiled anew each time."""
    told = "\0".join((sent.value(TOKEN) or "", sent.value("_form") or "", path))
    return f"form:{hashlib.sha256(told.encode()).hexdigest()}"


def _gathered(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """The query by name, without what is empty; the columns of a table are ticked one by one, and are one value."""
    query: dict[str, str] = {}
    for name, value in pairs:
        if value:
            query[name] = f"{query[name]},{value}" if name.endswith(".columns") and name in query else value
    return query


def _names(field: Any) -> list[str]:
    model = field.field_info.annotation
    if isinstance(model, type) and hasattr(model, "model_fields"):
        return [str(info.alias or name) for name, info in model.model_fields.items()]
    return [str(field.validation_alias or field.alias)]


def _form_reader(route: PageRoute) -> Any:
    """How the form of a page becomes the one body its endpoint takes."""
    fields = route.dependant.body_params
    if not fields:
        return None
    name = fields[0].name
    annotation: Any = fields[0].field_info.annotation
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)

    async def read(exchange: Exchange) -> tuple[str, Any, list[Fault]]:
        is_json = exchange.headers.get("content-type", "").startswith("application/json")
        try:
            if is_json:
                return name, adapter.validate_json(await exchange.body() or b"null"), []
            return name, adapter.validate_python(as_given(annotation, exchange.page.sent)), []
        except PydanticError as error:
            return name, None, [fault_of(_dotted(each["loc"]), each) for each in error.errors(include_url=False)]

    return read


def _dotted(place: tuple[int | str, ...]) -> str:
    return ".".join(map(str, place)) or "body"
