"""What every template may say beside its own values: who reads, in which language, by which clock, on which page."""

from functools import partial
from typing import Any

from nexuscore.console import cookies
from nexuscore.kernel import clock, i18n
from nexuscore.kernel.access import can
from nexuscore.kernel.http.answers import Reply
from nexuscore.kernel.http.auth import Identity
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.http.forms import Sent, veiled
from nexuscore.kernel.http.page_run import PageRoute

LANGUAGE_NAMES = {"en": "English", "he": "עברית", "pl": "Polski"}


class Words:
    """The variables of one page, gathered while its answer is made: drawing it may set cookies."""

    def __init__(self, exchange: Exchange, reply: Reply, route: PageRoute | None, title: str | None) -> None:
        app = exchange.app
        identity: Identity = exchange.identity
        self.said = cookies.said(app, exchange)
        page = exchange.page
        own = route.page.title if route is not None else ""
        self.all: dict[str, Any] = {
            **_language(exchange),
            "zone": identity.time_zone or "UTC",
            "now": clock.now(),
            "title": title if title is not None else i18n.translate(exchange.locale, own) if own else "",
            "token": _form_token(exchange, identity, reply),
            "sent": page.sent if page is not None else Sent(),
            "query": page.query if page is not None else {},
            "at": page.at if page is not None else exchange.path,
            "said": self.said,
            "actor": identity.actor,
            "org": identity.org,
            "may": partial(can, identity),
        }

    def add(self, **more: Any) -> None:
        """Say more."""
        self.all.update(more)


def bare_words(exchange: Exchange) -> dict[str, Any]:
    """What a page can say when nothing is known of its reader."""
    return {**_language(exchange), "title": "", "said": None}


def _language(exchange: Exchange) -> dict[str, Any]:
    lang = i18n.language_of(exchange.locale)
    return {
        "_": partial(i18n.translate, lang),
        "n_": partial(i18n.ntranslate, lang),
        "lang": lang,
        "dir": "rtl" if i18n.is_rtl(lang) else "ltr",
        "languages": LANGUAGE_NAMES,
        "theme": cookies.theme_of(exchange.app, exchange),
        "path": exchange.path,
    }


def _form_token(exchange: Exchange, identity: Identity, reply: Reply) -> str:
    """What the forms of this page carry: the session's token, or the one of this browser."""
    app = exchange.app
    token = app.authenticator.form_token(app, identity)
    if token is None:
        browser = cookies.browser_of(app, exchange) or cookies.name_browser(app, reply)
        token = cookies.form_token(app, browser)
    return veiled(token)
