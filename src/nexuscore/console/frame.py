"""The filler of the kernel's slot: draws pages, keeps what a browser needs to know, and answers failures."""

from secrets import randbelow, token_hex
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from pydantic_core import from_json

from nexuscore.console import cookies, drafts
from nexuscore.console.environment import environment_of
from nexuscore.console.grids import AsCsv, as_csv
from nexuscore.console.navigation import crumbs, navigation
from nexuscore.console.words import Words, bare_words
from nexuscore.kernel import i18n
from nexuscore.kernel.access import can
from nexuscore.kernel.app import App
from nexuscore.kernel.db import Json
from nexuscore.kernel.errors import NexusError, NotFoundError
from nexuscore.kernel.http.answers import Reply
from nexuscore.kernel.http.auth import Identity
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.http.forms import Sent
from nexuscore.kernel.http.page_run import PageRoute
from nexuscore.kernel.http.pages import CONSOLE, Around, Frame, More, View, Went

HTML = "text/html; charset=utf-8"
SIGN_IN, PROVE = f"{CONSOLE}/sign-in", f"{CONSOLE}/prove"
T = TypeVar("T")
_MOST_CSV = 10_000
NOTHING: dict[str, list[dict[str, Any]]] = {"start": [], "end": [], "menu": []}


class ConsoleFrame(Frame):
    """What stands around every page."""

    def enter(self, exchange: Exchange) -> str | None:
        """The language somebody chose in this browser counts, whatever their account or the browser says."""
        return cookies.language_of(exchange.app, exchange)

    def form_holds(self, exchange: Exchange, token: str) -> bool:
        """Whether this browser was shown the form."""
        return cookies.form_holds(exchange.app, cookies.browser_of(exchange.app, exchange), token)

    async def draw(self, exchange: Exchange, route: PageRoute, view: View) -> Reply:
        """The page, in the frame for those who are in or the one for those who are at the door."""
        app, identity, inside = exchange.app, exchange.identity, not route.page.outdoors
        reply = Reply(view.status, media=HTML, headers=view.headers)
        words = Words(exchange, reply, route, view.title)
        words.add(
            around=await self._around(exchange, identity) if inside and identity.actor.known else NOTHING,
            nav=navigation(app, identity, exchange.path) if inside else [],
            crumbs=crumbs(app, route, exchange.path) if inside else [],
            offered=await self._more(exchange, identity, view.offers) if view.offers else {},
        )
        try:
            reply.body = _rendered(app, route, view, words).encode()
        except AsCsv as table:
            return await self._csv(exchange, route, view, words, table)
        if exchange.method == "GET" and view.status == 200:
            reply.body += b"<!-- %s -->" % token_hex(randbelow(64)).encode()
            reply.padded = True
        if words.said is not None:
            cookies.unsay(app, reply)
        return reply.header("cache-control", "no-store")

    def lead(self, exchange: Exchange, went: Went) -> Reply:
        """The way on, with a word to say there."""
        reply = Reply(303, headers=went.headers).header("location", here_only(went.to))
        if went.language is not None:
            cookies.speak(exchange.app, reply, went.language)
        if went.say:
            text = i18n.translate(exchange.locale, went.say, **went.params)
            cookies.say(exchange.app, reply, went.kind, text)
        return reply.header("cache-control", "no-store")

    async def ask_who(self, exchange: Exchange, route: PageRoute, error: NexusError, back: str) -> Reply:
        """To the sign-in, or to proving it again; from there the way leads back, with what was typed."""
        reply = Reply(303)
        query = {} if exchange.method == "POST" else dict(exchange.page.query)
        if exchange.method == "POST" and exchange.page.sent.values:
            browser = cookies.browser_of(exchange.app, exchange) or cookies.name_browser(exchange.app, reply)
            draft = await drafts.keep(exchange, browser)
            query = {} if draft is None else {"draft": str(draft)}
        to = f"{back}?{urlencode(query)}" if query else back
        door = PROVE if error.code == "reauthentication_required" else SIGN_IN
        asked = {} if to == CONSOLE else {"return_to": to}
        return reply.header("location", f"{door}?{urlencode(asked)}" if asked else door).header(
            "cache-control", "no-store"
        )

    async def recall(self, exchange: Exchange, draft: str) -> Sent | None:
        """What a form held before its sender signed in again."""
        browser = cookies.browser_of(exchange.app, exchange)
        if browser is None:
            return None
        async with exchange.app.context(request_id=exchange.request_id) as ctx:
            sent = await drafts.recall(ctx, browser, draft)
        if sent is not None:
            sent.said = i18n.translate(exchange.locale, "What you typed is still here. Please send it again.")
            sent.code = "draft"
        return sent

    async def refuse(self, exchange: Exchange, error: NexusError) -> Reply:
        """What went wrong, with the navigation around it."""
        identity: Identity = exchange.identity
        if not identity.actor.known:
            return self.fail(exchange, error)
        reply = Reply(error.status, media=HTML)
        words = Words(exchange, reply, exchange.page.route, None)
        around = await self._around(exchange, identity)
        words.add(around=around, nav=navigation(exchange.app, identity, exchange.path), crumbs=[])
        return _problem(exchange, error, reply, words.all, "problem.html")

    def fail(self, exchange: Exchange, error: NexusError) -> Reply:
        """What went wrong, on a page that needs nothing but this process."""
        exchange.locale = cookies.language_of(exchange.app, exchange) or exchange.locale
        reply = Reply(error.status, media=HTML)
        return _problem(exchange, error, reply, bare_words(exchange), "failure.html")

    async def _around(self, exchange: Exchange, identity: Identity) -> dict[str, list[dict[str, Any]]]:
        """What modules show around every page, by its place."""
        found: dict[str, list[dict[str, Any]]] = {"start": [], "end": [], "menu": []}
        app = exchange.app
        async with app.context(
            org=identity.org, actor=identity.actor, locale=exchange.locale, request_id=exchange.request_id
        ) as ctx:
            for module, around in _of(app, Around):  # type: ignore[type-abstract]  # asked for, not made
                shown = await around.look(ctx)
                if shown is not None:
                    found[around.place].append({**shown, "template": f"{module}/{around.template}"})
        return found

    async def _more(self, exchange: Exchange, identity: Identity, offers: dict[str, Any]) -> dict[str, Any]:
        """What other modules add to this page, by the place it offers."""
        found: dict[str, list[dict[str, Any]]] = {place: [] for place in offers}
        mores = [(module, each) for module, each in _of(exchange.app, More) if each.place in offers]  # type: ignore[type-abstract]  # asked for, not made
        async with exchange.app.context(
            org=identity.org, actor=identity.actor, locale=exchange.locale, request_id=exchange.request_id
        ) as ctx:
            for module, more in mores:
                if more.permission is not None and not can(identity, more.permission):
                    continue
                shown = await more.look(ctx, offers[more.place])
                if shown is not None:
                    found[more.place].append({**_parsed(shown), "template": f"{module}/{more.template}"})
        return found

    async def _csv(self, exchange: Exchange, route: PageRoute, view: View, words: Words, table: AsCsv) -> Reply:
        """The whole list as a file: the page's own verb is asked for one page after the other."""
        rows, cursor = table.rows, table.next_cursor
        while cursor is not None and len(rows) <= _MOST_CSV:
            following = await route.look(exchange, cursor=cursor)
            try:
                _rendered(exchange.app, route, following if isinstance(following, View) else view, words)
            except AsCsv as more:
                rows, cursor = rows + more.rows[1:], more.next_cursor
        reply = Reply(body=as_csv(rows), media="text/csv; charset=utf-8").header("cache-control", "no-store")
        return reply.header("content-disposition", f'attachment; filename="{quote(table.name)}.csv"')


def _rendered(app: App, route: PageRoute, view: View, words: Words) -> str:
    name = view.template if route.module == "console" else f"{route.module}/{view.template}"
    return environment_of(app).get_template(name).render({**_parsed(view.values), **words.all})


def _parsed(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a template, JSON of a verb as what it says."""
    return {name: from_json(value) if isinstance(value, Json) else value for name, value in values.items()}


def _of(app: App, kind: type[T]) -> list[tuple[str, T]]:
    return [(module.name, each) for module in app.modules for each in module.contributes if isinstance(each, kind)]


def _problem(exchange: Exchange, error: NexusError, reply: Reply, words: dict[str, Any], template: str) -> Reply:
    locale = exchange.locale
    shown = {
        "status": error.status,
        "heading": i18n.translate(locale, error.title),
        "text": error.text(locale),
        "code": error.code,
        "gone": isinstance(error, NotFoundError),
    }
    reply.body = environment_of(exchange.app).get_template(template).render({**words, **shown}).encode()
    for name, value in error.headers.items():
        if name.lower() != "www-authenticate":
            reply.header(name, value)
    return reply.header("cache-control", "no-store")


def here_only(to: str) -> str:
    """A path of this installation; anything that could lead elsewhere becomes the console."""
    plain = to.startswith("/") and not to.startswith(("//", "/\\")) and "\\" not in to and to.isprintable()
    return to if plain else CONSOLE
