"""What the console keeps in a browser: its name for forms, a word for the next page, a language, light or dark."""

import json
import secrets

from nexuscore.kernel.app import App
from nexuscore.kernel.crypto import CryptoError
from nexuscore.kernel.http.answers import Reply
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.i18n import LANGUAGES

BROWSER = "nexus_form"
SAID = "nexus_said"
LANGUAGE = "nexus_language"
THEME = "nexus_theme"
THEMES = ("system", "light", "dark")
_YEAR = 365 * 24 * 3600
_MOMENT = 300
_PURPOSE = "console.said"
_FORM = "console.form"


def browser_of(app: App, exchange: Exchange) -> str | None:
    """The name this browser was given."""
    found = exchange.cookies.get(_name(app, BROWSER))
    return found if found and len(found) <= 64 else None


def name_browser(app: App, reply: Reply) -> str:
    """Give the browser a name, which its forms are bound to."""
    name = secrets.token_urlsafe(18)
    _set(app, reply, BROWSER, name, _YEAR)
    return name


def form_token(app: App, browser: str) -> str:
    """What the forms of a browser without a session carry."""
    return app.keyring.sign(_FORM, browser.encode())


def form_holds(app: App, browser: str | None, token: str) -> bool:
    """Whether a form was shown to this browser."""
    return browser is not None and app.keyring.verify(_FORM, browser.encode(), token)


def say(app: App, reply: Reply, kind: str, text: str) -> None:
    """Leave a word for the next page. It is sealed: nobody else can put words in our mouth."""
    _set(app, reply, SAID, app.keyring.seal(_PURPOSE, json.dumps([kind, text])), _MOMENT)


def said(app: App, exchange: Exchange) -> tuple[str, str] | None:
    """The word the last page left."""
    sealed = exchange.cookies.get(_name(app, SAID))
    if not sealed:
        return None
    try:
        kind, text = json.loads(app.keyring.open_sealed(_PURPOSE, sealed))
    except (CryptoError, ValueError):
        return "done", ""
    return str(kind), str(text)


def unsay(app: App, reply: Reply) -> None:
    """It was said."""
    _set(app, reply, SAID, "", 0)


def language_of(app: App, exchange: Exchange) -> str | None:
    """The language this browser's reader chose."""
    found = exchange.cookies.get(_name(app, LANGUAGE))
    return found if found in LANGUAGES else None


def speak(app: App, reply: Reply, language: str) -> None:
    """Remember a language."""
    _set(app, reply, LANGUAGE, language, _YEAR)


def theme_of(app: App, exchange: Exchange) -> str:
    """Light, dark, or as the system is."""
    found = exchange.cookies.get(_name(app, THEME))
    return found if found in THEMES else "system"


def wear(app: App, reply: Reply, theme: str) -> None:
    """Remember light or dark."""
    _set(app, reply, THEME, theme, _YEAR)


def _set(app: App, reply: Reply, name: str, value: str, age: int) -> None:
    secure = "; Secure" if _is_https(app) else ""
    reply.header("set-cookie", f"{_name(app, name)}={value}; Path=/; Max-Age={age}; SameSite=Lax; HttpOnly{secure}")


def _name(app: App, name: str) -> str:
    return f"__Host-{name}" if _is_https(app) else name


def _is_https(app: App) -> bool:
    return app.kernel.public_url.startswith("https://")
